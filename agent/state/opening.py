"""Opening a long life: its state from a snapshot and the decisions since, finished tasks left in the ledger."""

from __future__ import annotations

import logging
from pathlib import Path

from agent.ledger.events import UNSET, Event, Facts, LedgerError, Reviewed, TaskFinished, TaskStarted
from agent.ledger.snapshot import Snapshot
from agent.ledger.store import Ledger
from agent.state.archive import Archive
from agent.state.library import Library
from agent.state.state import UNTRUE, LifeState

__all__ = ["recollect"]

_log = logging.getLogger(__name__)


def recollect(ledger: Ledger, snapshot: Path | None = None, *, until: int | None = None) -> LifeState:
    """The state that `replay` gives; finished tasks and motifs are looked up when asked for, in the open ledger.

    From a snapshot that was kept up to the present it takes time for decisions and for the events of an unfinished
    task. Without one, or with one of another history, time for each task and motif. What is read of the ledger must
    have the content that its hash was made of.

    Args:
        snapshot: a file that no other life may use meanwhile; brought up to date, and kept so as the life goes on. None
            keeps everything in memory.
        until: number of the first event that is left out; none may belong to a task that is unfinished then.

    Raises:
        LedgerError: an event that does not, or events missing between tasks.
    """
    rows = Snapshot(snapshot)
    known, digest = rows.upto()
    state = _opened(ledger, rows, known) if _is_between_tasks(ledger, known, digest) else None
    if state is None:
        _log.warning("%s: rebuilt, for it does not fit this ledger", snapshot)
        rows.clear()
        known, state = 0, _empty(ledger, rows)
    if snapshot is not None:
        state.library.confirm = state.confirm
    inside: list[Event[Facts]] = []  # landmarks of a task whose end was not seen yet
    expected, rest = known, None  # the latest event after which no task was open
    for event in ledger.landmarks(since=known, until=until):
        if not inside and event.seq != expected:
            raise LedgerError(f"event {expected} is missing or out of place: `selfnas verify` says what is damaged")
        expected = event.seq + 1
        if not inside and not isinstance(event.facts, TaskStarted):
            state.apply(event)
            rest = event
            continue
        inside.append(event)
        if isinstance(event.facts, TaskFinished):
            whole = any(isinstance(landmark.facts, Reviewed) for landmark in inside) or _uncounted(event.facts, inside)
            for own in ledger.events(since=inside[0].seq, until=event.seq, checked=True) if whole else inside:
                (state.apply if whole else state.skim)(own)
            inside, rest = [], event
    if rest is not None:
        rows.settle(rest.seq + 1, rest.hash)
    state.settles = True
    if until is None:
        for event in ledger.events(since=inside[0].seq if inside else expected, checked=True):
            state.apply(event)
    return state


def _uncounted(finished: TaskFinished, inside: list[Event[Facts]]) -> bool:
    """Whether the end of a task does not say how many networks were audited, as earlier releases did not."""
    started = inside[0].facts
    return finished.audited is UNSET and isinstance(started, TaskStarted) and started.table is UNSET


def _empty(ledger: Ledger, rows: Snapshot) -> LifeState:
    state = LifeState(Archive(ledger, rows))
    state.library = Library(snapshot=rows)
    return state


def _opened(ledger: Ledger, rows: Snapshot, known: int) -> LifeState | None:
    """The state after so many events, from a snapshot; None where decisions in the ledger do not fit it."""
    state = _empty(ledger, rows)
    try:
        for event in ledger.decisions(until=known):
            state.remember(event)
    except UNTRUE:
        return None
    return state


def _is_between_tasks(ledger: Ledger, events: int, digest: str) -> bool:
    """Whether the first so many events are those of a hash, and leave no task unfinished."""
    if ledger.hash_before(events) != digest or (events and ledger.event(events - 1).hash != digest):
        return False
    task = ledger.latest_before(events, TaskStarted, TaskFinished)
    return task is None or isinstance(task.facts, TaskFinished)
