"""Certificates: what was decided about one subject under one set, in under a kilobyte of JSON, re-checkable for good.

A certificate holds no clock and no machine: the same decision gives the same bytes. A decision joins, rule by rule, the
verdicts of two engines that share no code.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from constraints.language.rules import Rule
from selfnas.errors import InputError

__all__ = ["CODES", "Certificate", "Decision", "Verdict", "decision_from", "join", "verdict_of"]

Verdict = Literal["admit", "reject", "undecided"]

# One letter per rule, in the order of the set.
CODES: Mapping[str, str] = MappingProxyType(
    {"p": "pass", "f": "fail", "u": "undecided", "d": "undecided", "n": "n/a"}
)  # u: an engine had no answer; d: the engines disagree
_MAX_REASON = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One decision.

    Attributes:
        guard: digest of set and context, or of the set's policy rules.
        subject: the architecture's text, or the policy fields that the rules name as canonical JSON.
        digest: the architecture's digest; the SHA-256 of the subject for a policy.
        shape: the task's shape, `3x32x32/10`; empty for a policy.
        rules: one letter of `CODES` per rule.
        verdict: what follows from them.
        engines: versions of the engines that agreed, or did not, by name.
        previous: hash of the ledger event before.
        reason: why there was no decision, if an engine failed.
        proof: canonical JSON of what each engine found of each statement about an acquisition program; empty where
            there is none, and then left out of the JSON.
    """

    guard: str
    subject: str
    digest: str
    shape: str
    rules: str
    verdict: Verdict
    engines: Mapping[str, str] = field(hash=False)
    previous: str = ""
    reason: str = ""
    proof: str = ""

    def __post_init__(self) -> None:
        if not set(self.rules) <= set(CODES):
            raise InputError(f"rule verdicts are written with {''.join(CODES)}, not {self.rules!r}")
        if self.verdict not in ("admit", "reject", "undecided"):
            raise InputError(f"a verdict is admit, reject or undecided, not {self.verdict!r}")
        object.__setattr__(self, "reason", self.reason[:_MAX_REASON])

    @property
    def architecture(self) -> str:
        """The architecture's text, for a certificate about one."""
        return self.subject

    @property
    def agreed(self) -> bool:
        """Whether the engines agreed on every rule they both answered."""
        return "d" not in self.rules

    def to_json(self) -> str:
        """One line of canonical JSON."""
        record = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "proof" or self.proof}
        return json.dumps(record | {"engines": dict(self.engines)}, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Certificate:
        """Read what `to_json` wrote.

        Raises:
            InputError: not a certificate.
        """
        try:
            record = json.loads(text)
        except ValueError as error:
            raise InputError(f"not a certificate in JSON: {text[:80]!r}") from error
        names = {f.name for f in dataclasses.fields(Certificate)}
        if not isinstance(record, dict) or set(record) | {"proof"} != names:
            raise InputError(f"a certificate has exactly the keys {', '.join(sorted(names - {'proof'}))}, and proof")
        engines = record.pop("engines")
        if not all(isinstance(value, str) for value in record.values()) or not isinstance(engines, dict):
            raise InputError("the values of a certificate are texts, and 'engines' maps names to versions")
        return Certificate(engines=MappingProxyType({str(k): str(v) for k, v in sorted(engines.items())}), **record)


def verdict_of(rules: str) -> Verdict:
    """What follows from the letters of all rules: any disagreement leaves it open, else any failure rejects.

    Example:
        >>> verdict_of("ppn"), verdict_of("pfu"), verdict_of("pfd"), verdict_of("pu")
        ('admit', 'reject', 'undecided', 'undecided')
    """
    if "d" in rules:
        return "undecided"
    if "f" in rules:
        return "reject"
    return "undecided" if "u" in rules else "admit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard says of one subject.

    Attributes:
        verdict: only `admit` admits.
        rules: `pass`, `fail`, `undecided` or `n/a` by rule id, in the order of the set.
        failed: ids of the rules that fail.
        messages: the author's message for each of them; the reason when nothing was decided.
        quarantined: the engines disagree on some rule.
        certificate: issued for every decision.
    """

    verdict: Verdict
    rules: Mapping[str, str]
    failed: tuple[str, ...]
    messages: tuple[str, ...]
    quarantined: bool
    certificate: Certificate


def join(solver: Sequence[bool | None], referee: Sequence[bool | None], applicable: Sequence[bool]) -> str:
    """One letter per rule from both engines' answers.

    Args:
        solver: per rule; None where it has no answer or the rule does not apply.
        referee: per rule; None where the rule does not apply.
        applicable: per rule whether the solver's encoding finds that it applies.

    Example:
        >>> join([True, False, None, None, True], [True, False, True, None, False], [True, True, True, False, True])
        'pfund'
    """
    letters = []
    for ours, theirs, applies in zip(solver, referee, applicable, strict=True):
        if applies != (theirs is not None):
            letters.append("d")
        elif not applies:
            letters.append("n")
        elif ours is None:
            letters.append("u")
        else:
            letters.append(("p" if ours else "f") if ours == theirs else "d")
    return "".join(letters)


def decision_from(certificate: Certificate, rules: Sequence[Rule]) -> Decision:
    """The decision that a certificate states."""
    letters = certificate.rules
    failed = tuple(rule for rule, letter in zip(rules, letters, strict=True) if letter == "f")
    messages = [f"{rule.id}: {rule.message}" for rule in failed]
    if certificate.reason:
        messages.append(f"not decided: {certificate.reason}")
    for rule, letter in zip(rules, letters, strict=True):
        if letter == "d":
            messages.append(f"{rule.id}: the engines disagree")
    return Decision(
        verdict=certificate.verdict,
        rules=MappingProxyType({rule.id: CODES[letter] for rule, letter in zip(rules, letters, strict=True)}),
        failed=tuple(rule.id for rule in failed),
        messages=tuple(messages),
        quarantined=not certificate.agreed,
        certificate=certificate,
    )
