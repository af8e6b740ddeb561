"""The state of a life, folded from its events; `agent/ledger/events.py` says what each kind of them holds."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from agent.ledger import events
from agent.ledger.store import Ledger
from agent.state.archive import Archive, Split, Tasks, split_of
from agent.state.library import Library, Motif
from agent.state.task import Finalist, TaskState
from selfnas.errors import SelfnasError

__all__ = ["UNTRUE", "Finalist", "LifeState", "Motif", "RunState", "TaskState", "replay"]

UNTRUE = (events.LedgerError, LookupError, ValueError)  # what comes of a snapshot that does not fit its ledger
# What comes of an event that does not fit those before it.
_WHOLE = ("stream", "constraint_set", "audit_suite", "policy_set", "device")  # whole files that a run records
_IMPOSSIBLE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, SelfnasError)


@dataclass(slots=True, kw_only=True)
class RunState:
    """One pass over a stream.

    Attributes:
        number: 1 for the first.
        started: what its first event says.
        tuned: tasks after which it was decided about the policy.
        first: number of the event that started it.
    """

    number: int
    started: events.RunStarted
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
        continued: run and name of tasks that a later run goes on with: what they evaluated counts there.
        restored: numbers of the admitting events whose motifs came back from quarantine.
    """

    archive: Archive | None = None
    settles: bool = False
    runs: list[RunState] = field(default_factory=list)
    library: Library = field(default_factory=Library)
    quarantined: dict[int, tuple[Motif, events.MotifQuarantined]] = field(
        default_factory=dict
    )  # by number of the admission
    watched: list[events.Event[events.WatchEvent]] = field(
        default_factory=list
    )  # `agent/state/drift.py` says what they mean
    deployed: list[events.Event[events.Deployed]] = field(default_factory=list)  # files that were written, in order
    designed: list[events.Event[events.Designed]] = field(default_factory=list)  # specifications answered, in order
    mined: dict[tuple[str, bool], events.SubcellsMined] = field(default_factory=dict)  # by space and whether of tables
    revoked: dict[str, events.SubcellRevoked | events.OperatorRevoked] = field(default_factory=dict)  # by digest
    operators: list[events.OperatorDecided] = field(default_factory=list)  # what was decided of them
    restored: set[int] = field(default_factory=set)
    continued: set[tuple[int, str]] = field(default_factory=set)
    policy_changes: list[events.PolicyAdopted | events.PolicyRolledBack] = field(default_factory=list)  # in order
    policy_decisions: list[events.Event[events.PolicyDecided]] = field(default_factory=list)  # in order
    policy_trial: events.PolicyProposed | None = None  # the policy that is on trial, as it was proposed
    policy_trials: int = 0  # how many there have been, this one included

    @property
    def open_run(self) -> RunState | None:
        """The run that was begun and not finished."""
        return self.runs[-1] if self.runs and not self.runs[-1].finished else None

    def tasks(self) -> Iterator[tuple[RunState, TaskState]]:
        """Every task with its run, the first first; each is read in turn."""
        return ((run, task) for run in self.runs for task in run.tasks)

    def readable_tasks(self) -> Iterator[tuple[RunState, TaskState]]:
        """The same without those in a space of a plug-in that is not here."""
        return ((run, task) for run, task in self.tasks() if task.is_readable)

    def before(self, started: events.TaskStarted) -> TaskState | None:
        """The finished task that one which starts goes on with; None where it starts afresh.

        Raises:
            LookupError: there is no such task.
        """
        if started.continues is events.UNSET:
            return None
        if not 1 <= started.continues < len(self.runs):
            raise LookupError(f"there is no earlier run {started.continues} to go on with")
        tasks = self.runs[started.continues - 1].tasks
        if started.task not in tasks.names or (task := tasks.named(started.task)).finished is None:
            raise LookupError(f"run {started.continues} did not finish a task {started.task}")
        return task

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

    def splits(self) -> Iterator[Split]:
        """What every task with examples made of its audit split so far, oldest first; no task is read."""
        if self.archive is not None:
            yield from self.archive.splits()
        for run in self.runs:
            for task in run.tasks.here:
                if not task.tabular:
                    yield split_of(task, run=run.number, audited=task.audited)

    def motif_at(self, seq: int) -> Motif:
        """What the ledger says of the motif that event number `seq` let in.

        Raises:
            LedgerError: that event let nothing in, or is not what its hash was made of.
        """
        assert self.archive is not None  # noqa: S101 - without one nothing else than the events was asked
        event = self.archive.ledger.event(seq)
        if isinstance(event.facts, events.Reviewed) and event.facts.standing == events.Standing.ADMITTED:
            found = self._let_in(event.facts, seq)
        else:
            started = self.archive.ledger.latest_before(seq, events.TaskStarted)
            if not isinstance(event.facts, events.Admitted) or started is None:
                raise events.LedgerError(f"event {seq} ({event.kind}) let no motif in")
            run = self.runs[bisect(self.runs, seq, key=lambda run: run.first) - 1]
            assert isinstance(started.facts, events.TaskStarted)  # noqa: S101 - it was asked for
            task = TaskState(index=0, name=started.facts.task, first=started.seq, started=started.facts)
            found = _motif(event.facts, task, run, seq)
        later = (review for review in self._reviews_of(found) if review.seq > seq)
        approved = any(review.facts.decision == "approve" for review in later)
        return replace(found, review=found.review or ("approved" if approved else ""))

    def confirm(self, motif: Motif) -> None:
        """Compare a motif that a snapshot gave with the events.

        Raises:
            LedgerError: they do not say that, or say that it does not stand.
        """
        assert self.archive is not None  # noqa: S101 - it holds the snapshot
        reviews = self._reviews_of(motif)
        stands = not reviews or reviews[-1].facts.standing == events.Standing.ADMITTED
        cause: Exception | None = None
        try:
            if motif.seq not in self.quarantined and stands and self.motif_at(motif.seq) == motif:
                return
        except UNTRUE as error:
            cause = error
        raise events.LedgerError(
            f"{self.archive.snapshot.path}: what it says of motif {motif.digest[:12]} (event {motif.seq}) is not what "
            "the ledger says: remove this file, it is rebuilt from the ledger"
        ) from cause

    def close(self) -> None:
        """Let go of the snapshot: nothing can be folded in or looked up any more."""
        if self.archive is not None:
            self.archive.snapshot.close()

    def apply(self, event: events.Event[events.Facts]) -> None:
        """Fold one event in."""
        self._fold(event, whole=True)

    def skim(self, event: events.Event[events.Facts]) -> None:
        """Fold in a landmark of a task that is finished: what else the task holds is read when asked for."""
        self._fold(event, whole=False)

    def remember(self, event: events.Event[events.Facts]) -> None:
        """Fold in a decision whose effect on tasks and library the snapshot has."""
        match event.facts:
            case events.Reviewed() as review:
                self._run_of(review).tasks.review(_reviewed(event))
                self._forget_quarantined(review)
            case events.MotifQuarantined() as revised:
                self.quarantined[revised.admitted_seq] = (self.motif_at(revised.admitted_seq), revised)
            case events.MotifRestored() as revised:
                del self.quarantined[revised.admitted_seq]
                self.restored.add(revised.admitted_seq)
            case _:
                self._fold(event, whole=False)

    def _fold(self, event: events.Event[events.Facts], *, whole: bool) -> None:
        try:
            self._follow(event, whole=whole)
        except events.LedgerError:
            raise
        except _IMPOSSIBLE as error:
            raise events.misplaced(event, error) from error

    def _follow(self, event: events.Event[events.Facts], *, whole: bool) -> None:
        if isinstance(event.facts, events.RunStarted):
            self._begin_run(event.facts, event.seq)
            return
        if not self.runs:
            raise LookupError("no run has begun")
        run = self.runs[-1]
        match event.facts:
            case events.Reviewed() as review:
                self._review(_reviewed(event), review)
            case events.WatchEvent() as watched:
                self.watched.append(events.Event(event.seq, event.kind, watched, event.previous, event.hash))
            case events.Deployed() as made:
                self.deployed.append(events.Event(event.seq, event.kind, made, event.previous, event.hash))
            case events.Designed() as answer:
                self.designed.append(events.Event(event.seq, event.kind, answer, event.previous, event.hash))
            case events.SubcellsMined() as mined:
                self.mined[mined.space, mined.tabular] = mined
            case events.OperatorDecided() as decided:
                self.operators.append(decided)
            case events.SubcellRevoked() | events.OperatorRevoked() as revoked:
                self.revoked[revoked.digest] = revoked
            case events.PolicyDecided() as decided:
                run.tuned = decided.after_task
                self._decide_policy(events.Event(event.seq, event.kind, decided, event.previous, event.hash))
            case events.RunFinished():
                run.finished = True
            case events.TaskStarted() as started:
                run.tasks.begin(started, event.seq, before=self.before(started))
            case events.MotifRevised() as revised:
                self._change_standing(revised)
            case _:
                self._follow_task(event, run, whole=whole)

    def _follow_task(self, event: events.Event[events.Facts], run: RunState, *, whole: bool) -> None:
        task = run.tasks.open
        if whole:
            task.apply(event.facts, seq=event.seq)
        if isinstance(event.facts, events.Admitted):
            self.library.add(_motif(event.facts, task, run, event.seq))
        elif isinstance(event.facts, events.TaskFinished):
            told = event.facts.audited
            run.tasks.close(event.seq, whole=whole, audited=task.audited if told is events.UNSET else told)
            if self.archive is not None and self.settles:
                self.archive.snapshot.settle(event.seq + 1, event.hash)

    def _decide_policy(self, event: events.Event[events.PolicyDecided]) -> None:
        self.policy_decisions.append(event)
        match event.facts:
            case events.PolicyAdopted() | events.PolicyRolledBack() as change:
                self.policy_changes.append(change)
                self.policy_trial = None
            case events.PolicyProposed() as proposal:
                self.policy_trial, self.policy_trials = proposal, self.policy_trials + 1
            case events.PolicyTried() | events.PolicyRefused():
                pass
            case _:
                self.policy_trial = None

    def _begin_run(self, facts: events.RunStarted, first: int) -> None:
        """A run; what it records in the words of the run before, such as the rules, is held in memory once."""
        if self.runs:
            before = self.runs[-1].started
            same = {name: getattr(before, name) for name in _WHOLE if getattr(before, name) == getattr(facts, name)}
            facts = msgspec.structs.replace(facts, **same)
        place = len(self.runs) + 1
        if facts.continues is not events.UNSET:
            self.continued.update((facts.continues, task.name) for task in facts.record.tasks)
        self.runs.append(RunState(number=place, started=facts, tasks=Tasks(self.archive, place), first=first))

    def _change_standing(self, revised: events.MotifRevised) -> None:
        seq = revised.admitted_seq
        if isinstance(revised, events.MotifQuarantined):
            self.quarantined[seq] = (self.library.remove(seq), revised)
            return
        self.library.add(self.quarantined.pop(seq)[0])
        self.restored.add(seq)

    def _review(self, event: events.Event[events.Reviewed], review: events.Reviewed) -> None:
        run, seq = self._run_of(review), self.library.seq_at(review.where)
        if review.decision == events.SEND_BACK:
            pass  # what stands goes on to stand
        elif review.standing == events.Standing.REFUSED:
            if seq is not None:
                self.library.remove(seq)
            self._forget_quarantined(review)
        elif review.decision == "approve":
            if seq is not None:
                self.library.review(seq, self.library.by_seq(seq).review or "approved")
        else:
            self.library.add(self._let_in(review, event.seq))
        run.tasks.review(event)

    def _let_in(self, review: events.Reviewed, seq: int) -> Motif:
        """The motif that a person let in against the audits, or again."""
        run = self._run_of(review)
        task = run.tasks.named(review.task)
        finalist = task.finalist(review.digest)
        made_of = "approved" if finalist.outcome == events.Standing.ADMITTED else "overruled"
        return _motif(finalist.trained, task, run, seq, review=made_of)

    def _run_of(self, review: events.Reviewed) -> RunState:
        if not 1 <= review.run <= len(self.runs):
            raise LookupError(f"there is no run {review.run}")
        return self.runs[review.run - 1]

    def _forget_quarantined(self, review: events.Reviewed) -> None:
        """What a person revoked will not be restored."""
        if review.standing == events.Standing.REFUSED:
            self.quarantined = {seq: kept for seq, kept in self.quarantined.items() if kept[0].where != review.where}

    def _reviews_of(self, motif: Motif) -> list[events.Event[events.Reviewed]]:
        """What people decided about the finalist that a motif was."""
        assert self.archive is not None  # noqa: S101 - the callers have one
        return [one for one in self.archive.reviews(motif.run, motif.task) if one.facts.digest == motif.digest]


def replay(ledger: Ledger) -> LifeState:
    """The state that a ledger's events give, every task of it at hand.

    Raises:
        LedgerError: an event is none of ours, or cannot follow those before it.
    """
    state = LifeState()
    for event in ledger.events():
        state.apply(event)
    return state


def _reviewed(event: events.Event[events.Facts]) -> events.Event[events.Reviewed]:
    assert isinstance(event.facts, events.Reviewed)  # noqa: S101 - the callers looked
    return events.Event(event.seq, event.kind, event.facts, event.previous, event.hash)


def _motif(
    facts: events.Admitted | events.Trained, task: TaskState, run: RunState, seq: int, *, review: str = ""
) -> Motif:
    return Motif(
        architecture=facts.architecture,
        digest=facts.digest,
        task=task.name,
        task_digest=task.started.task_digest,
        description=task.description,
        shape=task.shape,
        validation=facts.validation,
        test=facts.test,
        params=facts.params,
        run=run.number,
        seq=seq,
        weights_sha256=facts.weights_sha256,
        review=review,
        metric="" if facts.metric is events.UNSET else facts.metric.name,
    )
