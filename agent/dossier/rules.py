"""The rules of a recorded set beside what a certificate says of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.dossier.evidence import Noted
from agent.ledger.events import Certified, RunStarted
from constraints import Certificate, Rule, parse_set
from selfnas.errors import InputError

__all__ = ["Judged", "verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a certificate says.

    Attributes:
        rules: each rule with its letter (`constraints.judging.certificate.CODES`).
        engines: versions by name.
        certificate: the whole.
    """

    rules: tuple[tuple[Rule, str], ...]
    engines: Mapping[str, str]
    certificate: Certificate


def verdicts(began: Noted[RunStarted], certified: Noted[Certified]) -> Judged:
    """Rule by rule.

    Raises:
        InputError: the set or the certificate cannot be read, or they do not fit each other.
    """
    certificate = Certificate.from_json(certified.facts.certificate)
    rules = parse_set(began.facts.constraint_set.text, name="recorded.yaml").of_scope("cell", "network")
    if len(rules) != len(certificate.rules):
        raise InputError(f"event {certified.seq} speaks of {len(certificate.rules)} rules, the set has {len(rules)}")
    told = tuple(zip(rules, certificate.rules, strict=True))
    return Judged(rules=told, engines=dict(certificate.engines), certificate=certificate)
