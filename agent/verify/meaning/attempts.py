"""What a task says its audit split was used for before: networks that were audited on it, examples taught elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.ledger.events import UNSET, StreamRecord, TaskFinished, TaskStarted
from agent.ledger.home import Home
from agent.memory.taught import read_prints, used_before
from agent.state.state import LifeState
from audits import Suite
from selfnas.data.splits.duplicates import Prints
from selfnas.errors import InputError

__all__ = ["attempts_at_end", "attempts_before"]


def attempts_before(
    state: LifeState, home: Home, started: TaskStarted, suite: Suite | None, stream: StreamRecord | None
) -> Iterator[str]:
    """Problems of what a task says of its audit split.

    Args:
        state: of the events before.
        home: where the numbers of examples lie.
        started: the begin of the task.
        suite: of its run; None where it cannot be read.
        stream: of its run.
    """
    told, taught = started.audited_before, started.taught
    if started.table is not UNSET or told is UNSET:
        if (told, started.prints, taught) != (UNSET, UNSET, UNSET):
            yield "it tells of examples and audited networks what a table, or a release that did not count, cannot"
        if started.table is UNSET and suite is not None and suite.attempts == "paid":
            yield "its suite has attempts paid for, and it does not say how many there were before"
        return
    try:
        own: Mapping[str, Prints] = {} if started.prints is UNSET else read_prints(home, started.prints)
        used = used_before(state, home, started.task_digest, own)
    except InputError as error:
        yield f"{error}, so that what its audit split was used for cannot be counted"
        return
    if told != used.audited:
        yield f"it says that {told} networks were audited on its audit split before, the events have {used.audited}"
    asked = None if stream is None else stream.taught_before
    expected = used.record(left_out=asked == "leave_out")
    if taught != (UNSET if expected is None else expected):
        count = int(used.rows.sum())
        yield f"what it says of audit examples that earlier tasks were taught is not what the numbers of {count} give"
    elif expected is not None and asked == "refuse":
        yield "earlier tasks were taught some of its audit examples, which its stream refuses"


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
