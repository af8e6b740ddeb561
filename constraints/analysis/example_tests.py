"""A set's examples put to the test: do the right rules fire, is each rule exercised, which mutants does none notice.

Examples are judged by the referee. Mutants that mean the same as the rule wherever analyses look are left out of the
score: no example could tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from constraints.engines.encoding import encode
from constraints.engines.referee import Referee
from constraints.engines.vectorised import evaluate
from constraints.judging.policy import judged_again
from constraints.judging.programs import program_of, statements_in
from constraints.language import syntax
from constraints.language.rules import ConstraintSet, Context, Example, PolicyChange, Rule
from constraints.language.sentences import number
from constraints.loading.tightening import reference_contexts
from constraints.programs.statements import decide
from selfnas.spaces.named import space_named

__all__ = ["ExamplesOutcome", "Mutant", "try_examples"]

_DRAWS = 20_000  # from spaces too large to enumerate, to tell a mutant from its rule
_FLIPPED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A changed rule that no example tells from the rule itself."""

    rule: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesOutcome:
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


def try_examples(set_: ConstraintSet, *, mutate: bool = True) -> ExamplesOutcome:
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
    return ExamplesOutcome(
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
        programs = program_of(subject.old), program_of(subject.new)
        found = [[(one, decide(one, *programs)) for one in statements_in(rule)] for rule in judged]
        passed = [judged_again(*pair, subject.old, subject.new) for pair in zip(judged, found, strict=True)]
        answers: Sequence[bool | None] = [bool(answer) for answer in passed]  # what is left open does not pass
    else:
        shape = example.shape or reference_contexts(subject.space)[0].shape  # where only rules of scope cell are judged
        context = Context(space=subject.space, macro=subject.macro, shape=shape)
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
    candidates = list(_mutants(rule, set_.spaces))
    if rule.scope == "policy":
        yield from candidates
        return
    different = [False] * len(candidates)
    for space in map(space_named, set_.spaces):
        for context in reference_contexts(space):
            waiting = [index for index, known in enumerate(different) if not known]
            if not waiting:
                break
            whole = space.count() <= 100_000
            vectors = space.enumerate() if whole else space.draw(np.random.default_rng(0), _DRAWS)
            encoding = encode([rule, *(candidates[index][0] for index in waiting)], context)
            if encoding.roots[0] is None:
                continue
            columns = evaluate(encoding.circuit, [root or 0 for root in encoding.roots], vectors)
            for position, index in enumerate(waiting, start=1):
                different[index] = bool((columns[:, position] != columns[:, 0]).any())
    yield from (candidate for candidate, known in zip(candidates, different, strict=True) if known)


def _mutants(rule: Rule, spaces: tuple[str, ...]) -> Iterator[tuple[Rule, str]]:
    """Rules one change away, each with what was changed in words.

    Dropped, inverted, a comparison flipped, a limit off by one, an operation swapped or left out, an arrow left out.
    """
    dropped = replace(rule, condition=syntax.Constant(not rule.forbids))
    yield dropped, "dropped"
    yield replace(rule, forbids=not rule.forbids), "inverted"
    operations = tuple(dict.fromkeys(name for space in spaces for name in space_named(space).operations))
    seen = {rule.condition}
    for condition, change in _changed(rule.condition, operations):
        if condition not in seen:
            seen.add(condition)
            yield replace(rule, condition=condition), change


def _changed(tree: Any, operations: tuple[str, ...]) -> Iterator[tuple[Any, str]]:
    """Every tree with one change somewhere in it."""
    if isinstance(tree, tuple):
        for index, item in enumerate(tree):
            for changed, change in _changed(item, operations):
                yield (*tree[:index], changed, *tree[index + 1 :]), change
        return
    if not is_dataclass(tree) or isinstance(tree, type):
        return
    if isinstance(tree, syntax.Ops):
        if tree.names is not None:
            yield from _other_operations(tree, operations)
        return
    if isinstance(tree, (syntax.Extreme, syntax.FanExtreme, syntax.Linear, syntax.MeasureComparison)):
        flipped: Any = _FLIPPED[tree.comparison]
        yield replace(tree, comparison=flipped), f"{tree.comparison} became {flipped}"
        for step in (-1, 1):
            old, new = (number(limit, syntax.scale_of(tree)) for limit in (tree.limit, tree.limit + step))
            yield replace(tree, limit=tree.limit + step), f"limit {old} became {new}"
    if isinstance(tree, syntax.Trend):
        yield replace(tree, rises=not tree.rises), f"{'rises' if tree.rises else 'falls'} became the other"
    if isinstance(tree, syntax.Band):
        for factor, change in ((3, "three times as wide"), (1 / 3, "a third as wide")):
            yield syntax.Band(int(tree.low * factor), int(tree.high * factor)), f"bounds {change}"
    if isinstance(tree, syntax.Near):
        for factor, change in ((3, "three times as far"), (1 / 3, "a third as far")):
            yield syntax.Near(int(tree.most * factor)), f"distance {change}"
    if isinstance(tree, syntax.Motif):
        for index in range(len(tree.edges) if len(tree.edges) > 1 else 0):
            rest = (*tree.edges[:index], *tree.edges[index + 1 :])
            yield syntax.Motif(rest), f"arrow {index + 1} of the motif left out"
    for part in fields(tree):
        value = getattr(tree, part.name)
        if part.compare and (isinstance(value, tuple) or is_dataclass(value)):
            for changed, change in _changed(value, operations):
                yield replace(tree, **{part.name: changed}), change


def _other_operations(ops: syntax.Ops, operations: tuple[str, ...]) -> Iterator[tuple[syntax.Ops, str]]:
    names = ops.names or frozenset()
    outside = [operation for operation in operations if operation not in names]
    for position, operation in enumerate(operations):
        if operation not in names:
            continue
        if len(names) > 1:
            yield syntax.Ops(names - {operation}), f"{operation} left out"
        if outside:
            other = outside[position % len(outside)]
            yield syntax.Ops(names - {operation} | {other}), f"{operation} swapped for {other}"
