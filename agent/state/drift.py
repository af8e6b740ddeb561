"""What a ledger says of the watch over past tasks; folded from its events like the rest of a life's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.ledger.events import WatchBatch, WatchEnded, WatchSearch, WatchStarted, misplaced
from agent.state.state import LifeState
from selfnas.data.drift import DriftMonitor

__all__ = ["Drift", "Watch", "fold", "monitor", "wrong"]


@dataclass(slots=True, kw_only=True)
class Drift:
    """One confirmed drift and the search that followed.

    Attributes:
        confirmed: number of the event of the batch that confirmed it.
        ended: what came of it; None while the search goes on.
        ended_at: number of that event.
    """

    task: str
    confirmed: int
    search: WatchSearch
    ended: WatchEnded | None = None
    ended_at: int = -1

    def seconds(self, times: Mapping[int, float]) -> float | None:
        """By the clock from the batch that confirmed it until the search ended; `times` in Unix seconds by event."""
        begun, over = times.get(self.confirmed), times.get(self.ended_at)
        return over - begun if begun is not None and over is not None and over >= begun else None


@dataclass(slots=True, kw_only=True)
class Watch:
    """The watch over one task.

    Attributes:
        started: which network is followed now.
        batches: since then, oldest first.
        seen: digests of every batch ever taken in.
        drifts: all, oldest first; the last may still be searching.
        confirmed: event of the batch since `started` that confirmed a drift; -1 when none did.
    """

    started: WatchStarted
    batches: list[WatchBatch] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    drifts: list[Drift] = field(default_factory=list)
    confirmed: int = -1

    @property
    def searching(self) -> Drift | None:
        """The drift whose search is not recorded as ended."""
        return self.drifts[-1] if self.drifts and self.drifts[-1].ended is None else None


def fold(state: LifeState) -> dict[str, Watch]:
    """Every watch of a life, by the task's name.

    Raises:
        LedgerError: an event of a task that is not watched, or the end of a search that had not begun.
    """
    watches: dict[str, Watch] = {}
    for event in state.watched:
        task, facts = event.facts.task, event.facts
        if isinstance(facts, WatchStarted):
            known = watches.get(task)
            seen, drifts = (known.seen, known.drifts) if known else (set(), [])
            watches[task] = Watch(started=facts, seen=seen, drifts=drifts)
            continue
        if task not in watches:
            raise misplaced(event, LookupError(f"task {task} is not watched"))
        watch = watches[task]
        match facts:
            case WatchBatch():
                watch.batches.append(facts)
                watch.seen.add(facts.batch)
                if watch.confirmed < 0 and facts.verdict == "drift":
                    watch.confirmed = event.seq
            case WatchSearch():
                watch.drifts.append(Drift(task=task, confirmed=watch.confirmed, search=facts))
            case WatchEnded():
                if watch.searching is None:
                    raise misplaced(event, LookupError(f"no search for a successor of task {task} had begun"))
                watch.drifts[-1].ended, watch.drifts[-1].ended_at = facts, event.seq
    return watches


def monitor(watch: Watch) -> DriftMonitor:
    """The monitor as it stands after the recorded batches."""
    found = DriftMonitor(wrong(watch.started.errors), watch.started.residuals)
    for batch in watch.batches:
        found.update(wrong(batch.errors), batch.residuals)
    return found


def wrong(errors: str) -> list[int]:
    """Errors as recorded: a text of 0 and 1.

    Example:
        >>> wrong("010")
        [0, 1, 0]
    """
    return [int(letter) for letter in errors]
