"""A set's examples put to the test: do the right rules fire, is each rule exercised, which mutants does none notice.

Examples are judged by the referee. Mutants that mean the same as the rule wherever analyses look are left out of the
score: no example could tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from constraints.analysis.mutation import mutants
from constraints.engines.encoding import encode
from constraints.engines.referee import Referee, judge_policy
from constraints.engines.vectorised import evaluate
from constraints.language.rules import ConstraintSet, Context, Example, PolicyChange, Rule
from constraints.loading.tightening import reference_contexts
from selfnas.spaces.architecture import Space, TaskShape
from selfnas.spaces.named import space_named
from selfnas.spaces.template import Vector

__all__ = ["Mutant", "Trial", "try_examples"]

_ANY_SHAPE = TaskShape(channels=3, size=(32, 32), classes=10)  # for examples that judge rules of scope cell only
_DRAWS = 20_000  # from spaces too large to enumerate, to tell a mutant from its rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A changed rule that no example tells from the rule itself."""

    rule: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a set did.

    Attributes:
        examples: how many were judged.
        failures: examples on which other rules fired than expected, one sentence each with its place.
        never_passed: rules that no example passes.
        never_fired: rules that no example makes fire.
        killed: mutants that some example exposes.
        survivors: mutants that none exposes.
    """

    examples: int
    failures: tuple[str, ...]
    never_passed: tuple[str, ...]
    never_fired: tuple[str, ...]
    killed: int
    survivors: tuple[Mutant, ...]

    @property
    def score(self) -> float:
        """Share of mutants that were killed; 1 when there are none."""
        total = self.killed + len(self.survivors)
        return self.killed / total if total else 1.0


def try_examples(set_: ConstraintSet, *, mutate: bool = True) -> Trial:
    """Judge every example of the set's own file; imported rules are tested with theirs."""
    own = [rule for rule in set_.rules if rule.origin == set_.path]
    examples = [example for rule in own for example in rule.examples]
    fired = [_fired(set_.rules, example) for example in examples]
    failures = [_failure(set_, example, got) for example, got in zip(examples, fired, strict=True) if got != example.by]
    judged = [_judged(set_.rules, example) for example in examples]
    passed = {rule.id for ok, got in zip(judged, fired, strict=True) for rule in ok if rule.id not in got}
    ever_fired = frozenset().union(*fired) if fired else frozenset()
    killed, survivors = 0, []
    if mutate:
        for rule in own:
            for mutant, change in _different(set_, rule):
                if any(_exposes(mutant, example) for example in examples):
                    killed += 1
                else:
                    survivors.append(Mutant(rule=rule.id, change=change))
    return Trial(
        examples=len(examples),
        failures=tuple(failures),
        never_passed=tuple(rule.id for rule in own if rule.id not in passed),
        never_fired=tuple(rule.id for rule in own if rule.id not in ever_fired),
        killed=killed,
        survivors=tuple(survivors),
    )


def _judged(rules: Sequence[Rule], example: Example) -> list[Rule]:
    """The rules that an example is put to."""
    if isinstance(example.subject, PolicyChange):
        return [rule for rule in rules if rule.scope == "policy"]
    scopes = ("cell",) if example.shape is None else ("cell", "network")
    return [rule for rule in rules if rule.scope in scopes]


def _fired(rules: Sequence[Rule], example: Example) -> frozenset[str]:
    judged, subject = _judged(rules, example), example.subject
    if isinstance(subject, PolicyChange):
        answers: Sequence[bool | None] = judge_policy(judged, subject.old, subject.new)
    else:
        context = Context(space=subject.space, macro=subject.macro, shape=example.shape or _ANY_SHAPE)
        answers = Referee(judged, context).verdicts(subject)
    return frozenset(rule.id for rule, answer in zip(judged, answers, strict=True) if answer is False)


def _failure(set_: ConstraintSet, example: Example, got: frozenset[str]) -> str:
    def words(ids: frozenset[str]) -> str:
        return ", ".join(sorted(ids)) or "no rule"

    place = f"{set_.path}:{example.line}:{example.column}"
    return f"{place}: expected {words(example.by)} to fire, but {words(got)} did"


def _exposes(mutant: Rule, example: Example) -> bool:
    if not _judged([mutant], example):
        return False
    try:
        return (mutant.id in _fired([mutant], example)) != (mutant.id in example.by)
    except KeyError:
        return True  # a mutant that the referee cannot even judge


def _different(set_: ConstraintSet, rule: Rule) -> Iterator[tuple[Rule, str]]:
    """Mutants of a rule that mean something else somewhere."""
    candidates = list(mutants(rule, set_.spaces))
    if rule.scope == "policy":
        yield from candidates
        return
    different = [False] * len(candidates)
    for space in map(space_named, set_.spaces):
        for context in reference_contexts(space):
            waiting = [index for index, known in enumerate(different) if not known]
            if not waiting:
                break
            vectors = _looked_at(space)
            encoding = encode([rule, *(candidates[index][0] for index in waiting)], context)
            if encoding.roots[0] is None:
                continue
            columns = evaluate(encoding.circuit, [root or 0 for root in encoding.roots], vectors)
            for position, index in enumerate(waiting, start=1):
                different[index] = bool((columns[:, position] != columns[:, 0]).any())
    yield from (candidate for candidate, known in zip(candidates, different, strict=True) if known)


def _looked_at(here: Space) -> Vector:
    return here.enumerate() if here.count() <= 100_000 else here.draw(np.random.default_rng(0), _DRAWS)
