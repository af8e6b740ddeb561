"""Finished tasks, left in the ledger until asked for: a long life takes no more memory than a short one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from agent.ledger.events import UNSET, Event, LedgerError, Reviewed, TaskFinished, TaskStarted, misplaced
from agent.ledger.snapshot import Snapshot
from agent.ledger.store import Ledger
from agent.state.task import TaskState

__all__ = ["Archive", "Split", "Tasks", "split_of"]

_KEPT = 40  # tasks that were read last; more than memory learns from, so that none is read twice for one task
_AT_ONCE = 32  # places of tasks looked up together


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What a task with examples made of its audit split.

    Attributes:
        run: number of its run.
        task: its name.
        digest: SHA-256 of its data and splits.
        prints: SHA-256 of the file with a number for each example; empty where none was kept.
        audited: networks that it audited.
    """

    run: int
    task: str
    digest: str
    prints: str
    audited: int


def split_of(task: TaskState, *, run: int, audited: int) -> Split:
    """Of a task of that run, in which so many networks were audited."""
    started = task.started
    prints = "" if started.prints is UNSET else started.prints
    return Split(run=run, task=task.name, digest=started.task_digest, prints=prints, audited=audited)


class Archive:
    """Reads finished tasks from an open ledger, and keeps the latest; a snapshot says where they lie.

    Attributes:
        snapshot: numbers of the first and last event of every finished task, and its name.
    """

    def __init__(self, ledger: Ledger, snapshot: Snapshot) -> None:
        self.ledger, self.snapshot = ledger, snapshot
        self._kept: OrderedDict[tuple[int, int], TaskState] = OrderedDict()  # by run and place
        self._reviews: dict[tuple[int, str], list[Event[Reviewed]]] = {}  # by run and task
        self._counts: dict[int, int] = {}  # by run

    def count(self, run: int) -> int:
        """Finished tasks of a run."""
        if run not in self._counts:
            last = self.snapshot.ask("SELECT max(place) FROM tasks WHERE run = ?", run)[0][0]
            self._counts[run] = 0 if last is None else int(last) + 1
        return self._counts[run]

    def names(self, run: int) -> list[str]:
        """Of a run's finished tasks, in order."""
        return [name for (name,) in self.snapshot.ask("SELECT name FROM tasks WHERE run = ? ORDER BY place", run)]

    def place(self, run: int, name: str) -> int | None:
        """Where in its run the finished task of that name stands."""
        found = self.snapshot.ask("SELECT place FROM tasks WHERE run = ? AND name = ?", run, name)
        return int(found[0][0]) if found else None

    def latest(self, *, tabular: bool) -> Iterator[tuple[int, int]]:
        """Run and place of every finished task that is, or is not, looked up in a table, the latest first."""
        query = "SELECT run, place, first FROM tasks WHERE tabular = ? AND first < ? ORDER BY first DESC LIMIT ?"
        before = self.ledger.head()[0]
        while rows := self.snapshot.ask(query, int(tabular), before, _AT_ONCE):
            before = rows[-1][2]
            yield from ((int(run), int(place)) for run, place, _ in rows)

    def splits(self) -> Iterator[Split]:
        """What finished tasks with examples audited, oldest first."""
        query = "SELECT run, name, digest, prints, audited FROM tasks WHERE tabular = 0 ORDER BY first"
        for run, name, digest, prints, audited in self.snapshot.ask(query):
            yield Split(run=run, task=name, digest=digest, prints=prints, audited=audited)

    def put(self, run: int, task: TaskState, *, last: int, whole: bool, audited: int) -> None:
        """Let a task go that ended with event number `last`; it is at hand for a while if it is whole.

        So many networks were `audited` in it.
        """
        place = (run, task.index, task.name, task.first, last, int(task.tabular))
        split = split_of(task, run=run, audited=audited)
        self._counts[run] = self.count(run) + 1
        self.snapshot.tell(
            "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *place, split.digest, split.prints, split.audited
        )
        if whole:
            self._keep(run, task)

    def task(self, run: int, place: int) -> TaskState:
        """A finished task, read from its events.

        Raises:
            LedgerError: they are not those of that task, or one does not have the content that its hash was made of.
        """
        if (run, place) not in self._kept:
            name, first, last = self.snapshot.ask(
                "SELECT name, first, last FROM tasks WHERE run = ? AND place = ?", run, place
            )[0]
            events = list(self.ledger.events(since=first, until=last, checked=True))
            starts = [event.facts for event in events if isinstance(event.facts, TaskStarted)]
            if (
                not events
                or len(events) != last - first + 1
                or starts != [events[0].facts]
                or starts[0].task != name
                or not isinstance(events[-1].facts, TaskFinished)
            ):
                raise LedgerError(
                    f"{self.snapshot.path}: events {first} to {last} are not task {name!r} of run {run}: remove this "
                    "file, it is rebuilt from the ledger"
                )
            task = TaskState.begun(starts[0], index=place, first=first, before=self._before(starts[0]))
            for event in events[1:]:
                try:
                    task.apply(event.facts, seq=event.seq)
                except LookupError as error:
                    raise misplaced(event, error) from error
            for review in self.reviews(run, name):
                task.finalist(review.facts.digest).reviews.append(review)
            self._keep(run, task)
        self._kept.move_to_end((run, place))
        return self._kept[run, place]

    def _before(self, started: TaskStarted) -> TaskState | None:
        """The same task in the run that it goes on with."""
        if started.continues is UNSET:
            return None
        place = self.place(started.continues, started.task)
        if place is None:
            raise LedgerError(f"task {started.task!r} goes on with run {started.continues}, which did not finish it")
        return self.task(started.continues, place)

    def reviews(self, run: int, task: str) -> Sequence[Event[Reviewed]]:
        """What people decided about finalists of a task, whenever that was, oldest first."""
        return self._reviews.get((run, task), ())

    def reviewed(self, run: int) -> list[str]:
        """Names of the run's tasks about whose finalists people decided."""
        return [name for at, name in self._reviews if at == run]

    def review(self, event: Event[Reviewed]) -> None:
        """A person decided about a finalist: a finished task is read again at its next use."""
        run, name = event.facts.run, event.facts.task
        self._reviews.setdefault((run, name), []).append(event)
        place = self.place(run, name)
        if place is not None:
            self._kept.pop((run, place), None)

    def _keep(self, run: int, task: TaskState) -> None:
        self._kept[run, task.index] = task
        self._kept.move_to_end((run, task.index))
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


