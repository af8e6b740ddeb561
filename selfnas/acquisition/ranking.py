"""When two programs are one: they order candidates in the same way, however their values differ.

A search takes the candidate of highest value, so a program and an increasing function of it are the same search. All
candidates of one proposal share incumbent and budget, so orders are compared within such a context.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping

import numpy as np

from selfnas.acquisition.evaluation import Values, evaluate
from selfnas.acquisition.expression import ATOMS, Expression
from selfnas.seeding import generator

__all__ = ["orders", "ranking"]

_CONTEXTS, _CANDIDATES = 12, 48
_DIGITS = 9  # of the largest value: rounding makes no two orders of one


@functools.cache
def _points() -> Mapping[str, Values]:
    """Of each atom `(contexts, candidates)` values, the same for every program."""
    rng = generator(0, "points on which programs are ranked")
    points: dict[str, Values] = {}
    for name, kind in ATOMS.items():
        shared = name in ("incumbent", "share")
        drawn = rng.uniform(kind.low, kind.high, size=(_CONTEXTS, 1 if shared else _CANDIDATES))
        points[name] = np.broadcast_to(drawn, (_CONTEXTS, _CANDIDATES))
    # Models seldom expect the extremes: half of the candidates lie where they mostly do.
    points["mean"] = np.where(np.arange(_CANDIDATES) % 2 == 0, points["mean"], points["mean"] / 2)
    return points


def ranking(tree: Expression) -> str:
    """SHA-256 of how a program orders the fixed candidates in each of the fixed contexts; equal for one search.

    Example:
        >>> from selfnas.acquisition.parser import parse_program
        >>> one, other = map(parse_program, ("mean - incumbent + spread", "2 * (spread + mean)"))
        >>> ranking(one) == ranking(other)
        True
    """
    return hashlib.sha256(_ranks(tree).astype(np.uint8).tobytes()).hexdigest()


def orders(tree: Expression) -> bool:
    """Whether a program prefers any candidate to another."""
    return bool(_ranks(tree).any())


def _ranks(tree: Expression) -> Values:
    values = evaluate(tree, _points())
    ranks = np.zeros(values.shape)
    for context, row in enumerate(values):
        largest = float(np.abs(row).max())
        if largest > 0:
            ranks[context] = np.unique(np.round(row / largest, _DIGITS), return_inverse=True)[1]
    return ranks
