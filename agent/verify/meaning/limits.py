"""Whether what a task says held it back follows from its events."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger import events
from agent.state.limits import limits_of
from agent.state.state import LifeState

__all__ = ["check_limits"]


def check_limits(state: LifeState, finished: events.TaskFinished) -> Iterator[str]:
    """Problems of the limits that the end of a task tells.

    Args:
        state: of the events before.
        finished: the end of its latest task; earlier releases told no limits.
    """
    if not state.runs or not state.runs[-1].tasks:
        return
    if finished.limits is events.UNSET:
        if state.runs[-1].tasks[-1].started.audited_before is not events.UNSET:
            yield "it does not tell what held it back, as tasks that count audited networks do"
        return
    found = limits_of(state.runs[-1].tasks[-1])
    if finished.limits == found:
        return
    told, wanted = (", ".join(one.name for one in each) or "nothing" for each in (finished.limits, found))
    if told == wanted:
        yield f"what held it back, {told}, is told with other numbers than its events give"
    else:
        yield f"held back by {told}, it says; its events show {wanted}"
