"""The contract of an executor: whoever answers the jobs of a life, in the order they were asked.

A job is text, and so is its answer (`agent.workers.jobs`). The answer follows from the job alone, so it is the same
whoever computes it, and a life writes the same ledger whatever executor it is given. An empty job only starts a worker.
`agent.testing.check_executor` holds executors to what is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

__all__ = ["DIED", "Executor", "Work", "WorkerDied", "untold"]

Work = Callable[[str], str]  # from a job to its answer; a function of a module, so that other processes find it
DIED = "the worker process died twice on this job"  # stands in ledgers, so it is the same for every executor


class WorkerDied(Exception):  # noqa: N818 - an outcome that callers record
    """The processes that did a job died on it."""


def untold() -> None:
    """Tells nobody that a job is done."""


@runtime_checkable
class Executor(Protocol):
    """Answers jobs.

    It never answers for its surroundings, such as a full disk, a missing library or data that were changed. Such an
    error is raised: those of `agent.ledger.home` and `agent.workers.jobs`. No answer is given then.
    """

    @property
    def capacity(self) -> int:
        """How many jobs it does at a time, at most."""
        ...

    def warm_up(self) -> None:
        """Begin what takes long to start, while the caller goes on; the first question waits for it in any case."""
        ...

    def expect(self, jobs: Sequence[str]) -> None:
        """Begin jobs whose answers will be asked for, in this order, while others are still waited for.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile.
        """
        ...

    def answers(self, jobs: Sequence[str], *, on_done: Callable[[], None] = untold) -> Sequence[str | WorkerDied]:
        """Answers to jobs, in the order of the jobs.

        Args:
            jobs: equal ones have an answer each.
            on_done: called once for each job, when its answer is there.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile.
            StorageError: a disk would not take what a job makes.
            SurroundingsError: where jobs are done, something is missing.
            DataChangedError: a task's data are not those that its jobs name.
            PluginChangedError: nor is a plug-in what they name.
        """
        ...

    def close(self) -> None:
        """End all that it began, at once; what is still computed is lost. A second call does nothing."""
        ...
