"""A decision: the verdicts of two engines that share no code, joined rule by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from constraints.judging.certificate import CODES, Certificate, Verdict
from constraints.language.rules import Rule

__all__ = ["Decision", "decision_from", "join"]


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
