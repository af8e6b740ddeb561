"""Rules of scope `policy`: a change of the search policy judged by Z3 and by the referee."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from constraints.engines.referee import VERSION, judge_policy
from constraints.engines.solver import bounded, version
from constraints.judging.certificate import Certificate, Decision, decision_from, join, verdict_of
from constraints.language.rules import LANGUAGE, ConstraintSet, Rule
from constraints.language.syntax import COMPARE, Condition, Constant, Linear, Node, PolicyField, walk
from selfnas.errors import InputError

__all__ = ["decide_policy", "policy_counterexample", "policy_digest", "policy_fields"]


def decide_policy(
    set_: ConstraintSet, old: Mapping[str, int], new: Mapping[str, int], *, previous: str = ""
) -> Decision:
    """Whether the search policy may change from `old` to `new`.

    A field that a rule names and a policy lacks leaves that rule, and so the change, undecided.
    """
    rules = set_.of_scope("policy")
    fields = policy_fields(rules)
    named = {
        side: {name: int(values[name]) for name in fields if name in values}
        for side, values in (("old", old), ("new", new))
    }
    subject = json.dumps(named, sort_keys=True, separators=(",", ":"))
    letters, reason = [], ""
    for rule in rules:
        try:
            letters.append(join([_solve(rule, old, new)], judge_policy([rule], old, new), [True]))
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
    )
    return decision_from(certificate, rules)


def policy_digest(set_: ConstraintSet) -> str:
    """SHA-256 over the meaning of a set's policy rules, in hexadecimal."""
    record = {"language": LANGUAGE, "policy": [rule.meaning for rule in set_.of_scope("policy")]}
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def policy_fields(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Every field that some rule names, sorted."""
    return tuple(sorted({name for rule in rules for _, name in _named(rule)}))


def _named(rule: Rule) -> set[tuple[str, str]]:
    return {(part.side, part.name) for part in walk(rule.condition) if isinstance(part, PolicyField)}


def _solve(rule: Rule, old: Mapping[str, int], new: Mapping[str, int]) -> bool | None:
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


def _passes(z3: Any, context: Any, rule: Rule, variables: Mapping[tuple[str, str], Any]) -> Any:
    """A rule on changes of policy as a Z3 term over the fields."""

    def term(condition: Condition) -> Any:
        if isinstance(condition, Constant):
            return z3.BoolVal(condition.value, context)
        if isinstance(condition, Node):
            items = [term(item) for item in condition.items]
            if condition.operator == "not":
                return z3.Not(items[0])
            return z3.And(items) if condition.operator == "and" else z3.Or(items)
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

    Raises:
        InputError: Z3 does not decide.
    """
    import z3

    context = z3.Context()
    names = sorted({name for rule in (*admits, *forbids) for name in _named(rule)})
    variables: dict[tuple[str, str], Any] = {name: z3.Int(".".join(name), context) for name in names}
    solver = bounded(z3.SimpleSolver(ctx=context), rlimit=20_000_000)
    solver.add([_passes(z3, context, rule, variables) for rule in admits])
    # Which example Z3 finds hangs on the order in which terms are made and let go.
    solver.add(
        z3.Or([z3.BoolVal(False, context), *(z3.Not(_passes(z3, context, rule, variables)) for rule in forbids)])
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
    return ", ".join(f"{'.'.join(name)} = {model.eval(v, model_completion=True)}" for name, v in changes)
