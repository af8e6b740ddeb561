"""Decisions about the search policy in words."""

from __future__ import annotations

from msgspec import Struct, structs

from agent.ledger.events import Confirmation, Evidence, PolicyDecided, Wins
from constraints import Certificate, read_proofs
from selfnas.acquisition.expression import notation
from selfnas.acquisition.parser import parse_program
from selfnas.errors import InputError

__all__ = ["changed", "evidence_in_words", "proof_in_words"]


def evidence_in_words(decided: PolicyDecided) -> str:
    """The figures of rehearsals, controls and trial, as far as there were any."""
    parts = (("", decided.evidence), ("controls ", decided.controls), ("trial ", decided.trial))
    return "; ".join(title + _figures(found) for title, found in parts if isinstance(found, Struct))


def changed(decided: PolicyDecided) -> str:
    """`field old → new`, comma-separated; empty where nothing would change. A program is in mathematical notation."""
    old, new = decided.old, decided.new
    names = [*new, *(name for name in old if name == "acquisition" and name not in new)]
    shown = [(name, *(_shown(name, policy.get(name)) for policy in (old, new))) for name in names]
    return ", ".join(f"{name} {before} → {after}" for name, before, after in shown if before != after)


def proof_in_words(decided: PolicyDecided) -> str:
    """What was proved, or refuted, of the program that would be in force; empty without one."""
    if decided.certificate is None or decided.new.get("acquisition") is None:
        return ""
    proofs = read_proofs(Certificate.from_json(decided.certificate).proof)
    return "; ".join(f"{one['claim']}: {one['z3']} by Z3, {one['intervals']} by intervals" for one in proofs)


def _shown(name: str, value: object) -> str:
    if name != "acquisition":
        return str(value)
    try:
        return "expected improvement" if value is None else notation(parse_program(str(value)))
    except InputError:  # what was refused may be no program
        return str(value)


def _figures(found: Evidence | Wins | Confirmation) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in sorted(structs.asdict(found).items())
        if isinstance(value, int | float)  # without the pairs behind the statistics
    )
