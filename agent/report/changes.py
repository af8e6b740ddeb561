"""What changed in a life besides its tasks: decisions about the search policy, and drifts that were searched for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.ledger.store import Event, Json
from agent.state.drift import fold
from agent.state.state import LifeState, mapping

__all__ = ["DriftEvidence", "PolicyDecision", "decision", "drifts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDecision:
    """One decision about the search policy.

    Attributes:
        kind: `adopted`, `refused`, `kept`, `rolled_back` or whatever else the ledger calls it.
        change: `field old → new`, comma-separated; empty when nothing would change.
        evidence: in words.
        reason: why it was not adopted; empty when it was.
    """

    run: int
    after_task: int
    kind: str
    change: str
    evidence: str
    reason: str


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


def decision(event: Event) -> PolicyDecision:
    """What a `policy.…` event says, in words."""
    payload = event.payload
    old, new = mapping(payload.get("old") or {}), mapping(payload.get("new") or {})
    changed = [f"{name} {old.get(name)} → {new[name]}" for name in new if new[name] != old.get(name)]
    parts = (("", "evidence"), ("controls ", "controls"), ("trial ", "confirmation"))
    told = [title + _figures_told(found) for title, name in parts if (found := mapping(payload.get(name) or {}))]
    return PolicyDecision(
        run=_whole(payload.get("run", 0)),
        after_task=_whole(payload.get("after_task", 0)),
        kind=event.kind.removeprefix("policy."),
        change=", ".join(changed),
        evidence="; ".join(told),
        reason=str(payload.get("reason") or ""),
    )


def _figures_told(found: Mapping[str, Json]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in found.items()
        if not isinstance(value, list)  # the pairs behind the statistics
    )


def drifts(state: LifeState, times: Mapping[int, float]) -> Iterator[DriftEvidence]:
    """Every confirmed drift that was searched for; `times` in Unix seconds by event."""
    for watch in fold(state).values():
        for drift in watch.drifts:
            ended = drift.ended
            begun, over = times.get(drift.confirmed), times.get(drift.ended_at)
            yield DriftEvidence(
                task=drift.task,
                successor_task=str(drift.search["successor_task"]),
                examples=_whole(drift.search["examples"]),
                evaluations=None if ended is None else _whole(ended["evaluations"]),
                to_best=None if ended is None else _whole(ended["evaluations_to_best"]),
                seconds=over - begun if begun is not None and over is not None else None,
                successor=str(ended["successor"] or "") if ended is not None else "",
            )


def _whole(value: Json) -> int:
    return int(str(value))
