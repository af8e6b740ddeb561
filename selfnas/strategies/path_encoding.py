"""Architectures as counts of operation sequences from an input to an output.

The encoding sees what a network computes rather than how it is spelled: dead edges and node numbers leave no trace.
Source: White, Neiswanger, Savani 2021 (AAAI), BANANAS; ours counts paths instead of noting their presence, and cuts off
long paths, as they recommend.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from selfnas.space import CellTemplate, Space, Vector
from selfnas.strategies.small_space import every_vector, is_small, place

__all__ = ["cell_features", "live_operations", "path_counts"]

# Of live operations beside path counts and operation counts. Chosen among 0, 1 and 2 on the two tables that strategies
# are compared on: it helped a little on TransNAS-Bench-101 micro and made no clear difference on NAS-Bench-201.
_PLACE_WEIGHT = np.float32(2.0)
_LONGEST = 3  # operations; all paths of a 4-node cell, and most of those of a DARTS cell


def path_counts(space: Space, vectors: Vector, *, longest: int = _LONGEST) -> NDArray[np.float32]:
    """`(n, features)` how often each sequence of at most `longest` operations leads from an input to an output.

    Example:
        >>> from selfnas.space import SPACES
        >>> cell = np.array([[3, 0, 0, 1, 3, 0]], dtype=np.int8)  # conv3x3 then conv3x3, beside a skip
        >>> counts = path_counts(SPACES["nb201"], cell)
        >>> counts.shape, counts.sum()
        ((1, 84), np.float32(2.0))
    """
    columns = []
    for template, part in zip(space.templates, space.split(vectors), strict=True):
        kinds = len(template.operations)
        paths = _slot_paths(template)
        for length in range(1, longest + 1):
            counts = np.zeros((len(part), kinds**length), dtype=np.float32)
            for path in (path for path in paths if len(path) == length):
                operations = part[:, list(path)].astype(np.int64)
                whole = np.flatnonzero((operations > 0).all(axis=1))
                code = (operations[whole] - 1) @ (kinds ** np.arange(length))
                # One path gives a row at most one count, so no index occurs twice.
                counts[whole, code] += 1
            columns.append(counts)
    return np.concatenate(columns, axis=1)


def live_operations(space: Space, vectors: Vector) -> NDArray[np.float32]:
    """`(n, features)` 1 where an edge that lies on a path from an input to an output carries an operation.

    One feature for each slot and operation; a dead edge is like an absent one.
    """
    columns = []
    for template, part in zip(space.templates, space.split(vectors), strict=True):
        live = np.zeros(part.shape, dtype=bool)
        for path in map(list, _slot_paths(template)):
            live[:, path] |= np.asarray((part[:, path] > 0).all(axis=1))[:, None]
        kinds = np.arange(1, len(template.operations) + 1)
        marks = np.equal(np.where(live, part, 0)[:, :, None], kinds).astype(np.float32)
        columns.append(marks.reshape(len(part), -1))
    return np.concatenate(columns, axis=1)


def cell_features(space: Space, vectors: Vector) -> NDArray[np.float64]:
    """`(n, f)` what is computed, by how much of each operation, and where in the cell."""
    if is_small(space):
        return _kept_features(space)[place(space, vectors)]
    return _features(space, vectors)


@functools.cache
def _kept_features(space: Space) -> NDArray[np.float64]:
    return _features(space, every_vector(space))


def _features(space: Space, vectors: Vector) -> NDArray[np.float64]:
    live = live_operations(space, vectors)
    counts, start = [], 0
    for template in space.templates:
        stop = start + len(template.slots) * len(template.operations)
        counts.append(live[:, start:stop].reshape(len(live), len(template.slots), -1).sum(axis=1))
        start = stop
    every = np.concatenate([path_counts(space, vectors), *counts, _PLACE_WEIGHT * live], axis=1)
    return every.astype(np.float64)


@functools.cache
def _slot_paths(template: CellTemplate) -> tuple[tuple[int, ...], ...]:
    """Every chain of slots from an input to an output."""
    found: list[tuple[int, ...]] = []

    def extend(node: int, path: tuple[int, ...]) -> None:
        if node < template.inputs:
            found.append(path)
            return
        for index, (source, target) in enumerate(template.slots):
            if target == node:
                extend(source, (index, *path))

    for node in template.outputs:
        extend(node, ())
    return tuple(found)
