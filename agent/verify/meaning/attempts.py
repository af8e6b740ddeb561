"""Whether a life counts all networks that it audited on the same audit split."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger.events import UNSET, TaskFinished, TaskStarted
from agent.state.state import LifeState
from audits import Suite

__all__ = ["attempts_at_end", "attempts_before"]


def attempts_before(state: LifeState, started: TaskStarted, suite: Suite | None) -> Iterator[str]:
    """Problems of how many networks a task says were audited on its split before; `state` is of the events before."""
    told = started.audited_before
    if started.table is not UNSET:
        if told is not UNSET:
            yield "it counts networks audited on a table, which has no audit split"
        return
    if told is UNSET:
        if suite is not None and suite.attempts == "paid":
            yield "its suite has attempts paid for, and it does not say how many there were before"
        return
    if told != (found := state.audited_on(started.task_digest)):
        yield f"it says that {told} networks were audited on its audit split before, the events have {found}"


def attempts_at_end(state: LifeState, finished: TaskFinished) -> Iterator[str]:
    """Problems of how many networks the end of a task says were audited; `state` is of the events before."""
    if not state.runs or not state.runs[-1].tasks:
        return
    task = state.runs[-1].tasks[-1]
    counted = task.started.audited_before is not UNSET
    if counted and finished.audited is UNSET:
        yield "its begin counts audited networks, its end does not say how many there were"
    if finished.audited is not UNSET and finished.audited != task.audited:
        yield f"it says that {finished.audited} networks were audited, {task.audited} are recorded"
