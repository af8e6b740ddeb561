"""Spaces small enough to keep something for every vector: strategies ask for the same at every step."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from selfnas.spaces.architecture import Space
from selfnas.spaces.template import Vector

__all__ = ["every_vector", "is_small"]

_MOST = 20_000  # vectors; path features of so many take some 16 MB


@functools.cache
def is_small(space: Space) -> bool:
    """Whether all vectors, those that do not belong to the space included, are few enough."""
    return math.prod(space.kinds) <= _MOST


@functools.cache
def every_vector(space: Space) -> Vector:
    """`(count, slots)` every vector of a small space, in lexicographic order."""
    return np.array(list(itertools.product(*map(range, space.kinds))), dtype=np.int8)
