"""What is suspicious about a set: rules that do nothing, say nothing new or cannot be met, words nobody uses.

A finding about a rule is a warning only where it holds in every context that was looked at; in some contexts a budget
is bound to be slack.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from constraints.engines.diagram import Overgrown
from constraints.judging.guard import Guard
from constraints.language.rules import ConstraintSet, Context
from constraints.language.syntax import Extreme, Linear
from constraints.loading.tightening import reference_contexts
from selfnas.spaces.named import space_named

__all__ = ["LintFinding", "lint_set"]

_DRAWS = 50_000  # enough to show in most contexts that a rule does something, without any proof


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing to look at.

    Attributes:
        kind: `nothing-admitted`, `nothing-passes`, `everything-passes`, `slack-limit`, `redundant`, `never-applies`,
            `not-implied` or `unused`.
        rule: the rule or word; empty for the whole set.
        message: what is wrong, and where.
        line: of the rule in its file; 0 for the whole set and for words.
    """

    kind: str
    rule: str
    message: str
    line: int = 0


def lint_set(set_: ConstraintSet, *, contexts: Sequence[Context] = ()) -> tuple[LintFinding, ...]:
    """Everything suspicious, over the contexts given or, without any, over the reference contexts of each space."""
    chosen = list(contexts) or [context for space in set_.spaces for context in reference_contexts(space_named(space))]
    guards = [Guard.of(set_, context) for context in chosen]
    found = [*_unused(set_)]
    clashes: dict[tuple[str, ...], list[Guard]] = {}
    for guard in guards:
        drawn = guard.space.draw(np.random.default_rng(0), 2_000)
        if not guard.admits(drawn).any() and (clash := guard.clash()):
            clashes.setdefault(clash, []).append(guard)
    lines = {rule.id: rule.line for rule in set_.rules}
    for clash, where in clashes.items():
        if len(clash) == 1:
            message = f"no architecture of {_places(where, guards)} passes it"
            found.append(LintFinding(kind="nothing-passes", rule=clash[0], message=message, line=lines[clash[0]]))
        else:
            message = f"together these rules admit nothing in {_places(where, guards)}: {', '.join(clash)}"
            found.append(LintFinding(kind="nothing-admitted", rule="", message=message))
    idle = [guard for guard in guards if guard.rules and guard.is_idle()]
    if idle:
        message = f"no rule applies in {_places(idle, guards)}: everything is admitted there, and no run is begun"
        found.append(LintFinding(kind="never-applies", rule="", message=message))
    # Where nothing is admitted every rule is redundant beside the clash; that says nothing about it.
    sound = [guard for guard in guards if not any(guard in where for where in clashes.values())]
    for index, rule in enumerate(guards[0].rules if guards else ()):
        found += [dataclasses.replace(finding, line=rule.line) for finding in _about_rule(sound, index, rule.id)]
    return tuple(found)


def _where(guard: Guard) -> str:
    return f"{guard.context.space} at {guard.context.macro}"


def _places(some: Sequence[Guard], every: Sequence[Guard]) -> str:
    """The spaces of some contexts; with its macro settings only where other settings of a space are not among them."""
    partly = {guard.context.space.name for guard in every if guard not in some}
    return ", ".join(dict.fromkeys(_where(g) if g.context.space.name in partly else g.context.space.name for g in some))


def _about_rule(guards: Sequence[Guard], index: int, name: str) -> Iterator[LintFinding]:
    if not guards:
        return
    rule = guards[0].rules[index]
    if rule.origin != guards[0].set.path:
        return  # an imported rule is linted with its own file; what makes it redundant here is meant to
    applying = [guard for guard in guards if guard.encoding.roots[index] is not None]
    spaces = ", ".join(dict.fromkeys(guard.context.space.name for guard in guards))
    if not applying:
        yield LintFinding(kind="never-applies", rule=name, message=f"it applies to nothing in {spaces}")
        return
    if rule.implied_by:
        for guard in applying:
            others = [i for i, other in enumerate(guard.rules) if other.id in rule.implied_by]
            if not _implied(guard, index, others):
                message = f"it is not implied by {', '.join(rule.implied_by)} in {_where(guard)}, as 'implied_by' says"
                yield LintFinding(kind="not-implied", rule=name, message=message)
        return
    if any(_alone_in_a_draw(guard, index) for guard in applying):
        return
    if all(_function(guard, index) == guard.admitted.diagram.domain for guard in applying):
        kind = "slack-limit" if isinstance(rule.condition, (Linear, Extreme)) else "everything-passes"
        what = "no architecture comes near its limit" if kind == "slack-limit" else "every architecture passes it"
        yield LintFinding(kind=kind, rule=name, message=f"{what} in {spaces}")
        return
    minimal = _redundant_by(applying, index)
    if minimal is not None:
        names = ", ".join(rule.id for i, rule in enumerate(guards[0].rules) if i in minimal)
        message = f"it turns nothing away that {names} would not; drop it, or say so with 'implied_by: [{names}]'"
        yield LintFinding(kind="redundant", rule=name, message=message)


def _function(guard: Guard, index: int) -> Any:
    root = guard.encoding.roots[index]
    diagram = guard.admitted.diagram
    return diagram.domain if root is None else diagram.function(root) & diagram.domain


def _alone_in_a_draw(guard: Guard, index: int) -> bool:
    """Some sampled architecture breaks this rule and no other."""
    count = guard.space.count()
    vectors = guard.space.enumerate() if count <= _DRAWS else guard.space.draw(np.random.default_rng(0), _DRAWS)
    broken = guard.violations(vectors)
    return bool((broken[:, index] & (broken.sum(axis=1) == 1)).any())


def _implied(guard: Guard, index: int, others: Sequence[int]) -> bool:
    """The other rules together let nothing pass that this one stops; False as well where the diagram does not fit."""
    try:
        stopped = guard.admitted.diagram.domain & ~_function(guard, index)
        for other in others:
            stopped &= _function(guard, other)
            if stopped == guard.admitted.diagram.manager.false:
                return True
    except Overgrown:
        return False
    return bool(stopped == guard.admitted.diagram.manager.false)


def _redundant_by(guards: Sequence[Guard], index: int) -> list[int] | None:
    """A minimal set of other rules that imply this one in every context; None when all together do not."""
    others = [other for other in range(len(guards[0].rules)) if other != index]
    if not all(_implied(guard, index, others) for guard in guards):
        return None
    for other in list(others):
        rest = [kept for kept in others if kept != other]
        if all(_implied(guard, index, rest) for guard in guards):
            others = rest
    return others


def _unused(set_: ConstraintSet) -> Iterator[LintFinding]:
    words = {word for rule in set_.rules for word in re.findall(r"[a-z_][a-z0-9_]*", rule.text)}
    for what, names in (("set of operations", set_.opsets), ("table", set_.tables)):
        for name in names:
            if name not in words:
                yield LintFinding(kind="unused", rule=name, message=f"no rule uses the {what} {name!r}")
