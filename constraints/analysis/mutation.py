"""Mutants of a rule: small changes that a set's examples should notice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from constraints.language.rules import Rule
from constraints.language.sentences import number
from constraints.language.syntax import Constant, Extreme, FanExtreme, Linear, MeasureComparison, Motif, Ops, scale_of
from selfnas.spaces.named import space_named

__all__ = ["mutants"]

_FLIPPED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "!=", "!=": "=="}


def mutants(rule: Rule, spaces: tuple[str, ...]) -> Iterator[tuple[Rule, str]]:
    """Rules one change away, each with what was changed in words.

    Dropped, inverted, a comparison flipped, a limit off by one, an operation swapped or left out, an arrow left out.
    """
    dropped = dataclasses.replace(rule, condition=Constant(not rule.forbids))
    yield dropped, "dropped"
    yield dataclasses.replace(rule, forbids=not rule.forbids), "inverted"
    operations = tuple(dict.fromkeys(name for space in spaces for name in space_named(space).operations))
    seen = {rule.condition}
    for condition, change in _changed(rule.condition, operations):
        if condition not in seen:
            seen.add(condition)
            yield dataclasses.replace(rule, condition=condition), change


def _changed(tree: Any, operations: tuple[str, ...]) -> Iterator[tuple[Any, str]]:
    """Every tree with one change somewhere in it."""
    if isinstance(tree, tuple):
        for index, item in enumerate(tree):
            for changed, change in _changed(item, operations):
                yield (*tree[:index], changed, *tree[index + 1 :]), change
        return
    if not dataclasses.is_dataclass(tree) or isinstance(tree, type):
        return
    if isinstance(tree, Ops):
        if tree.names is not None:
            yield from _other_operations(tree, operations)
        return
    if isinstance(tree, (Extreme, FanExtreme, Linear, MeasureComparison)):
        yield _with(tree, comparison=_FLIPPED[tree.comparison]), f"{tree.comparison} became {_FLIPPED[tree.comparison]}"
        for step in (-1, 1):
            old, new = (number(limit, scale_of(tree)) for limit in (tree.limit, tree.limit + step))
            yield _with(tree, limit=tree.limit + step), f"limit {old} became {new}"
    if isinstance(tree, Motif):
        for index in range(len(tree.edges)):
            if len(tree.edges) > 1:
                yield Motif((*tree.edges[:index], *tree.edges[index + 1 :])), f"arrow {index + 1} of the motif left out"
    for part in dataclasses.fields(tree):
        value = getattr(tree, part.name)
        if part.compare and (isinstance(value, tuple) or dataclasses.is_dataclass(value)):
            for changed, change in _changed(value, operations):
                yield _with(tree, **{part.name: changed}), change


def _other_operations(ops: Ops, operations: tuple[str, ...]) -> Iterator[tuple[Ops, str]]:
    names = ops.names or frozenset()
    outside = [operation for operation in operations if operation not in names]
    for position, operation in enumerate(operations):
        if operation not in names:
            continue
        if len(names) > 1:
            yield Ops(names - {operation}), f"{operation} left out"
        if outside:
            other = outside[position % len(outside)]
            yield Ops(names - {operation} | {other}), f"{operation} swapped for {other}"


def _with(tree: Any, **changes: Any) -> Any:
    return dataclasses.replace(tree, **changes)
