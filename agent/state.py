"""The state of a life, folded from its events; the only reader of event payloads that the life itself relies on.

Kinds of events, in the order in which they come:

- `run.started` — one pass over a stream: the stream, the constraint set and the audit suite, whole.
- `task.started` — the task's description, the guard's digest and count, what was recalled from the library.
- `supernet.trained` — where the strategy is guided by a supernet: its logits, or why there are none.
- `certified`, `rejected`, `quarantined` — the gate's decision on one architecture, with its certificate.
- `filtered` — how many considered architectures each rule kept out before anything was computed, in one round.
- `evaluated` — one training at low fidelity, or its failure.
- `trained`, `audited`, then `admitted` or `refused` — one full training and what the audits said.
- `tabulated` — instead of training and audits, where the task is a table: what it says of a finalist. Such a cell was
  never trained or audited here, hence never enters the library; only tasks of a table recall it.
- `compared` — the hand-designed network of equal size, trained the same way.
- `task.finished`, `run.finished`.
- `motif.quarantined`, `motif.restored` — right after a run started under another constraint set than the one before: a
  remembered architecture that the set in force forbids, or admits again.
- `policy.proposed`, `policy.tried`, `policy.adopted`, `policy.rolled_back`, `policy.refused`, `policy.kept` — what was
  decided about the search policy after a task; `policy.tried`: its trial goes on (`agent/tuning.py`).
- `subcells.mined` — right after a task finished: what its winners and earlier ones share (`agent/mined.py`), where that
  is not what was known; `subcell.revoked` — a person took one out of use.
- `reviewed` — a person approved a finalist, or reversed what stood (`agent/reviews.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from agent.ledger import Event, Json, canonical_json
from selfnas.architecture import TaskShape
from selfnas.history import Trial
from selfnas.space import parse_architecture

__all__ = ["Finalist", "LifeState", "Motif", "RunState", "TaskState"]

Payload = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motif:
    """An admitted architecture, as remembered.

    Attributes:
        architecture: one-line form.
        digest: of the architecture.
        task: name of the task it won on.
        task_digest: of that task's content.
        description: of that task, JSON text.
        shape: of that task.
        validation: accuracy on that task after full training, in [0, 1].
        test: accuracy on its test split; for people, never used by the agent.
        params: trainable numbers on that task.
        run: the run it was admitted in.
        seq: number of the event that admitted it.
        certificate: JSON text.
        weights_sha256: of its weights file.
        review: `approved` or `overruled` (let in by a person against the audits); empty while no person has looked.
    """

    architecture: str
    digest: str
    task: str
    task_digest: str
    description: str
    shape: TaskShape
    validation: float
    test: float
    params: int
    run: int
    seq: int
    certificate: str
    weights_sha256: str
    review: str = ""

    @property
    def where(self) -> tuple[int, str, str]:
        """Run, task and digest: names the finalist that it was."""
        return self.run, self.task, self.digest


@dataclass(slots=True, kw_only=True)
class Finalist:
    """One fully trained candidate."""

    digest: str
    architecture: str
    trained: Payload
    audited: Payload | None = None
    outcome: str = ""  # `admitted` or `refused`, by constraint gate and audits
    reviews: list[Event] = field(default_factory=list)  # what people decided, oldest first

    @property
    def standing(self) -> str:
        """`admitted` or `refused`, after what people decided."""
        return str(self.reviews[-1].payload["standing"]) if self.reviews else self.outcome


@dataclass(slots=True, kw_only=True)
class TaskState:
    """Where one task of a run stands."""

    index: int
    name: str
    started: Payload
    supernet: Payload | None = None
    trials: list[Trial] = field(default_factory=list)
    evaluations: list[Payload] = field(default_factory=list)
    certificates: dict[str, str] = field(default_factory=dict)  # by spelled architecture
    rejected: list[Payload] = field(default_factory=list)
    filtered: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    exhausted: bool = False
    finalists: list[Finalist] = field(default_factory=list)
    tabulated: list[Payload] = field(default_factory=list)
    compared: Payload | None = None
    finished: Payload | None = None

    def finalist(self, digest: str) -> Finalist:
        """The finalist of that digest."""
        return next(finalist for finalist in self.finalists if finalist.digest == digest)

    def admitted(self) -> list[Finalist]:
        """Finalists that the gate let in and no person has revoked, best validation accuracy first."""
        inside = [finalist for finalist in self.finalists if finalist.outcome == finalist.standing == "admitted"]
        return sorted(inside, key=lambda finalist: -number(finalist.trained["validation"]))


@dataclass(slots=True, kw_only=True)
class RunState:
    """One pass over a stream."""

    number: int
    started: Payload
    tasks: list[TaskState] = field(default_factory=list)
    tuned: int = 0  # tasks after which it was decided about the policy
    finished: bool = False


@dataclass(slots=True)
class LifeState:
    """Everything that the events say; `apply` is the only way it changes."""

    runs: list[RunState] = field(default_factory=list)
    library: list[Motif] = field(default_factory=list)
    quarantined: dict[int, tuple[Motif, Payload]] = field(default_factory=dict)  # by the number of the admitting event

    mined: dict[tuple[str, bool], Payload] = field(default_factory=dict)  # by space and whether of tables
    revoked: dict[str, Payload] = field(default_factory=dict)  # sub-cells, by digest

    policy_changes: list[Payload] = field(default_factory=list)  # what was adopted or rolled back, in order
    policy_trial: Payload | None = None  # the policy that is on trial, as it was proposed
    policy_trials: int = 0  # how many there have been, this one included

    @property
    def open_run(self) -> RunState | None:
        """The run that was begun and not finished."""
        return self.runs[-1] if self.runs and not self.runs[-1].finished else None

    def apply(self, event: Event) -> None:
        """Fold one event in."""
        payload = event.payload
        if event.kind == "run.started":
            self.runs.append(RunState(number=len(self.runs) + 1, started=payload))
            return
        run = self.runs[-1]
        if event.kind == "reviewed":
            self._review(event)
            return
        if event.kind == "subcells.mined":
            self.mined[str(payload["space"]), bool(payload["tabular"])] = payload
            return
        if event.kind == "subcell.revoked":
            self.revoked[str(payload["digest"])] = payload
            return
        if event.kind.startswith("policy."):
            run.tuned = int(number(payload["after_task"]))
            if event.kind in ("policy.adopted", "policy.rolled_back"):
                self.policy_changes.append(payload)
            if event.kind == "policy.proposed":
                self.policy_trial, self.policy_trials = payload, self.policy_trials + 1
            elif event.kind not in ("policy.tried", "policy.refused"):
                self.policy_trial = None
            return
        if event.kind == "run.finished":
            run.finished = True
            return
        if event.kind == "task.started":
            index = len(run.tasks)
            run.tasks.append(TaskState(index=index, name=str(payload["task"]), started=payload))
            return
        if event.kind in ("motif.quarantined", "motif.restored"):
            self._change_standing(event)
            return
        self._apply_to_task(run, run.tasks[-1], event)

    def _change_standing(self, event: Event) -> None:
        seq = int(number(event.payload["admitted_seq"]))
        if event.kind == "motif.restored":
            self.library.append(self.quarantined.pop(seq)[0])
            self.library.sort(key=lambda motif: motif.seq)
            return
        gone = next(motif for motif in self.library if motif.seq == seq)
        self.library.remove(gone)
        self.quarantined[seq] = (gone, event.payload)

    def _review(self, event: Event) -> None:
        payload = event.payload
        run = self.runs[int(number(payload["run"])) - 1]
        task = next(task for task in run.tasks if task.name == payload["task"])
        finalist = task.finalist(str(payload["digest"]))
        finalist.reviews.append(event)
        where = (run.number, task.name, finalist.digest)
        if payload["standing"] == "refused":
            self.library = [motif for motif in self.library if motif.where != where]
            self.quarantined = {seq: kept for seq, kept in self.quarantined.items() if kept[0].where != where}
        elif payload["decision"] == "approve":
            self.library = [
                replace(motif, review=motif.review or "approved") if motif.where == where else motif
                for motif in self.library
            ]
        else:
            trained = finalist.trained
            facts = {
                **trained,
                "test": number(trained["test_correct"]) / max(number(trained["test_count"]), 1.0),
                "certificate": task.certificates[finalist.architecture],
            }
            review = "approved" if finalist.outcome == "admitted" else "overruled"
            self.library.append(replace(_motif(facts, task, run, event.seq), review=review))

    def _apply_to_task(self, run: RunState, task: TaskState, event: Event) -> None:
        payload = event.payload
        if event.kind == "certified":
            task.certificates[str(payload["architecture"])] = str(payload["certificate"])
        elif event.kind in ("rejected", "quarantined"):
            task.rejected.append(payload)
        elif event.kind == "supernet.trained":
            task.supernet = payload
        elif event.kind == "filtered":
            task.rounds += 1
            task.exhausted = bool(payload["exhausted"])
            task.filtered.update({rule: int(number(count)) for rule, count in mapping(payload["rules"]).items()})
        elif event.kind == "evaluated":
            score = payload.get("value", payload["score"])  # what the objective makes of it, where there is one
            task.evaluations.append(payload)
            task.trials.append(
                Trial(
                    architecture=parse_architecture(str(payload["architecture"])),
                    score=None if score is None else number(score),
                    fidelity=str(payload["fidelity"]),
                    objectives=tuple(map(number, items(payload.get("objectives", [])))),
                )
            )
        elif event.kind == "trained":
            task.finalists.append(
                Finalist(digest=str(payload["digest"]), architecture=str(payload["architecture"]), trained=payload)
            )
        elif event.kind == "audited":
            task.finalist(str(payload["digest"])).audited = payload
        elif event.kind in ("admitted", "refused"):
            task.finalist(str(payload["digest"])).outcome = event.kind
            if event.kind == "admitted":
                self.library.append(_motif(payload, task, run, event.seq))
        elif event.kind == "tabulated":
            task.tabulated.append(payload)
        elif event.kind == "compared":
            task.compared = payload
        elif event.kind == "task.finished":
            task.finished = payload


def number(value: Json) -> float:
    """A payload's number."""
    return float(cast(float, value))


