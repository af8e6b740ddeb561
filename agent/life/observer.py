"""Who watches a life."""

from __future__ import annotations

from typing import Protocol

from agent.state.state import RunState, TaskState

__all__ = ["Observer", "Unobserved"]


class Observer(Protocol):
    """Receives the progress of a life; what it does changes nothing."""

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """A task starts or goes on; it takes at most `steps` evaluations."""

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """So many evaluations more are done."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """A task is finished and recorded."""


class Unobserved:
    """For measurements and other lives that nobody watches; an `Observer`."""

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Nothing."""
