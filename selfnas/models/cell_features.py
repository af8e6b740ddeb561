"""Architectures as numbers for surrogate models: what lies along the paths of a cell, and which operation sits where.

Both are of the live part of a cell, so dead edges leave no trace. Traits summarise all paths from an input to an output
(how long, how many operations of each kind, how many with weights: the shortest, the longest and the mean path), which
lets a model learn from a few dozen scores what depth and width are worth; places tell cells of equal traits apart.
Source: Kadlecova et al. 2024 (ICML), neural graph features: operation counts and path lengths of cells. Ours summarise
each kind along all live paths, and leave out their paths through subsets of operations, which did not help.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from selfnas.networks.costs import operation_costs
from selfnas.search.small_space import every_vector, is_small
from selfnas.seeding import generator
from selfnas.spaces.architecture import Space
from selfnas.spaces.template import CellTemplate, Vector

__all__ = ["cell_features", "live_operations", "path_traits"]

Matrix = NDArray[np.float64]

_NO_PATH = -1.0  # of a trait where nothing leads from an input to an output
_CHANNELS, _SIZE = 16, (8, 8)  # at which operations are weighed against each other; only ratios matter
_NO_SKIP = 2  # where `_measures` has operations that are no skip
_SAMPLE = 2000  # architectures that stand for a space too large to look through


def cell_features(space: Space, vectors: Vector, *, places: float = 1.0) -> Matrix:
    """`(n, f)` traits of unit variance over the space, and `places` for each live edge and its operation, else 0.

    Where a search may choose macro settings, 1 for each value that one has, else 0.
    """
    if is_small(space):
        return _kept_features(space, places)[space.place(vectors)]
    return _features(space, vectors, places)


def live_operations(space: Space, vectors: Vector) -> Matrix:
    """`(n, features)` 1 where an edge that lies on a path from an input to an output carries an operation.

    One feature for each slot and operation; a dead edge is like an absent one.
    """
    columns = []
    for template, part in zip(space.templates, space.split(vectors), strict=True):
        kinds = np.arange(1, len(template.operations) + 1)
        marks = np.equal(template.effective(part)[:, :, None], kinds).astype(np.float64)
        columns.append(marks.reshape(len(part), marks.shape[1] * marks.shape[2]))
    return np.concatenate(columns, axis=1)


def path_traits(space: Space, vectors: Vector) -> Matrix:
    """`(n, traits)` of each cell in turn, in their own units: operations, paths, and logarithms of counts.

    For each of *length*, *operations with weights*, *operations that are no skip*, and each kind of operation: the
    most, the fewest and the mean along a live path. Then the logarithm of one plus the number of live paths, the
    paths of skips alone, live edges of each kind, and the logarithm of one plus the live weights.

    Example:
        >>> from selfnas.spaces.named import SPACES
        >>> cell = np.array([[3, 0, 0, 1, 3, 0]], dtype=np.int8)  # conv3x3 then conv3x3, beside a skip
        >>> traits = path_traits(SPACES["nb201"], cell)
        >>> traits[0, :3]  # longest, shortest and mean path
        array([2. , 1. , 1.5])
    """
    parts = zip(space.templates, space.split(vectors), strict=True)
    return np.concatenate([_template_traits(template, part) for template, part in parts], axis=1)


def _template_traits(template: CellTemplate, part: Vector) -> Matrix:
    paths = [list(path) for path in _slot_paths(template)]
    whole = np.stack([(part[:, path] > 0).all(axis=1) for path in paths], axis=1)
    any_path, count = whole.any(axis=1), np.maximum(whole.sum(axis=1), 1)
    columns = []
    sums = [np.stack([kind[part[:, path]].sum(axis=1) for path in paths], axis=1) for kind in _measures(template)]
    for along in sums:
        most = np.where(whole, along, _NO_PATH).max(axis=1)
        fewest = np.where(any_path, np.where(whole, along, np.inf).min(axis=1), _NO_PATH)
        mean = np.where(any_path, np.where(whole, along, 0).sum(axis=1) / count, _NO_PATH)
        columns += [most, fewest, mean]
    skips_alone = whole & (sums[_NO_SKIP] == 0)
    live = template.effective(part)
    columns += [np.log1p(whole.sum(axis=1)), skips_alone.sum(axis=1)]
    columns += [(live == kind).sum(axis=1) for kind in range(1, len(template.operations) + 1)]
    columns.append(np.log1p(_weights(template)[live].sum(axis=1)))
    return np.stack(columns, axis=1).astype(np.float64)


def _weights(template: CellTemplate) -> Matrix:
    """`(1 + operations,)` weights of each kind in multiples of the lightest that has any; 0 first, for no operation."""
    params = [operation_costs(operation, _CHANNELS, size=_SIZE).params for operation in template.operations]
    return np.array([0, *params]) / min((count for count in params if count), default=1)


def _measures(template: CellTemplate) -> list[Matrix]:
    """What is summed along paths, each as `(1 + operations,)` numbers by kind: length, weighted, no skip, each kind."""
    kinds = len(template.operations)
    no_skip = [0.0, *(float(not operation.identity) for operation in template.operations)]
    return [
        np.array([0.0] + [1.0] * kinds),
        (_weights(template) > 0).astype(np.float64),
        np.array(no_skip),
        *np.eye(kinds + 1)[1:],
    ]


@functools.cache
def _kept_features(space: Space, places: float) -> Matrix:
    return _features(space, every_vector(space), places)


def _features(space: Space, vectors: Vector, places: float) -> Matrix:
    middle, deviation = _moments(space)
    traits = (path_traits(space, vectors) - middle) / deviation
    return np.concatenate([traits, places * live_operations(space, vectors), space.settings(vectors)], axis=1)


@functools.cache
def _moments(space: Space) -> tuple[Matrix, Matrix]:
    """`(traits,)` means and standard deviations over a space, or over a fixed sample of a large one."""
    rows = every_vector(space) if is_small(space) else space.draw(generator(0, "features", space.name), _SAMPLE)
    traits = path_traits(space, rows)
    deviation = traits.std(axis=0)
    return traits.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


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
