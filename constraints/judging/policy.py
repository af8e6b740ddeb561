"""Rules of scope `policy`: a change of the search policy judged by Z3 and by the referee."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from constraints.engines.referee import VERSION, judge_policy
from constraints.engines.solver import bounded, version
from constraints.judging.certificate import Certificate, Decision, decision_from, join, verdict_of
from constraints.judging.programs import (
    FIELD,
    Proof,
    Values,
    completions,
    in_words,
    program_of,
    prove,
    speaks_of_programs,
    statements_in,
    written,
)
from constraints.language.rules import LANGUAGE, ConstraintSet, Rule
from constraints.language.sentences import say
from constraints.language.syntax import (
    COMPARE,
    Band,
    Condition,
    Constant,
    Linear,
    Near,
    Node,
    PolicyField,
    Statement,
    Trend,
    walk,
)
from constraints.programs.statements import Finding
from selfnas.errors import InputError

__all__ = ["decide_policy", "judged_again", "policy_counterexample", "policy_digest", "policy_fields", "policy_subject"]


def decide_policy(set_: ConstraintSet, old: Values, new: Values, *, previous: str = "") -> Decision:
    """Whether the search policy may change from `old` to `new`.

    A field that a rule names and a policy lacks leaves that rule, and so the change, undecided; so does a statement
    about its program that either engine leaves open.

    Args:
        set_: whose rules of scope `policy` judge.
        old: whole numbers by field, and the text of `acquisition`; without it, expected improvement.
        new: likewise.
        previous: hash of the ledger event before.
    """
    rules = set_.of_scope("policy")
    subject = json.dumps(policy_subject(rules, old, new), sort_keys=True, separators=(",", ":"))
    letters, reason, proofs = [], "", {}
    for rule in rules:
        try:
            proofs[rule.id] = found = [prove(one, program_of(old), program_of(new)) for one in statements_in(rule)]
            ours = _unanimous(_solve(one, old, new) for one in completions(rule, _findings(found, "solver")))
            theirs = judged_again(rule, _findings(found, "referee"), old, new)
            letters.append("u" if theirs is None else join([ours], [theirs], [True]))
        except KeyError as error:
            letters.append("u")
            reason = reason or f"the policy has no field {error}, which rule {rule.id!r} needs"
        except Exception as error:  # noqa: BLE001 - a broken engine must close the gate, never open it
            letters.append("u")
            reason = reason or f"{type(error).__name__}: {error}"
    certificate = Certificate(
        guard=policy_digest(set_),
        subject=subject,
        digest=hashlib.sha256(subject.encode()).hexdigest(),
        shape="",
        rules="".join(letters),
        verdict=verdict_of("".join(letters)),
        engines=MappingProxyType({"referee": VERSION, "z3": version()}),
        previous=previous,
        reason=reason,
        proof=written(proofs),
    )
    return _explained(decision_from(certificate, rules), proofs, old, new)


def policy_subject(rules: Sequence[Rule], old: Values, new: Values) -> dict[str, dict[str, int | str | None]]:
    """What a certificate says of both policies: the fields that rules name."""
    fields, programs = policy_fields(rules), speaks_of_programs(rules)
    return {
        side: {
            **{name: int(values[name]) for name in fields if name in values},
            **({FIELD: None if values.get(FIELD) is None else str(values[FIELD])} if programs else {}),
        }
        for side, values in (("old", old), ("new", new))
    }


def judged_again(rule: Rule, found: Sequence[tuple[Statement, Finding]], old: Values, new: Values) -> bool | None:
    """What the referee says of a rule whose statements are answered; None where that leaves it open.

    Raises:
        KeyError: the rule names a field that the policies do not have.
    """
    return _unanimous(judge_policy([one], old, new)[0] for one in completions(rule, found))


def _findings(proofs: Sequence[Proof], engine: Literal["solver", "referee"]) -> list[tuple[Statement, Finding]]:
    return [(proof.statement, getattr(proof, engine)) for proof in proofs]


def _unanimous(answers: Iterator[bool | None]) -> bool | None:
    """What all say; None where they differ."""
    found = set(answers)
    return found.pop() if len(found) == 1 else None


def _explained(decision: Decision, proofs: Mapping[str, Sequence[Proof]], old: Values, new: Values) -> Decision:
    """The decision, with what was found of the program where a rule that speaks of it does not pass."""
    said = [
        f"{rule}: {in_words(proof, program_of(old), program_of(new))}"
        for rule, found in proofs.items()
        for proof in found
        if decision.rules[rule] != "pass"
    ]
    return replace(decision, messages=(*decision.messages, *said))


def policy_digest(set_: ConstraintSet) -> str:
    """SHA-256 over the meaning of a set's policy rules, in hexadecimal."""
    record = {"language": LANGUAGE, "policy": [rule.meaning for rule in set_.of_scope("policy")]}
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def policy_fields(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Every field that some rule names, sorted."""
    return tuple(sorted({name for rule in rules for _, name in _named(rule)}))


def _named(rule: Rule) -> set[tuple[str, str]]:
    return {(part.side, part.name) for part in walk(rule.condition) if isinstance(part, PolicyField)}


def _solve(rule: Rule, old: Values, new: Values) -> bool | None:
    import z3

    context = z3.Context()
    solver = bounded(z3.SimpleSolver(ctx=context), rlimit=1_000_000)  # fixed numbers take hundreds
    variables = {name: z3.Int(".".join(name), context) for name in sorted(_named(rule))}
    for (side, name), variable in variables.items():
        solver.add(variable == int((old if side == "old" else new)[name]))
    passes = z3.Bool("passes", context)
    solver.add(passes == _passes(z3, context, rule, variables))
    if solver.check() != z3.sat:
        return None
    value = solver.model()[passes]
    return True if z3.is_true(value) else False if z3.is_false(value) else None


def _passes(
    z3: Any, context: Any, rule: Rule, variables: Mapping[tuple[str, str], Any], claims: Mapping[Statement, Any] = {}
) -> Any:
    """A rule on changes of policy as a Z3 term over the fields, and over a truth value for each statement."""

    def term(condition: Condition) -> Any:
        if isinstance(condition, Constant):
            return z3.BoolVal(condition.value, context)
        if isinstance(condition, Node):
            items = [term(item) for item in condition.items]
            if condition.operator == "not":
                return z3.Not(items[0])
            return z3.And(items) if condition.operator == "and" else z3.Or(items)
        if isinstance(condition, Trend | Band | Near):
            return claims[condition]
        if not isinstance(condition, Linear):
            raise TypeError(f"{type(condition).__name__} is not a condition on a policy")
        total: Any = z3.IntVal(0, context)
        for weight, quantity in condition.terms:
            if not isinstance(quantity, PolicyField):
                raise TypeError(f"{type(quantity).__name__} is not a field of a policy")
            total = total + weight * variables[quantity.side, quantity.name]
        return COMPARE[condition.comparison](total, condition.limit)

    return z3.Not(term(rule.condition)) if rule.forbids else term(rule.condition)


def policy_counterexample(admits: Sequence[Rule], forbids: Sequence[Rule]) -> str:
    """A change that rules of scope policy admit and others forbid, in words; empty when there is none.

    What rules say of programs counts as true or false whatever the program, but for bounds and distances of which the
    wider follows from the narrower. So two sets may be told apart by truths that no one program has together.

    Raises:
        InputError: Z3 does not decide.
    """
    import z3

    context = z3.Context()
    names = sorted({name for rule in (*admits, *forbids) for name in _named(rule)})
    variables: dict[tuple[str, str], Any] = {name: z3.Int(".".join(name), context) for name in names}
    solver = bounded(z3.SimpleSolver(ctx=context), rlimit=20_000_000)
    said = dict.fromkeys(one for rule in (*admits, *forbids) for one in statements_in(rule))
    claims = {one: z3.Bool(say(one), context) for one in said}
    solver.add([z3.Implies(claims[one], claims[other]) for one in said for other in said if _narrower(one, other)])
    solver.add([_passes(z3, context, rule, variables, claims) for rule in admits])
    # Which example Z3 finds hangs on the order in which terms are made and let go.
    solver.add(
        z3.Or(
            [z3.BoolVal(False, context), *(z3.Not(_passes(z3, context, rule, variables, claims)) for rule in forbids)]
        )
    )
    answer = solver.check([variable >= 0 for variable in variables.values()])  # what could be held is better shown
    if answer != z3.sat:
        answer = solver.check()
    if answer == z3.unknown:
        raise InputError("Z3 does not decide how the policy rules differ within its limit of steps")
    if answer == z3.unsat:
        return ""
    model = solver.model()
    changes = sorted(variables.items(), key=lambda item: (item[0][1], item[0][0] == "new"))  # old before new
    told = [f"{'.'.join(name)} = {model.eval(v, model_completion=True)}" for name, v in changes]
    for one, claim in claims.items():
        holds = z3.is_true(model.eval(claim, model_completion=True))
        told.append(say(one) if holds else f"it is not so that {say(one)}")
    return ", ".join(told)


def _narrower(one: Statement, other: Statement) -> bool:
    """Whether what one says of a program makes the other true."""
    match one, other:
        case Band(), Band():
            return other.low <= one.low and one.high <= other.high
        case Near(), Near():
            return one.most <= other.most
        case _:
            return False
