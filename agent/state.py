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
- `watch.…` — a past task followed on new data, and searches for a successor (`agent/watch_state.py`).
- `subcells.mined` — right after a task finished: what its winners and earlier ones share (`agent/mined.py`), where that
  is not what was known; `subcell.revoked` — a person took one out of use.
- `reviewed` — a person approved a finalist, or reversed what stood (`agent/reviews.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.archive import Archive, Tasks
from agent.ledger import Event, Ledger, LedgerError
from agent.library import Library, Motif
from agent.task_state import Finalist, Payload, TaskState, items, mapping, number, recorded_costs, task_shape

__all__ = [
    "Finalist",
    "LifeState",
    "Motif",
    "Payload",
    "RunState",
    "TaskState",
    "items",
    "mapping",
    "number",
    "recollect",
    "recorded_costs",
    "replay",
    "task_shape",
]


@dataclass(slots=True, kw_only=True)
class RunState:
    """One pass over a stream."""

    number: int
    started: Payload
    tasks: Tasks = field(default_factory=Tasks)
    tuned: int = 0  # tasks after which it was decided about the policy
    finished: bool = False


@dataclass(slots=True)
class LifeState:
    """Everything that the events say; `apply` and `skim` are the only ways it changes.

    Attributes:
        archive: where finished tasks are read from when asked for; None keeps all of them here.
        restored: numbers of the admitting events whose motifs came back from quarantine.
    """

    archive: Archive | None = None
    runs: list[RunState] = field(default_factory=list)
    library: Library = field(default_factory=Library)
    quarantined: dict[int, tuple[Motif, Payload]] = field(default_factory=dict)  # by the number of the admitting event
    watched: list[Event] = field(default_factory=list)  # `agent/watch_state.py` says what they mean
    mined: dict[tuple[str, bool], Payload] = field(default_factory=dict)  # by space and whether of tables
    revoked: dict[str, Payload] = field(default_factory=dict)  # sub-cells, by digest
    restored: set[int] = field(default_factory=set)
    policy_changes: list[Payload] = field(default_factory=list)  # what was adopted or rolled back, in order
    policy_decisions: list[Event] = field(default_factory=list)  # all that was decided about the policy, in order
    policy_trial: Payload | None = None  # the policy that is on trial, as it was proposed
    policy_trials: int = 0  # how many there have been, this one included

    @property
    def open_run(self) -> RunState | None:
        """The run that was begun and not finished."""
        return self.runs[-1] if self.runs and not self.runs[-1].finished else None

    def reviews(self) -> Iterator[int]:
        """Numbers of the events by which people decided about finalists."""
        for run in self.runs:
            for task in run.tasks.reviewed():
                yield from (review.seq for finalist in task.finalists for review in finalist.reviews)

    def apply(self, event: Event) -> None:
        """Fold one event in."""
        self._fold(event, whole=True)

    def skim(self, event: Event) -> None:
        """Fold in a landmark of a task that is finished: what else the task holds is read when asked for."""
        self._fold(event, whole=False)

    def _fold(self, event: Event, *, whole: bool) -> None:
        payload = event.payload
        if event.kind == "run.started":
            self.runs.append(RunState(number=len(self.runs) + 1, started=payload, tasks=Tasks(self.archive)))
            return
        run = self.runs[-1]
        if event.kind == "reviewed":
            self._review(event)
        elif event.kind.startswith("watch."):
            self.watched.append(event)
        elif event.kind == "subcells.mined":
            self.mined[str(payload["space"]), bool(payload["tabular"])] = payload
        elif event.kind == "subcell.revoked":
            self.revoked[str(payload["digest"])] = payload
        elif event.kind.startswith("policy."):
            run.tuned = int(number(payload["after_task"]))
            self.policy_decisions.append(event)
            if event.kind in ("policy.adopted", "policy.rolled_back"):
                self.policy_changes.append(payload)
            if event.kind == "policy.proposed":
                self.policy_trial, self.policy_trials = payload, self.policy_trials + 1
            elif event.kind not in ("policy.tried", "policy.refused"):
                self.policy_trial = None
        elif event.kind == "run.finished":
            run.finished = True
        elif event.kind == "task.started":
            run.tasks.begin(event)
        elif event.kind in ("motif.quarantined", "motif.restored"):
            self._change_standing(event)
        else:
            task = run.tasks.open
            if whole:
                task.apply(event)
            if event.kind == "admitted":
                self.library.add(_motif(payload, task, run, event.seq))
            elif event.kind == "task.finished":
                run.tasks.close(event.seq, whole=whole)

    def _change_standing(self, event: Event) -> None:
        seq = int(number(event.payload["admitted_seq"]))
        if event.kind == "motif.restored":
            self.library.add(self.quarantined.pop(seq)[0])
            self.restored.add(seq)
            return
        self.quarantined[seq] = (self.library.remove(seq), event.payload)

    def _review(self, event: Event) -> None:
        payload = event.payload
        run, name, digest = self.runs[int(number(payload["run"])) - 1], str(payload["task"]), str(payload["digest"])
        run.tasks.review(event)
        where = (run.number, name, digest)
        seq = self.library.seq_at(where)
        if payload["standing"] == "refused":
            if seq is not None:
                self.library.remove(seq)
            self.quarantined = {seq: kept for seq, kept in self.quarantined.items() if kept[0].where != where}
        elif payload["decision"] == "approve":
            if seq is not None:
                self.library.review(seq, self.library.by_seq(seq).review or "approved")
        else:
            task = run.tasks.named(name)
            finalist = task.finalist(digest)
            trained = finalist.trained
            facts = {**trained, "test": number(trained["test_correct"]) / max(number(trained["test_count"]), 1.0)}
            review = "approved" if finalist.outcome == "admitted" else "overruled"
            self.library.add(_motif(facts, task, run, event.seq, review=review))


def replay(ledger: Ledger) -> LifeState:
    """The state that a ledger's events give, every task of it at hand."""
    state = LifeState()
    for event in ledger.events():
        state.apply(event)
    return state


def recollect(ledger: Ledger) -> LifeState:
    """The same state, while the ledger stays open: finished tasks are read from it when asked for.

    Takes time for each task and motif, and for the events of an unfinished task, not for all events. What is read must
    have the content that its hash was made of.

    Raises:
        LedgerError: an event that does not, or events missing between tasks.
    """
    state = LifeState(Archive(ledger))
    inside: list[Event] = []  # landmarks of a task whose end was not seen yet
    expected = 0
    for event in ledger.landmarks():
        if not inside and event.seq != expected:
            raise LedgerError(f"event {expected} is missing or out of place: `selfnas verify` says what is damaged")
        expected = event.seq + 1
        if not inside and event.kind != "task.started":
            state.apply(event)
            continue
        inside.append(event)
        if event.kind == "task.finished":
            decided = any(landmark.kind == "reviewed" for landmark in inside)
            for own in ledger.events(since=inside[0].seq, until=event.seq, checked=True) if decided else inside:
                (state.apply if decided else state.skim)(own)
            inside = []
    for event in ledger.events(since=inside[0].seq if inside else expected, checked=True):
        state.apply(event)
    return state


def _motif(payload: Payload, task: TaskState, run: RunState, seq: int, *, review: str = "") -> Motif:
    return Motif(
        architecture=str(payload["architecture"]),
        digest=str(payload["digest"]),
        task=task.name,
        task_digest=str(task.started["task_digest"]),
        description=task.description,
        shape=task_shape(task.started),
        validation=number(payload["validation"]),
        test=number(payload["test"]),
        params=int(number(payload["params"])),
        run=run.number,
        seq=seq,
        weights_sha256=str(payload["weights_sha256"]),
        review=review,
    )
