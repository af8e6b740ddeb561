"""Re-checking certificates long after: the referee alone, no solver installed."""

from __future__ import annotations

import functools
import hashlib
import json

from constraints.engines.referee import Referee
from constraints.judging.certificate import Certificate, verdict_of
from constraints.judging.policy import judged_again, policy_digest
from constraints.judging.programs import FIELD, again, program_of, read_proofs, statements_in
from constraints.judging.releases import unknown_engines
from constraints.language.examples import parse_shape
from constraints.language.rules import ConstraintSet, Context, Rule
from constraints.language.syntax import Statement
from constraints.programs.statements import Finding
from selfnas.acquisition.expression import Expression
from selfnas.errors import ArchitectureError, InputError
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["refused_by", "verify_certificate"]

_ENGINES = {"referee", "z3"}


def verify_certificate(certificate: Certificate, set_: ConstraintSet) -> tuple[str, ...]:
    """Everything about a certificate that does not hold under a set; empty when all does.

    Rules that the certificate leaves undecided stay so: only what it claims is checked.
    """
    problems = list(unknown_engines(certificate))
    if certificate.verdict == "admit" and certificate.reason:
        problems.append("it admits although an engine failed")
    if certificate.verdict == "admit" and set(certificate.engines) != _ENGINES:
        problems.append(f"it admits by {' and '.join(certificate.engines) or 'no engine'}, not by two that agreed")
    follows = verdict_of(certificate.rules)
    if certificate.verdict != follows and not (certificate.verdict == "undecided" and certificate.reason):
        problems.append(f"its verdict is {certificate.verdict}, but its rules say {follows}")
    check = _policy if certificate.subject.startswith("{") else _architecture
    return (*problems, *check(certificate, set_))


def refused_by(architecture: Architecture, set_: ConstraintSet, *, shape: TaskShape) -> tuple[str, ...]:
    """Rules that an architecture breaks on a task of that shape, as the referee sees it; empty where it breaks none.

    A set that is not for the architecture's space gives one sentence that says so.
    """
    if architecture.space.base not in set_.spaces:
        return (f"set {set_.name!r} is not for space {architecture.space.name!r}",)
    referee, _ = _prepared(_ByIdentity(set_), architecture.space, architecture.macro, shape)
    verdicts = zip(referee.rules, referee.verdicts(architecture), strict=True)
    return tuple(rule.id for rule, verdict in verdicts if verdict is False)


def _architecture(certificate: Certificate, set_: ConstraintSet) -> list[str]:
    if not certificate.subject and certificate.verdict == "undecided":
        return []
    try:
        architecture = parse_architecture(certificate.subject)
        shape = parse_shape(certificate.shape)
        if architecture.space.base not in set_.spaces:
            return [f"set {set_.name!r} is not for space {architecture.space.name!r}"]
        referee, digest = _prepared(_ByIdentity(set_), architecture.space, architecture.macro, shape)
    except ArchitectureError as error:
        return [str(error)]
    problems = []
    if digest != certificate.guard:
        problems.append(f"it was issued under guard {certificate.guard[:12]}…, not {digest[:12]}…")
    if architecture.digest != certificate.digest:
        problems.append("its digest is not the architecture's")
    return problems + _differences(certificate, set_, referee.verdicts(architecture), ("cell", "network"))


def _policy(certificate: Certificate, set_: ConstraintSet) -> list[str]:
    try:
        record = json.loads(certificate.subject)
        old, new = (
            {str(k): str(v) if k == FIELD else int(v) for k, v in record[side].items() if v is not None}
            for side in ("old", "new")
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["its subject is not a policy change in JSON"]
    try:
        programs, proofs = (program_of(old), program_of(new)), read_proofs(certificate.proof)
    except InputError as error:
        return [str(error)]
    problems = []
    if policy_digest(set_) != certificate.guard:
        problems.append("it was issued under other policy rules")
    if hashlib.sha256(certificate.subject.encode()).hexdigest() != certificate.digest:
        problems.append("its digest is not the policy change's")
    rules = set_.of_scope("policy")
    answers: list[bool | None] = []
    for rule, letter in zip(rules, certificate.rules.ljust(len(rules), "u"), strict=False):
        try:
            found, wrong = _found(rule, proofs, *programs)
            problems += wrong
            answers.append(judged_again(rule, found, old, new))
            if answers[-1] is None and letter not in "ud":
                problems.append(f"rule {rule.id!r} is left open by what its proofs come to")
        except KeyError as error:  # such a rule applies all the same: it can only have been left open
            answers.append(None)
            if letter not in "ud":
                problems.append(f"rule {rule.id!r} needs the field {error}, which its subject lacks")
    return problems + _differences(certificate, set_, answers, ("policy",))


def _found(
    rule: Rule, proofs: list[dict[str, object]], old: Expression | None, new: Expression | None
) -> tuple[list[tuple[Statement, Finding]], list[str]]:
    """What the referee finds of each statement of a rule, and what its recorded proofs say otherwise."""
    recorded, statements = [one for one in proofs if one["rule"] == rule.id], statements_in(rule)
    if len(recorded) != len(statements):
        return (
            [(statement, Finding("unknown", 0)) for statement in statements],
            [f"rule {rule.id!r} makes {len(statements)} statements about the program, the proof holds {len(recorded)}"],
        )
    found, problems = [], []
    for one, statement in zip(recorded, statements, strict=True):
        finding, wrong = again(one, statement, old, new)
        found.append((statement, finding))
        problems += [f"rule {rule.id!r}: {problem}" for problem in wrong]
    return found, problems


def _differences(
    certificate: Certificate, set_: ConstraintSet, answers: list[bool | None], scopes: tuple[str, ...]
) -> list[str]:
    rules = [rule for rule in set_.rules if rule.scope in scopes]
    if len(certificate.rules) != len(rules):
        return [f"it speaks of {len(certificate.rules)} rules, the set has {len(rules)}"]
    problems = []
    for rule, letter, answer in zip(rules, certificate.rules, answers, strict=True):
        found = "n" if answer is None else "p" if answer else "f"
        if letter not in ("u", "d", found):
            words = {"p": "passes", "f": "fails", "n": "does not apply"}
            problems.append(f"rule {rule.id!r} {words[found]}, the certificate says it {words[letter]}")
    return problems


class _ByIdentity:
    """A set as a cache key: two sets are the same only if they are one object, which is cheap to tell."""

    def __init__(self, set_: ConstraintSet) -> None:
        self.set = set_

    def __hash__(self) -> int:
        return id(self.set)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.set is self.set


@functools.lru_cache(maxsize=64)
def _prepared(key: _ByIdentity, space: Space, macro: Macro, shape: TaskShape) -> tuple[Referee, str]:
    context = Context(space=space, macro=macro, shape=shape)
    return Referee(key.set.of_scope("cell", "network"), context), context.digest(key.set.digest)
