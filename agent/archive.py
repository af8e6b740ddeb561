"""Finished tasks, left in the ledger until asked for: a long life takes no more memory than a short one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from agent.ledger import Event, Ledger
from agent.task_state import TaskState

__all__ = ["Archive", "Tasks"]

_KEPT = 40  # tasks that were read last; more than memory learns from, so that none is read twice for one task


@dataclass(slots=True, kw_only=True)
class _Ended:
    """Where a finished task lies.

    Attributes:
        first, last: numbers of its events.
        tabular: whether it was looked up in a table.
        reviews: what people decided about its finalists, whenever that was.
    """

    index: int
    name: str
    first: int
    last: int
    tabular: bool
    reviews: list[Event] = field(default_factory=list)


class Archive:
    """Reads finished tasks from an open ledger, and keeps the latest."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: OrderedDict[int, TaskState] = OrderedDict()  # by number of the first event

    def keep(self, task: TaskState) -> None:
        """Have it at hand for a while."""
        self._kept[task.first] = task
        self._kept.move_to_end(task.first)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def forget(self, first: int) -> None:
        """Read the task that begins there anew when it is asked for again."""
        self._kept.pop(first, None)

    def task(self, index: int, first: int, last: int, reviews: Sequence[Event]) -> TaskState:
        """The task whose events are `first` to `last`.

        Raises:
            LedgerError: an event does not have the content that its hash was made of.
        """
        if first not in self._kept:
            events = self._ledger.events(since=first, until=last, checked=True)
            task = _begun(index, next(events))
            for event in events:
                task.apply(event)
            for review in reviews:
                task.finalist(str(review.payload["digest"])).reviews.append(review)
            self.keep(task)
        self._kept.move_to_end(first)
        return self._kept[first]


class Tasks(Sequence[TaskState]):
    """The tasks of one run, in order.

    Args:
        archive: where they are read from once finished; None keeps them.
    """

    def __init__(self, archive: Archive | None = None) -> None:
        self._archive = archive
        self._tasks: list[TaskState | _Ended] = []

    def __len__(self) -> int:
        return len(self._tasks)

    @overload
    def __getitem__(self, index: int) -> TaskState: ...
    @overload
    def __getitem__(self, index: slice) -> list[TaskState]: ...
    def __getitem__(self, index: int | slice) -> TaskState | list[TaskState]:
        if isinstance(index, slice):
            return [self._read(task) for task in self._tasks[index]]
        return self._read(self._tasks[index])

    def __iter__(self) -> Iterator[TaskState]:
        return map(self._read, self._tasks)

    def __reversed__(self) -> Iterator[TaskState]:
        return map(self._read, reversed(self._tasks))

    def latest(self, *, tabular: bool) -> Iterator[TaskState]:
        """Those that are, or are not, looked up in a table, the latest first; the others are not read."""
        return (self._read(task) for task in reversed(self._tasks) if task.tabular == tabular)

    @property
    def names(self) -> list[str]:
        """Of the tasks; reads none."""
        return [task.name for task in self._tasks]

    def named(self, name: str) -> TaskState:
        """The task of that name."""
        return self[self.names.index(name)]

    def reviewed(self) -> Iterator[TaskState]:
        """Tasks about whose finalists people decided; the others are not read."""
        for task in self._tasks:
            if task.reviews if isinstance(task, _Ended) else any(finalist.reviews for finalist in task.finalists):
                yield self._read(task)

    @property
    def open(self) -> TaskState:
        """The latest task."""
        return self[-1]

    def begin(self, event: Event) -> None:
        """A task starts."""
        self._tasks.append(_begun(len(self._tasks), event))

    def close(self, last: int, *, whole: bool) -> None:
        """The open task ended with that event; with an archive it is let go.

        Args:
            last: number of the event.
            whole: whether all of the task's events were folded in.
        """
        task = self._tasks[-1]
        if self._archive is None or isinstance(task, _Ended):
            return
        reviews = sorted((event for finalist in task.finalists for event in finalist.reviews), key=lambda e: e.seq)
        self._tasks[-1] = _Ended(
            index=task.index, name=task.name, first=task.first, last=last, tabular=task.tabular, reviews=reviews
        )
        if whole:
            self._archive.keep(task)

    def review(self, event: Event) -> None:
        """A person decided about a finalist of one of these tasks."""
        index = self.names.index(str(event.payload["task"]))
        task = self._tasks[index]
        if isinstance(task, _Ended):
            task.reviews.append(event)
            assert self._archive is not None  # noqa: S101 - only an archive lets tasks go
            self._archive.forget(task.first)
        else:
            task.finalist(str(event.payload["digest"])).reviews.append(event)

    def _read(self, task: TaskState | _Ended) -> TaskState:
        if isinstance(task, TaskState):
            return task
        assert self._archive is not None  # noqa: S101 - only an archive lets tasks go
        return self._archive.task(task.index, task.first, task.last, task.reviews)


def _begun(index: int, event: Event) -> TaskState:
    return TaskState(index=index, name=str(event.payload["task"]), first=event.seq, started=event.payload)
