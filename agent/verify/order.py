"""That a life's runs, tasks and steps come in the order in which they can be lived, each once."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger import events
from agent.state.state import TaskState

__all__ = ["OrderChecker"]


class OrderChecker:
    """Follows runs and tasks: the stream's tasks in its order, each finished before the next begins."""

    def __init__(self) -> None:
        self._names: list[str] = []  # of the present run's stream
        self._run = 0
        self._begun = 0  # tasks of the present run
        self._tunes = False  # whether the present run decides about its policy after each task
        self._decided: list[type[events.PolicyDecided]] = []  # what it decided after the latest one
        self._open_task = False
        self._open_run = False
        self._evaluated: set[tuple[str, str]] = set()  # architecture and fidelity, of the present task

    def check(self, facts: events.Facts) -> Iterator[str]:
        """Problems of one event, in sentences."""
        # Policies, motifs, reviews, watches and mining are between tasks too.
        if (facts.bulk or isinstance(facts, events.Admitted | events.TaskFinished)) and not self._open_task:
            yield "belongs to a task, and none was being lived"
        match facts:
            case events.RunStarted():
                yield from self._begin_run(facts)
            case events.TaskStarted():
                yield from self._begin_task(facts)
            case events.Evaluated():
                what = facts.architecture, facts.fidelity
                if what in self._evaluated:
                    yield "evaluated a second time on this task at one fidelity"
                self._evaluated.add(what)
            case events.TaskFinished():
                self._open_task, self._decided = False, []
            case events.PolicyDecided():
                yield from self._decide(facts)
            case events.RunFinished():
                yield from self._finish_run(facts)

    def goes_on(self, before: TaskState) -> None:
        """The task that just began goes on with a finished one: what was evaluated there is not evaluated again."""
        self._evaluated = {(one.architecture, one.fidelity) for one in before.evaluations}

    def _begin_run(self, started: events.RunStarted) -> Iterator[str]:
        if self._open_run:
            yield "a run began before the one before it was finished"
        stream = started.record
        self._run, self._tunes, self._decided = self._run + 1, stream.tuning is not None, []
        if started.run != self._run:
            yield f"it calls itself run {started.run}, and is run {self._run}"
        self._names = [task.name for task in stream.tasks]
        self._begun, self._open_task, self._open_run = 0, False, True

    def _begin_task(self, started: events.TaskStarted) -> Iterator[str]:
        yield from self._undecided()
        if not self._open_run:
            yield "a task began outside a run"
        if self._open_task:
            yield "a task began before the one before it was finished"
        expected = self._names[self._begun] if self._begun < len(self._names) else None
        if started.task != expected:
            yield f"task {started.task} was lived where the stream has {expected or 'no further task'}"
        self._begun, self._open_task, self._evaluated = self._begun + 1, True, set()

    def _decide(self, decided: events.PolicyDecided) -> Iterator[str]:
        """A policy may be refused, once, by rules; then the next best may be decided about."""
        if self._open_task or (decided.run, decided.after_task) != (self._run, self._begun):
            yield f"it was decided after task {self._begun} of run {self._run}, not where it says, or within a task"
        if type(decided) in self._decided or set(self._decided) - {events.PolicyRefused}:
            yield f"after task {self._begun} it was decided already"
        self._decided.append(type(decided))

    def _undecided(self) -> Iterator[str]:
        if self._tunes and self._begun and not self._decided:
            yield f"nothing was decided about the policy after task {self._begun}"

    def _finish_run(self, finished: events.RunFinished) -> Iterator[str]:
        yield from self._undecided()
        if finished.tasks != self._begun:
            yield f"it counts {finished.tasks} tasks, lived were {self._begun}"
        if self._open_task or self._begun != len(self._names) or not self._open_run:
            yield f"the run was finished after {self._begun} of its {len(self._names)} tasks, or not while it ran"
        self._open_run = False
