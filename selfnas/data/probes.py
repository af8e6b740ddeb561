"""What a task is like, from cheap statistics: how memory recognises a task it has met in another guise.

Most features are the same for a task and its rotated, mirrored, inverted or relabelled variants, because they read the
geometry of the examples (distances and spectra, which no orthogonal change of the input touches) and order classes by
that geometry instead of by number. `roughness` tells natural inputs from shuffled ones, which convolutions do too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.data.raw import Floats
from selfnas.data.targets import Labels, Targets, classes_of
from selfnas.data.tasks import Task
from selfnas.errors import InputError
from selfnas.seeding import generator

__all__ = ["FEATURES", "TaskDescription", "describe", "distance", "kinds_of"]

_MAX_EXAMPLES = 1000
_MIN_EXAMPLES = 100
_PSEUDO_CLASSES = 8  # that numbers and combinations of labels are sorted into
_MAX_NUMBERS = 2**22  # looked at in all; inputs so large that this binds are seen through fewer examples
_MAX_INPUTS = 4096  # larger inputs are averaged down first
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_EIGENVALUES = 6
_RANKS = (1, 2, 4, 8, 16)

# Feature: (difference that counts as entirely unlike, weight). A weight says how much a mismatch should lower the trust
# in what was learned on the other task. Set by judgement; the tests check the order of distances between known tasks.
FEATURES: Mapping[str, tuple[float, float]] = {
    "dimensions": (1.0, 4.0),
    "log2_train": (8.0, 0.5),
    "log2_positions": (6.0, 1.0),
    "log2_channels": (3.0, 1.0),
    "log2_classes": (3.0, 1.5),
    "class_entropy": (0.5, 0.5),
    "skewness": (3.0, 0.5),
    "log_kurtosis": (2.0, 0.5),
    "roughness": (0.5, 3.0),
    "neighbour_accuracy": (0.5, 1.5),
    "mean_accuracy": (0.5, 1.5),
    "log2_separation": (2.0, 1.0),
    **{f"class_distance_{int(100 * q)}": (0.6, 0.4) for q in _QUANTILES},
    **{f"class_spectrum_{k}": (0.2, 0.3) for k in range(_EIGENVALUES)},
    **{f"variance_in_{rank}": (0.4, 0.4) for rank in _RANKS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDescription:
    """The features of one task.

    Attributes:
        values: finite, one per key of `FEATURES`, in that order.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(FEATURES) or not all(map(math.isfinite, self.values)):
            raise InputError(f"a task description has {len(FEATURES)} finite numbers, not {self.values}")

    def named(self) -> dict[str, float]:
        """The features by name."""
        return dict(zip(FEATURES, self.values, strict=True))

    def to_json(self) -> str:
        """A JSON object of names and numbers."""
        return json.dumps(self.named(), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> TaskDescription:
        """Read what `to_json` wrote.

        Raises:
            InputError: not such an object.
        """
        try:
            named = json.loads(text)
            if set(named) != set(FEATURES):
                raise InputError(f"a task description has the features {', '.join(FEATURES)}, not {', '.join(named)}")
            return TaskDescription(values=tuple(float(named[name]) for name in FEATURES))
        except (json.JSONDecodeError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"not a task description in JSON: {text[:80]!r}") from error


def describe(task: Task, *, seed: int) -> TaskDescription:
    """The features of a task, from at most 1,000 of its training examples.

    Only the train split is read, so that nothing about the other splits enters memory.
    """
    rng = generator(seed, "describe")
    affordable = max(_MIN_EXAMPLES, _MAX_NUMBERS // math.prod(task.train.x.shape[1:]))
    chosen = np.sort(rng.permutation(len(task.train))[: min(_MAX_EXAMPLES, affordable)])
    every, classes = kinds_of(task.train.y)
    x, y = task.train.x[chosen], every[chosen]
    flat = _averaged(x).reshape(len(x), -1).astype(np.float64)
    found = {
        "dimensions": float(task.shape.dimensions),
        "log2_train": math.log2(len(task.train)),
        "log2_positions": math.log2(math.prod(task.shape.size)),
        "log2_channels": math.log2(task.shape.channels),
        "log2_classes": math.log2(classes),
        "class_entropy": _entropy(every, classes),
        **_moments(x),
        "roughness": _roughness(x),
        **_accuracies(flat, y, classes),
        **_class_geometry(flat, y),
        **_variance_shares(flat),
    }
    return TaskDescription(values=tuple(float(found[name]) for name in FEATURES))


def kinds_of(y: Targets) -> tuple[Labels, int]:
    """`(n,)` a number for each example that stands for its class, and how many there are, at least 2.

    Numbers are sorted into quantiles of the first of them; of several labels at once each combination is one, the rarer
    ones together. So tasks of every kind are described by the same features.
    """
    if y.dtype == np.int64:
        classes = classes_of(y)
        return classes, max(2, int(classes.max()) + 1)
    if y.shape[1] > 1 and np.isin(y, (0, 1)).all():
        _, index, counts = np.unique(y, axis=0, return_inverse=True, return_counts=True)
        common = np.argsort(-counts, kind="stable")[: _PSEUDO_CLASSES - 1]
        places = np.full(len(counts), len(common), dtype=np.int64)
        places[common] = np.arange(len(common))
        found = places[index.reshape(-1)]
    else:
        edges = np.unique(np.quantile(y[:, 0], np.arange(1, _PSEUDO_CLASSES) / _PSEUDO_CLASSES))
        found = np.searchsorted(edges, y[:, 0], side="right").astype(np.int64)
    return found, max(2, int(found.max()) + 1)


def distance(one: TaskDescription, other: TaskDescription) -> float:
    """How unlike two tasks are: 0 for equal descriptions, at most 1.

    The weighted mean over features of the difference, each capped where it counts as entirely unlike.
    """
    return float(distances(one, np.array([other.values]))[0])


def distances(one: TaskDescription, others: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n,)` how unlike a task is to each of `(n, f)` other descriptions' values; see `distance`."""
    scale, weight = np.array(list(FEATURES.values())).T
    unlike = np.minimum(np.abs(np.subtract(one.values, others)) / scale, 1.0)
    total: NDArray[np.float64] = (weight * unlike).sum(axis=1) / weight.sum()
    return total


def _averaged(x: Floats) -> Floats:
    """Neighbouring positions averaged until an example has few enough numbers."""
    smaller = x
    while math.prod(smaller.shape[1:]) > _MAX_INPUTS and max(smaller.shape[2:], default=1) >= 2:
        for axis in range(2, x.ndim):
            even = smaller.shape[axis] - smaller.shape[axis] % 2
            if even:
                left, right = (np.take(smaller, np.arange(start, even, 2), axis=axis) for start in (0, 1))
                smaller = (left + right) / np.float32(2)
    return smaller


def _entropy(y: Labels, classes: int) -> float:
    """Entropy of the class shares; 1 when balanced."""
    share = np.bincount(y, minlength=classes) / len(y)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / math.log(classes))


def _moments(x: Floats) -> dict[str, float]:
    """Shape of the distribution of input values; sign dropped, so that inverting changes nothing."""
    centred = (x - x.mean(dtype=np.float64)).astype(np.float64)
    deviation = centred.std() or 1.0
    return {
        "skewness": abs(float((centred**3).mean() / deviation**3)),
        "log_kurtosis": math.log1p(float((centred**4).mean() / deviation**4)),
    }


def _roughness(x: Floats) -> float:
    """Mean squared difference of neighbouring positions over twice the variance: 0 smooth, 1 unrelated.

    Columns of a table have no neighbours, and count as unrelated.
    """
    if x.ndim == 2:
        return 1.0
    steps = [float((np.diff(x, axis=axis).astype(np.float64) ** 2).mean()) for axis in range(2, x.ndim)]
    return float(np.mean(steps)) / (2 * float(x.var(dtype=np.float64)) or 1.0)


def _accuracies(flat: NDArray[np.float64], y: Labels, classes: int) -> dict[str, float]:
    """One half of the examples classifies the other: nearest neighbour, and nearest class mean.

    Scaled so that chance is 0 and perfect is 1.
    """
    known, known_y, asked, asked_y = flat[::2], y[::2], flat[1::2], y[1::2]
    seen = np.unique(known_y)
    means = np.stack([known[known_y == label].mean(axis=0) for label in seen])
    scores = {}
    for name, points, labels in (("neighbour_accuracy", known, known_y), ("mean_accuracy", means, seen)):
        gap = (points**2).sum(axis=1) - 2 * asked @ points.T
        right = float((labels[gap.argmin(axis=1)] == asked_y).mean()) if len(asked) else 0.0
        scores[name] = (right - 1 / classes) / (1 - 1 / classes)
    return scores


def _class_geometry(flat: NDArray[np.float64], y: Labels) -> dict[str, float]:
    """How far apart the class means lie, as multiples of their mean distance, and how many directions they fill."""
    labels = np.unique(y)
    means = np.stack([flat[y == label].mean(axis=0) for label in labels])
    within = math.sqrt(
        sum(float(((flat[y == label] - m) ** 2).sum()) for label, m in zip(labels, means, strict=True)) / len(y)
    )
    upper = np.triu_indices(len(labels), 1)
    apart = np.linalg.norm(means[upper[0]] - means[upper[1]], axis=1) if len(labels) > 1 else np.zeros(1)
    average = float(apart.mean()) or 1.0
    centred = means - means.mean(axis=0)
    spectrum = _shares(np.linalg.eigvalsh(centred @ centred.T), _EIGENVALUES)
    return {
        "log2_separation": math.log2(average / (within or 1.0) + 1e-3),
        **{f"class_distance_{int(100 * q)}": float(np.quantile(apart / average, q)) for q in _QUANTILES},
        **{f"class_spectrum_{k}": share for k, share in enumerate(spectrum)},
    }


def _variance_shares(flat: NDArray[np.float64]) -> dict[str, float]:
    """How much of the variance the first principal directions hold."""
    centred = flat - flat.mean(axis=0)
    small = centred @ centred.T if len(flat) < flat.shape[1] else centred.T @ centred
    running = np.cumsum(_shares(np.linalg.eigvalsh(small), max(_RANKS)))
    return {f"variance_in_{rank}": float(running[rank - 1]) for rank in _RANKS}


def _shares(eigenvalues: NDArray[np.float64], count: int) -> list[float]:
    """The largest `count` as shares of the sum, in descending order, zeros where there are fewer."""
    values = np.clip(eigenvalues[::-1], 0, None)
    total = float(values.sum()) or 1.0
    padded = np.zeros(count)
    padded[: min(count, len(values))] = values[:count] / total
    return [float(value) for value in padded]
