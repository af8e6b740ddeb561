"""Where the time of a life went: seconds between events that were written together, by what they record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agent.ledger.events import (
    Audited,
    Baselined,
    Compared,
    Evaluated,
    Facts,
    PolicyDecided,
    Reviewed,
    RunStarted,
    SupernetTrained,
    Tabulated,
    TaskStarted,
    Trained,
)

__all__ = ["KINDS_OF_TIME", "spent"]

# A step is named for the heaviest thing that it records.
_HEAVIEST: tuple[tuple[str, tuple[type[Facts], ...]], ...] = (
    ("full trainings and audits", (Trained, Audited)),
    ("supernet", (SupernetTrained,)),
    ("hand-designed network", (Compared,)),
    ("search", (Evaluated,)),
    ("baselines", (Baselined,)),
    ("table", (Tabulated,)),
    ("task begun: data read, recall", (TaskStarted,)),
    ("policy", (PolicyDecided,)),
)
KINDS_OF_TIME = (*(name for name, _ in _HEAVIEST), "rest")


def spent(
    kinds: Sequence[type[Facts]], times: Mapping[int, float], *, since: int = 0, until: int | None = None
) -> Mapping[str, float]:
    """Seconds by name of what they went to; nothing of the time in which nobody lived.

    Args:
        kinds: of each event, by its number.
        times: Unix seconds at which each was written.
        since: number of the first event that counts.
        until: number of the last; None for all.

    Example:
        >>> spent([RunStarted, TaskStarted, Evaluated, Evaluated], {0: 0.0, 1: 2.0, 2: 9.0, 3: 9.0})
        {'task begun: data read, recall': 2.0, 'search': 7.0}
    """
    found: dict[str, float] = {}
    before: float | None = times.get(since - 1)
    for at, together in _steps(kinds, times, since, len(kinds) - 1 if until is None else until):
        idle = RunStarted in together or Reviewed in together  # people take their time, and runs begin when they want
        if before is not None and not idle and at > before:
            name = _named(together)
            found[name] = found.get(name, 0.0) + at - before
        before = at
    return found


def _steps(
    kinds: Sequence[type[Facts]], times: Mapping[int, float], since: int, until: int
) -> Iterator[tuple[float, set[type[Facts]]]]:
    """Events that were written at one moment."""
    at: float | None = None
    together: set[type[Facts]] = set()
    for seq in range(since, until + 1):
        if seq not in times:
            continue
        if at is not None and times[seq] != at:
            yield at, together
            together = set()
        at = times[seq]
        together.add(kinds[seq])
    if at is not None:
        yield at, together


def _named(together: set[type[Facts]]) -> str:
    for name, heavy in _HEAVIEST:
        if any(issubclass(kind, heavy) for kind in together):
            return name
    return "rest"