def recorded_costs(evaluated: Payload) -> dict[str, float]:
    """The costs that an `evaluated` event records; none where its stream has no objective."""
    return {name: number(value) for name, value in mapping(evaluated.get("costs", {})).items()}


def mapping(value: Json) -> dict[str, Json]:
    """A payload's object."""
    return cast(dict[str, Json], value)


def items(value: Json) -> list[Json]:
    """A payload's list."""
    return cast(list[Json], value)


def task_shape(started: Payload) -> TaskShape:
    """The shape that a `task.started` event records."""
    recorded = mapping(started["shape"])
    return TaskShape(
        channels=int(number(recorded["channels"])),
        size=tuple(int(number(side)) for side in items(recorded["size"])),
        classes=int(number(recorded["classes"])),
    )


def _motif(payload: Payload, task: TaskState, run: RunState, seq: int) -> Motif:
    return Motif(
        architecture=str(payload["architecture"]),
        digest=str(payload["digest"]),
        task=task.name,
        task_digest=str(task.started["task_digest"]),
        description=canonical_json(task.started["description"]),
        shape=task_shape(task.started),
        validation=number(payload["validation"]),
        test=number(payload["test"]),
        params=int(number(payload["params"])),
        run=run.number,
        seq=seq,
        certificate=str(payload["certificate"]),
        weights_sha256=str(payload["weights_sha256"]),
    )
