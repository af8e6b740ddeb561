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
  decided about the search policy after a task; `policy.tried`: its trial goes on (`agent/tuning/decision.py`).
- `watch.…` — a past task followed on new data, and searches for a successor (`agent/state/drift.py`).
- `subcells.mined` — right after a task finished: what its winners and earlier ones share (`agent/memory/subcells.py`),
  where that is not what was known; `subcell.revoked` — a person took one out of use.
- `operator.admitted`, `operator.refused`, `operator.undecided` — right after that: the gate's decision on an operator
  composed of a sub-cell (`agent/memory/operators.py`); `operator.revoked` — a person took one out of use.
- `reviewed` — a person approved a finalist, or reversed what stood (`agent/gate/review.py`).
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from agent.ledger.events import misplaced, told
from agent.ledger.store import Event, Ledger, LedgerError
from agent.state.archive import Archive, Tasks
from agent.state.library import Library, Motif
from agent.state.task import Finalist, Payload, TaskState, items, mapping, number, recorded_costs, task_shape
from selfnas.errors import SelfnasError

__all__ = [
    "UNTRUE",
    "Finalist",
    "LifeState",
    "Motif",
    "Payload",
    "RunState",
    "TaskState",
    "items",
    "mapping",
    "number",
    "recorded_costs",
    "replay",
    "task_shape",
]

UNTRUE = (LedgerError, LookupError, ValueError)  # what comes of a snapshot that does not fit its ledger
# What comes of an event that does not fit those before it.
_IMPOSSIBLE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, SelfnasError)


@dataclass(slots=True, kw_only=True)
class RunState:
    """One pass over a stream.

    Attributes:
        number: 1 for the first.
        started: what its first event says.
        tasks: in order.
        tuned: tasks after which it was decided about the policy.
        finished: whether it ended.
        first: number of the event that started it.
    """

    number: int
    started: Payload
    tasks: Tasks = field(default_factory=Tasks)
    tuned: int = 0
    finished: bool = False
    first: int = 0