class Tasks(Sequence[TaskState]):
    """The tasks of one run, in order.

    Args:
        archive: where they are read from once finished; None keeps all of them here.
    """

    def __init__(self, archive: Archive | None = None, run: int = 0) -> None:
        self._archive, self._run = archive, run
        self.here: list[TaskState] = []  # those that were not let go

    def __len__(self) -> int:
        return self._gone() + len(self.here)

    @overload
    def __getitem__(self, index: int) -> TaskState: ...
    @overload
    def __getitem__(self, index: slice) -> list[TaskState]: ...
    def __getitem__(self, index: int | slice) -> TaskState | list[TaskState]:
        gone = self._gone()
        whole = range(gone + len(self.here))
        if isinstance(index, slice):
            return [self._read(place, gone) for place in whole[index]]
        return self._read(whole[index], gone)

    def __iter__(self) -> Iterator[TaskState]:
        return (self[place] for place in range(len(self)))

    @property
    def names(self) -> list[str]:
        """Of the tasks; reads none."""
        gone = self._archive.names(self._run) if self._archive is not None else []
        return [*gone, *(task.name for task in self.here)]

    def named(self, name: str) -> TaskState:
        """The task of that name.

        Raises:
            ValueError: there is none.
        """
        place = self._archive.place(self._run, name) if self._archive is not None else None
        return self[self.names.index(name) if place is None else place]

    def reviewed(self) -> Iterator[TaskState]:
        """Tasks about whose finalists people decided; of finished ones the others are not read."""
        if self._archive is not None:
            for name in self._archive.reviewed(self._run):
                if self._archive.place(self._run, name) is not None:
                    yield self.named(name)
        yield from (task for task in self.here if any(finalist.reviews for finalist in task.finalists))

    @property
    def open(self) -> TaskState:
        """The latest task.

        Raises:
            LookupError: none has begun.
        """
        if not len(self):
            raise LookupError("no task has begun")
        return self[-1]

    def begin(self, started: TaskStarted, first: int, *, before: TaskState | None) -> None:
        """A task starts with event number `first`; `before` is the same task in a run that it goes on with."""
        self.here.append(TaskState.begun(started, index=len(self), first=first, before=before))

    def close(self, last: int, *, whole: bool, audited: int) -> None:
        """The open task ended with that event; with an archive it is let go.

        Args:
            whole: whether all of the task's events were folded in.
            audited: how many networks were audited in it.
        """
        if self._archive is not None and self.here:
            self._archive.put(self._run, self.here.pop(), last=last, whole=whole, audited=audited)

    def review(self, event: Event[Reviewed]) -> None:
        """A person decided about a finalist of one of these tasks."""
        for task in self.here:
            if task.name == event.facts.task:
                task.finalist(event.facts.digest).reviews.append(event)
        if self._archive is not None:
            self._archive.review(event)

    def _gone(self) -> int:
        return self._archive.count(self._run) if self._archive is not None else 0

    def _read(self, place: int, gone: int) -> TaskState:
        if place >= gone:
            return self.here[place - gone]
        assert self._archive is not None  # noqa: S101 - only an archive lets tasks go
        return self._archive.task(self._run, place)
