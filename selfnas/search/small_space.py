"""Spaces small enough to keep something for every vector: strategies ask for the same at every step."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from selfnas.spaces.architecture import Space
from selfnas.spaces.template import Vector

__all__ = ["every_vector", "is_small", "place"]

_MOST = 20_000  # vectors; path features of so many take some 16 MB


@functools.cache
def _kinds(space: Space) -> tuple[int, ...]:
    return tuple(len(template.operations) + 1 for template in space.templates for _ in template.slots)


@functools.cache
def is_small(space: Space) -> bool:
    """Whether all vectors, those that do not belong to the space included, are few enough."""
    return math.prod(_kinds(space)) <= _MOST


@functools.cache
def every_vector(space: Space) -> Vector:
    """`(count, slots)` every vector of a small space, in lexicographic order."""
    return np.array(list(itertools.product(*map(range, _kinds(space)))), dtype=np.int8)


def place(space: Space, vectors: Vector) -> NDArray[np.int64]:
    """`(n,)` where `(n, slots)` vectors stand in `every_vector`."""
    rows = np.zeros(len(vectors), dtype=np.int64)
    for column, kind in enumerate(_kinds(space)):
        rows = rows * kind + vectors[:, column]
    return rows
