"""Decisions about the search policy in words."""

from __future__ import annotations

from msgspec import Struct, structs

from agent.ledger.events import Confirmation, Evidence, PolicyDecided, Wins

__all__ = ["changed", "evidence_in_words"]


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
