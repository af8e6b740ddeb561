"""An observer of a life that shows nothing."""

from __future__ import annotations

from agent.state.state import RunState, TaskState

__all__ = ["Unobserved"]


class Unobserved:
    """For measurements and other lives that nobody watches; an `agent.life.life.Observer`."""

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Nothing."""
