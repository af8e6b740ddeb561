"""What a ledger says of the watch over past tasks; folded from its events like the rest of a life's state.

Kinds of events, each with the `task` that is watched:

- `watch.started` — which network is followed, and its errors and residuals on the task's test examples.
- `watch.batch` — one file of new data: errors and residuals of its examples, and what `selfnas.data.drift` made of it.
- `watch.search` — a confirmed drift, enough new examples: which run will search for a successor, on which file.
- `watch.ended` — what that run came to: the successor, or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.ledger.events import misplaced
from agent.ledger.store import Json
from agent.state.state import LifeState, Payload, items, number
from selfnas.data.drift import DriftMonitor

__all__ = ["Drift", "Watch", "fold", "monitor", "residuals", "wrong"]


@dataclass(slots=True, kw_only=True)
class Drift:
    """One confirmed drift and the search that followed.

    Attributes:
        confirmed: number of the event of the batch that confirmed it.
        search: the `watch.search` event's payload.
        ended: the `watch.ended` event's payload; None while the search goes on.
        ended_at: number of that event.
    """

    task: str
    confirmed: int
    search: Payload
    ended: Payload | None = None
    ended_at: int = -1


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

    started: Payload
    batches: list[Payload] = field(default_factory=list)
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
        task = str(event.payload["task"])
        if event.kind != "watch.started" and task not in watches:
            raise misplaced(event, LookupError(f"task {task} is not watched"))
        if event.kind == "watch.started":
            known = watches.get(task)
            watches[task] = Watch(
                started=event.payload,
                seen=known.seen if known else set(),
                drifts=known.drifts if known else [],
            )
            continue
        watch = watches[task]
        if event.kind == "watch.batch":
            watch.batches.append(event.payload)
            watch.seen.add(str(event.payload["batch"]))
            if watch.confirmed < 0 and event.payload["verdict"] == "drift":
                watch.confirmed = event.seq
        elif event.kind == "watch.search":
            watch.drifts.append(Drift(task=task, confirmed=watch.confirmed, search=event.payload))
        elif event.kind == "watch.ended":
            if watch.searching is None:
                raise misplaced(event, LookupError(f"no search for a successor of task {task} had begun"))
            watch.drifts[-1].ended, watch.drifts[-1].ended_at = event.payload, event.seq
    return watches


def monitor(watch: Watch) -> DriftMonitor:
    """The monitor as it stands after the recorded batches."""
    found = DriftMonitor(wrong(watch.started["errors"]), residuals(watch.started["residuals"]))
    for batch in watch.batches:
        found.update(wrong(batch["errors"]), residuals(batch["residuals"]))
    return found


def wrong(text: Json) -> list[int]:
    """Errors as recorded: a text of 0 and 1.

    Example:
        >>> wrong("010")
        [0, 1, 0]
    """
    return [int(letter) for letter in str(text)]


def residuals(values: Json) -> list[float]:
    """Residuals as recorded."""
    return [number(value) for value in items(values)]
