"""What an edit of a set lets in or keeps out: exact counts per space, uniform samples, witnesses the referee checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Diagram, Overgrown
from constraints.engines.encoding import encode
from constraints.judging.admitted import CountInterval
from constraints.judging.guard import Guard
from constraints.judging.policy import policy_counterexample
from constraints.language.rules import ConstraintSet, Context
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["Difference", "Relation", "Side", "SpaceDifference", "allowance_covers", "compare_sets"]

Relation = Literal["equivalent", "stricter", "looser", "incomparable"]

_DRAWS = 200_000  # from each side where a diagram does not fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one set admits and the other does not."""

    count: CountInterval
    samples: tuple[Architecture, ...]  # drawn uniformly; the first is the witness
    stopped_by: tuple[tuple[str, ...], ...]  # rules of the other set that stop each sample, by the referee


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDifference:
    """Two sets in one context."""

    context: Context  # where they are compared
    gained: Side  # architectures only the new set admits
    lost: Side  # architectures only the old set admits

    @property
    def relation(self) -> Relation:
        """Of the new set to the old; `equivalent` is proved only where the counts are exact."""
        return _relation(self.gained.count.value > 0, self.lost.count.value > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two sets in several contexts, and their rules on changes of policy.

    Attributes:
        spaces: one entry per context.
        policy: relation of the policy rules.
        policy_witness: a change that exactly one of them admits; empty when there is none.
    """

    spaces: tuple[SpaceDifference, ...]
    policy: Relation
    policy_witness: str

    @property
    def relation(self) -> Relation:
        """Over all contexts and the policy rules together."""
        found = {self.policy, *(space.relation for space in self.spaces)} - {"equivalent"}
        return "equivalent" if not found else found.pop() if len(found) == 1 else "incomparable"


def compare_sets(
    old: ConstraintSet, new: ConstraintSet, contexts: Sequence[Context], *, samples: int = 5, seed: int = 0
) -> Difference:
    """What replacing `old` by `new` changes.

    Raises:
        InputError: a set is not for the space of a context.
        AssertionError: the referee contradicts a witness: an engine is wrong, nothing here can be trusted.
    """
    spaces = tuple(_compare(old, new, context, samples, seed) for context in contexts)
    before, after = old.of_scope("policy"), new.of_scope("policy")
    let_in, kept_out = policy_counterexample(after, before), policy_counterexample(before, after)
    relation = _relation(bool(let_in), bool(kept_out))
    return Difference(spaces=spaces, policy=relation, policy_witness=let_in or kept_out)


def _compare(old: ConstraintSet, new: ConstraintSet, context: Context, samples: int, seed: int) -> SpaceDifference:
    before, after = (Guard.of(set_, context) for set_ in (old, new))
    exact = _exact(before, after, samples, seed)
    sides = []
    for index, (passes, fails) in enumerate(((after, before), (before, after))):
        count, rows = exact[index] if exact else _estimated(passes, fails, samples, seed)
        drawn = tuple(context.space.decode(row, macro=context.macro) for row in rows)
        stopped_by = tuple(_stopping(architecture, passes=passes, fails=fails) for architecture in drawn)
        sides.append(Side(count=count, samples=drawn, stopped_by=stopped_by))
    return SpaceDifference(context=context, gained=sides[0], lost=sides[1])


def _relation(gains: bool, loses: bool) -> Relation:
    if gains:
        return "incomparable" if loses else "looser"
    return "stricter" if loses else "equivalent"


def _exact(before: Guard, after: Guard, samples: int, seed: int) -> list[tuple[CountInterval, Vector]] | None:
    """Gained and lost by one diagram of both sets; None where it does not fit.

    Rules that both sets hold are conjoined last and once: what an edit changes is mostly small.
    """
    both = encode((*before.rules, *after.rules), before.context)
    old, new = (
        {root for root in roots if root is not None}
        for roots in (both.roots[: len(before.rules)], both.roots[len(before.rules) :])
    )
    diagram = Diagram(both.circuit, both.space)
    sides = []
    try:
        for here, there in ((new, old), (old, new)):
            changed = diagram.conjoin([diagram.domain, *map(diagram.function, here - there)])
            changed &= ~diagram.conjoin(map(diagram.function, there - here))
            if changed != diagram.manager.false:
                changed = diagram.conjoin([changed, *map(diagram.function, here & there)])
            table = SlotTable(diagram, changed)
            drawn = table.draw(np.random.default_rng(seed), samples) if table.count else _no_rows(before)
            sides.append((CountInterval.known(table.count), drawn))
    except Overgrown:
        return None
    return sides


def _estimated(here: Guard, there: Guard, samples: int, seed: int) -> tuple[CountInterval, Vector]:
    """From uniform draws of one side, the share that the other side turns away."""
    total = here.count()
    if not total.high:
        return total, _no_rows(here)
    drawn = here.draw(np.random.default_rng(seed), _DRAWS)
    away = drawn[~there.admits(drawn)]
    share = len(away) / _DRAWS
    margin = 3.29 * (share * (1 - share) / _DRAWS) ** 0.5 + 11 / _DRAWS  # 99.9 %; the rule of three where share is 0
    count = CountInterval(
        value=round(total.value * share),
        low=max(0, int(total.low * (share - margin))),
        high=int(total.high * (share + margin)) + 1,
        exact=False,
    )
    return count, away[:samples]


def _no_rows(guard: Guard) -> Vector:
    return np.empty((0, len(guard.space.slots)), dtype=np.int8)


def _stopping(architecture: Architecture, *, passes: Guard, fails: Guard) -> tuple[str, ...]:
    """Which rules of one set stop what the other admits, as the referee sees it."""
    verdicts = zip(fails.rules, fails.referee.verdicts(architecture), strict=True)
    stops = tuple(rule.id for rule, verdict in verdicts if verdict is False)
    if False in passes.referee.verdicts(architecture) or not stops:
        raise AssertionError(f"the referee contradicts the witness {architecture}: an engine is wrong")
    return stops


def allowance_covers(difference: Difference, allowed: Sequence[tuple[str, str, int]]) -> list[str]:
    """What a looser set lets in beyond an allowance of (space, witness, count) entries; empty when all is allowed."""
    problems = []
    for space in difference.spaces:
        if space.gained.count.value == 0:
            continue
        entries = [entry for entry in allowed if entry[0] == space.context.space.name]
        witnesses = {str(sample) for sample in space.gained.samples}
        if not any(count >= space.gained.count.high for _, _, count in entries):
            problems.append(f"{space.context.space}: lets in {space.gained.count.value:,}, more than is allowed")
        elif not any(witness in witnesses for _, witness, _ in entries):
            problems.append(
                f"{space.context.space}: the allowance names no witness of this edit; one is {min(witnesses)}"
            )
    if difference.policy in ("looser", "incomparable"):
        problems.append(f"policy: lets in {difference.policy_witness}")
    return problems
