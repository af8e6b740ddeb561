"""What changed in a life besides its tasks: decisions about the search policy, and drifts that were searched for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec import Struct, structs

from agent.ledger.events import Confirmation, Evidence, PolicyDecided, Wins
from agent.state.drift import fold
from agent.state.state import LifeState

__all__ = ["DriftEvidence", "changed", "drifts", "evidence_in_words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftEvidence:
    """One confirmed drift and what followed.

    Attributes:
        examples: new ones that the search was given.
        evaluations: of the search; None while it goes on.
        to_best: of them until its best score.
        seconds: by the clock from the batch that confirmed it until the search ended; waiting for data included.
        successor: digest; empty when nothing was admitted or the search goes on.
    """

    task: str
    successor_task: str
    examples: int
    evaluations: int | None
    to_best: int | None
    seconds: float | None
    successor: str


def evidence_in_words(decided: PolicyDecided) -> str:
    """The figures of rehearsals, controls and trial, as far as there were any."""
    parts = (("", decided.evidence), ("controls ", decided.controls), ("trial ", decided.trial))
    return "; ".join(title + _figures(found) for title, found in parts if isinstance(found, Struct))


def changed(decided: PolicyDecided) -> str:
    """`field old → new`, comma-separated; empty where nothing would change."""
    old, new = decided.old, decided.new
    return ", ".join(f"{name} {old.get(name)} → {new[name]}" for name in new if new[name] != old.get(name))


def _figures(found: Evidence | Wins | Confirmation) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in sorted(structs.asdict(found).items())
        if isinstance(value, int | float)  # without the pairs behind the statistics
    )


def drifts(state: LifeState, times: Mapping[int, float]) -> Iterator[DriftEvidence]:
    """Every confirmed drift that was searched for; `times` in Unix seconds by event."""
    for watch in fold(state).values():
        for drift in watch.drifts:
            ended = drift.ended
            begun, over = times.get(drift.confirmed), times.get(drift.ended_at)
            yield DriftEvidence(
                task=drift.task,
                successor_task=drift.search.successor_task,
                examples=drift.search.examples,
                evaluations=None if ended is None else ended.evaluations,
                to_best=None if ended is None else ended.evaluations_to_best,
                seconds=over - begun if begun is not None and over is not None else None,
                successor=(ended.successor or "") if ended is not None else "",
            )