@dataclass(slots=True)
class LifeState:
    """Everything that the events say; `apply` and `skim` are the only ways it changes.

    Attributes:
        archive: where finished tasks are read from when asked for; None keeps all of them here.
        settles: whether the snapshot is to be kept at the end of every task.
        restored: numbers of the admitting events whose motifs came back from quarantine.
    """

    archive: Archive | None = None
    settles: bool = False
    runs: list[RunState] = field(default_factory=list)
    library: Library = field(default_factory=Library)
    quarantined: dict[int, tuple[Motif, Payload]] = field(default_factory=dict)  # by the number of the admitting event
    watched: list[Event] = field(default_factory=list)  # `agent/state/drift.py` says what they mean
    mined: dict[tuple[str, bool], Payload] = field(default_factory=dict)  # by space and whether of tables
    revoked: dict[str, Payload] = field(default_factory=dict)  # sub-cells and operators, by digest
    operators: list[tuple[str, Payload]] = field(default_factory=list)  # kind and content of what was decided of them
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

    def latest(self, *, tabular: bool) -> Iterator[tuple[RunState, TaskState]]:
        """Every task that is, or is not, looked up in a table, with its run, the latest first; each is read in turn."""
        for run in reversed(self.runs):
            yield from ((run, task) for task in reversed(run.tasks.here) if task.tabular == tabular)
        if self.archive is not None:
            for at, place in self.archive.latest(tabular=tabular):
                yield self.runs[at - 1], self.archive.task(at, place)

    def motif_at(self, seq: int) -> Motif:
        """What the ledger says of the motif that event number `seq` let in.

        Raises:
            LedgerError: that event let nothing in, or is not what its hash was made of.
        """
        assert self.archive is not None  # noqa: S101 - without one nothing else than the events was asked
        event = self.archive.ledger.event(seq)
        if event.kind == "reviewed" and event.payload["standing"] == "admitted":
            found = self._let_in(event)
        else:
            started = self.archive.ledger.latest_before(seq, "task.started")
            if event.kind != "admitted" or started is None:
                raise LedgerError(f"event {seq} ({event.kind}) let no motif in")
            run = self.runs[bisect(self.runs, seq, key=lambda run: run.first) - 1]
            name = str(started.payload["task"])
            task = TaskState(index=0, name=name, first=started.seq, started=started.payload)
            found = _motif(event.payload, task, run, seq)
        later = (review for review in self._reviews_of(found) if review.seq > seq)
        approved = any(review.payload["decision"] == "approve" for review in later)
        return replace(found, review=found.review or ("approved" if approved else ""))

    def confirm(self, motif: Motif) -> None:
        """Compare a motif that a snapshot gave with the events.

        Raises:
            LedgerError: they do not say that, or say that it does not stand.
        """
        assert self.archive is not None  # noqa: S101 - it holds the snapshot
        reviews = self._reviews_of(motif)
        stands = not reviews or reviews[-1].payload["standing"] == "admitted"
        cause: Exception | None = None
        try:
            if motif.seq not in self.quarantined and stands and self.motif_at(motif.seq) == motif:
                return
        except UNTRUE as error:
            cause = error
        raise LedgerError(
            f"{self.archive.snapshot.path}: what it says of motif {motif.digest[:12]} (event {motif.seq}) is not what "
            "the ledger says: remove this file, it is made again from the ledger"
        ) from cause

    def close(self) -> None:
        """Let go of the snapshot: nothing can be folded in or looked up any more."""
        if self.archive is not None:
            self.archive.snapshot.close()

    def apply(self, event: Event) -> None:
        """Fold one event in."""
        self._fold(event, whole=True)

    def skim(self, event: Event) -> None:
        """Fold in a landmark of a task that is finished: what else the task holds is read when asked for."""
        self._fold(event, whole=False)

    def remember(self, event: Event) -> None:
        """Fold in a decision whose effect on tasks and library the snapshot has."""
        if event.kind == "reviewed":
            self._run_of(event.payload).tasks.review(event)
            self._forget_quarantined(event.payload)
        elif event.kind == "motif.quarantined":
            seq = int(number(event.payload["admitted_seq"]))
            self.quarantined[seq] = (self.motif_at(seq), event.payload)
        elif event.kind == "motif.restored":
            seq = int(number(event.payload["admitted_seq"]))
            del self.quarantined[seq]
            self.restored.add(seq)
        else:
            self._fold(event, whole=False)

    def _fold(self, event: Event, *, whole: bool) -> None:
        try:
            self._follow(event, whole=whole)
        except LedgerError:
            raise
        except _IMPOSSIBLE as error:
            raise misplaced(event, error) from error

    def _follow(self, event: Event, *, whole: bool) -> None:
        payload = event.payload
        if event.kind == "run.started":
            self._begin_run(event)
            return
        if not self.runs:
            raise LookupError("no run has begun")
        run = self.runs[-1]
        if event.kind == "reviewed":
            self._review(event)
        elif event.kind.startswith("watch."):
            self.watched.append(event)
        elif event.kind == "subcells.mined":
            self.mined[str(payload["space"]), bool(payload["tabular"])] = payload
        elif event.kind in ("operator.admitted", "operator.refused", "operator.undecided"):
            self.operators.append((event.kind, payload))
        elif event.kind in ("subcell.revoked", "operator.revoked"):
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
                if self.archive is not None and self.settles:
                    self.archive.snapshot.settle(event.seq + 1, event.hash)

    def _begin_run(self, event: Event) -> None:
        """A run; what it records in the words of the run before, such as the rules, is held in memory once."""
        before = self.runs[-1].started if self.runs else {}
        started = {key: before[key] if before.get(key) == value else value for key, value in event.payload.items()}
        place = len(self.runs) + 1
        self.runs.append(RunState(number=place, started=started, tasks=Tasks(self.archive, place), first=event.seq))

    def _change_standing(self, event: Event) -> None:
        seq = int(number(event.payload["admitted_seq"]))
        if event.kind == "motif.restored":
            self.library.add(self.quarantined.pop(seq)[0])
            self.restored.add(seq)
            return
        self.quarantined[seq] = (self.library.remove(seq), event.payload)

    def _review(self, event: Event) -> None:
        payload = event.payload
        run, seq = self._run_of(payload), self.library.seq_at(_where(payload))
        if payload["standing"] == "refused":
            if seq is not None:
                self.library.remove(seq)
            self._forget_quarantined(payload)
        elif payload["decision"] == "approve":
            if seq is not None:
                self.library.review(seq, self.library.by_seq(seq).review or "approved")
        else:
            self.library.add(self._let_in(event))
        run.tasks.review(event)

    def _let_in(self, event: Event) -> Motif:
        """The motif that a person let in against the audits, or again."""
        run = self._run_of(event.payload)
        task = run.tasks.named(str(event.payload["task"]))
        finalist = task.finalist(str(event.payload["digest"]))
        trained = finalist.trained
        facts = {**trained, "test": number(trained["test_correct"]) / max(number(trained["test_count"]), 1.0)}
        review = "approved" if finalist.outcome == "admitted" else "overruled"
        return _motif(facts, task, run, event.seq, review=review)

    def _run_of(self, review: Payload) -> RunState:
        number_ = int(number(review["run"]))
        if not 1 <= number_ <= len(self.runs):
            raise LookupError(f"there is no run {number_}")
        return self.runs[number_ - 1]

    def _forget_quarantined(self, review: Payload) -> None:
        """What a person revoked will not be restored."""
        if review["standing"] == "refused":
            where = _where(review)
            self.quarantined = {seq: kept for seq, kept in self.quarantined.items() if kept[0].where != where}

    def _reviews_of(self, motif: Motif) -> list[Event]:
        """What people decided about the finalist that a motif was."""
        assert self.archive is not None  # noqa: S101 - the callers have one
        reviews = self.archive.reviews(motif.run, motif.task)
        return [review for review in reviews if review.payload["digest"] == motif.digest]


def replay(ledger: Ledger) -> LifeState:
    """The state that a ledger's events give, every task of it at hand.

    Raises:
        LedgerError: an event lacks a fact of its kind, or cannot follow those before it.
    """
    state = LifeState()
    for event in told(ledger.events()):
        state.apply(event)
    return state


def _where(review: Payload) -> tuple[int, str, str]:
    """Run, task and digest of the finalist that a person decided about."""
    return int(number(review["run"])), str(review["task"]), str(review["digest"])


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
