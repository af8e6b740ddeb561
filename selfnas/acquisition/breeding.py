"""New programs from known ones: by mutation, by crossover, and at random.

Source: Koza 1992 (genetic programming: subtree mutation and subtree crossover).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from selfnas.acquisition.expression import (
    ATOMS,
    LARGEST,
    MOST_NODES,
    UNIT,
    Apply,
    Atom,
    Constant,
    Expression,
    Operator,
    canonical,
    parts,
    size,
)
from selfnas.acquisition.parser import parse_program
from selfnas.acquisition.ranking import orders, ranking

__all__ = ["STARTS", "bred", "random_program", "starts"]

# Where the search for programs starts that has none yet: near expected improvement in value, by the known other ways to
# weigh what is expected against what is unsure.
STARTS = (
    "max(mean - incumbent, 0) + 0.4 * spread",
    "max(mean - incumbent, -1) + 0.5 * spread",
    "max(mean - incumbent, -1) + (1 - share) * spread",
    "max(mean - incumbent, -1) + 0.2 * distance",
)
_BINARY: tuple[Operator, ...] = ("+", "-", "*", "min", "max")
_CROSSED = 0.4  # of children
_TRIES = 50  # for each program that is wanted


def random_program(rng: np.random.Generator, *, most: int = MOST_NODES) -> Expression:
    """A program of at most so many nodes, in canonical form."""
    return canonical(_grown(rng, int(rng.integers(1, most + 1))))


def bred(parents: Sequence[Expression], rng: np.random.Generator, count: int) -> Iterator[Expression]:
    """Children that order candidates otherwise than every parent and every other child; at most `count`.

    Args:
        parents: the first is the one to improve; the others lend parts in a crossover.
        rng: decides all.
        count: how many are wanted; fewer come where chance finds no new ones.
    """
    known = {ranking(parent) for parent in parents}
    found = 0
    for _ in range(_TRIES * count):
        if found >= count:
            return
        parent = parents[0] if rng.random() < 0.5 else parents[int(rng.integers(len(parents)))]
        if len(parents) > 1 and rng.random() < _CROSSED:
            child = _crossed(parent, parents[int(rng.integers(len(parents)))], rng)
        else:
            child = _mutated(parent, rng)
        child = canonical(child)
        if size(child) > MOST_NODES or not orders(child) or (key := ranking(child)) in known:
            continue
        known.add(key)
        found += 1
        # The text is what is recorded, so what is rehearsed is what it reads as.
        yield child


def _grown(rng: np.random.Generator, nodes: int) -> Expression:
    if nodes <= 1:
        return _leaf(rng)
    if nodes == 2 or rng.random() < 0.1:
        return Apply("abs", (_grown(rng, nodes - 1),))
    left = int(rng.integers(1, nodes - 1))
    operator = _BINARY[rng.integers(len(_BINARY))]
    return Apply(operator, (_grown(rng, left), _grown(rng, nodes - 1 - left)))


def _leaf(rng: np.random.Generator) -> Expression:
    if rng.random() < 0.3:
        return _number(rng)
    return Atom(list(ATOMS)[rng.integers(len(ATOMS))])


def _number(rng: np.random.Generator) -> Constant:
    magnitude = float(f"{10 ** rng.uniform(-1.5, 0.7):.1g}")
    return Constant(round((1 if rng.random() < 0.75 else -1) * magnitude * UNIT))


def _mutated(tree: Expression, rng: np.random.Generator) -> Expression:
    """One change: of a number, a name or an operator, a part drawn anew, a part with a term more, or without one."""
    place = int(rng.integers(size(tree)))
    part = next(part for index, part in enumerate(parts(tree)) if index == place)
    kind = rng.random()
    if kind < 0.35:
        changed = _nudged(part, rng)
    elif kind < 0.55:
        changed = _grown(rng, int(rng.integers(1, 6)))
    elif kind < 0.8:
        changed = Apply(_BINARY[rng.integers(len(_BINARY))], (part, _grown(rng, int(rng.integers(1, 4)))))
    else:
        changed = part.items[rng.integers(len(part.items))] if isinstance(part, Apply) else _leaf(rng)
    return _with(tree, place, changed)


def _nudged(part: Expression, rng: np.random.Generator) -> Expression:
    if isinstance(part, Constant):
        moved = round(part.thousandths * float(np.exp(rng.normal(0.0, 0.7))))
        return Constant(int(np.clip(moved, -LARGEST, LARGEST))) if part.thousandths else _number(rng)
    if isinstance(part, Atom):
        return _leaf(rng)
    if part.operator == "abs":
        return part.items[0]
    return Apply(_BINARY[rng.integers(len(_BINARY))], part.items)


def _crossed(one: Expression, other: Expression, rng: np.random.Generator) -> Expression:
    """The first with a part of the second in the place of one of its own."""
    lent = list(parts(other))[rng.integers(size(other))]
    return _with(one, int(rng.integers(size(one))), lent)


def _with(tree: Expression, place: int, new: Expression) -> Expression:
    """The tree with another part at a place, counted as `parts` does."""
    if place == 0 or not isinstance(tree, Apply):
        return new
    place -= 1
    items = []
    for item in tree.items:
        nodes = size(item)
        items.append(_with(item, place, new) if 0 <= place < nodes else item)
        place -= nodes
    return Apply(tree.operator, tuple(items))


def starts() -> tuple[Expression, ...]:
    """The programs of `STARTS`."""
    return tuple(map(parse_program, STARTS))
