"""Features of series by many fixed kernels, and a ridge on them: strong, and fitted in seconds.

After MiniRocket: all 84 kernels of nine weights of which three are 2 and six are -1, dilated by powers up to the length
of a series. A feature is the share of a series at which a kernel's response exceeds a bias, and biases are quantiles of
responses to training series. Unlike there, all rows share one draw of channels by kernel and dilation, and a number of
rows is transformed at once.

Source: Dempster, Schmidt, Webb 2021 (KDD), MiniRocket.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.baselines.baseline import Floats, Form, Predict, Scores, Setting
from selfnas.data.targets import Targets

__all__ = ["FEATURES", "FEWEST_FEATURES", "Kernels", "features_for", "most_series", "rocket"]

FEATURES = 9_996  # 84 kernels by 119, as in the source
FEWEST_FEATURES = 1_008
_COMPARED = 2e10  # responses with biases, at most
_TAPS = 9
_TRIPLES = np.array(list(itertools.combinations(range(_TAPS), 3)))  # (84, 3) where a kernel's weight is 2
_MOST_DILATIONS = 32
_MOST_CHANNELS = 9  # that a kernel sums over, at most
_AT_ONCE = 2**22  # numbers in one block of responses
_PENALTIES = tuple(np.logspace(-3, 3, 10))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Dilated:
    """The kernels at one dilation.

    Attributes:
        dilation: steps between two taps.
        mixing: `(84, channels)` 1 where a kernel looks at a channel, else 0.
        biases: `(84, m)`, ascending shares of responses.
    """

    dilation: int
    mixing: Floats
    biases: Floats


class Kernels:
    """Fitted kernels.

    Args:
        x: `(n, channels, length)` training series, from which biases are taken.
        seed: decides channels and the series that biases are taken from.
        features: at most so many.
    """

    def __init__(self, x: Floats, *, seed: int, features: int = FEATURES) -> None:
        rng = seeding.generator(seed, "rocket")
        channels, length = x.shape[1:]
        counts = _dilations(length, max(1, features // len(_TRIPLES)))
        quantiles = _spread_out(sum(counts.values()) * len(_TRIPLES)).reshape(-1, len(_TRIPLES))
        self._parts: list[_Dilated] = []
        start = 0
        for dilation, count in counts.items():
            mixing = _mixing(channels, rng)
            chosen = x[rng.integers(len(x), size=len(_TRIPLES))]
            seen = np.stack([_responses(chosen[k : k + 1], dilation, mixing)[0, k] for k in range(len(_TRIPLES))])
            own = quantiles[start : start + count].T
            biases = np.stack([np.quantile(row, at) for row, at in zip(seen, own, strict=True)])
            self._parts.append(_Dilated(dilation=dilation, mixing=mixing, biases=np.sort(biases).astype(np.float32)))
            start += count

    def __call__(self, x: Floats) -> Floats:
        """`(n, features)` shares in [0, 1] of `(n, channels, length)` series."""
        block = max(1, _AT_ONCE // (len(_TRIPLES) * x.shape[-1]))
        return np.concatenate([self._features(x[i : i + block]) for i in range(0, len(x), block)])

    def _features(self, x: Floats) -> Floats:
        return np.concatenate([found for part in self._parts for found in _shares(x, part)], axis=1)


def rocket(x: Floats, y: Targets, setting: Setting) -> Predict:
    """Kernels, then a ridge whose penalty leave-one-out chooses."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums in one order, whatever the machine
        kernels = Kernels(x, seed=setting.seed, features=features_for(setting, len(x)))
        found = kernels(x)
        centre, spread = found.mean(axis=0), found.std(axis=0)
        spread[spread < 1e-6] = 1.0
        scores = _RIDGES[setting.form]((found - centre) / spread, y, setting)

    def predict(rows: Floats) -> Scores:
        with threadpool_limits(1):
            return scores((kernels(rows) - centre) / spread)

    return predict


def most_series(setting: Setting, features: int) -> int:
    """How many series can be transformed to so many features, each response compared with its bias, in seconds."""
    return int(_COMPARED / (features * setting.size[-1] * max(1, setting.size[0] / 16)))


def features_for(setting: Setting, rows: int) -> int:
    """How many features there is time for, of rows to fit and those that are asked, in whole sets of kernels."""
    per_feature = most_series(setting, 1) / (rows + setting.asked)
    kernels = len(_TRIPLES)
    return int(min(FEATURES, max(FEWEST_FEATURES, per_feature))) // kernels * kernels


def _dilations(length: int, per_kernel: int) -> Mapping[int, int]:
    """How many features of a kernel each dilation has; small dilations share those that are left."""
    count = min(per_kernel, _MOST_DILATIONS)
    largest = np.log2(max(1.0, (length - 1) / (_TAPS - 1)))
    found, times = np.unique(np.logspace(0, largest, count, base=2).astype(np.int64), return_counts=True)
    times = (times * (per_kernel / count)).astype(np.int64)
    times[: per_kernel - int(times.sum())] += 1
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def _spread_out(count: int) -> NDArray[np.float64]:
    """`(count,)` quantiles of low discrepancy, multiples of the golden ratio."""
    found: NDArray[np.float64] = (np.arange(1, count + 1) * ((np.sqrt(5) + 1) / 2)) % 1.0
    return found


def _mixing(channels: int, rng: np.random.Generator) -> Floats:
    """`(84, channels)` channels that each kernel looks at, few more often than many."""
    most = min(channels, _MOST_CHANNELS)
    counts = (2 ** rng.uniform(0, np.log2(most + 1), len(_TRIPLES))).astype(np.int64).clip(1, most)
    mixing = np.zeros((len(_TRIPLES), channels), dtype=np.float32)
    for row, count in zip(mixing, counts, strict=True):
        row[rng.choice(channels, int(count), replace=False)] = 1.0
    return mixing


def _responses(x: Floats, dilation: int, mixing: Floats) -> Floats:
    """`(n, 84, length)` of every kernel at every place; series are 0 beyond their ends."""
    taps = np.stack(list(_taps(x, dilation)))  # (9, n, channels, length)
    if x.shape[1] == 1:
        taps = taps[:, :, 0]
        total = -taps.sum(axis=0)[:, None]
        single: Floats = total + 3 * np.stack([taps[a] + taps[b] + taps[c] for a, b, c in _TRIPLES], axis=1)
        return single
    total = -taps.sum(axis=0)
    mixed = np.stack(
        [
            np.einsum("c,ncl->nl", own, total + 3 * (taps[a] + taps[b] + taps[c]))
            for own, (a, b, c) in zip(mixing, _TRIPLES, strict=True)
        ],
        axis=1,
    )
    return mixed.astype(np.float32)


def _taps(x: Floats, dilation: int) -> Iterator[Floats]:
    """What each tap of a kernel sees, the middle one the series itself."""
    length, reach = x.shape[-1], dilation * (_TAPS // 2)
    padded = np.pad(x, ((0, 0), (0, 0), (reach, reach)))
    return (padded[..., tap * dilation : tap * dilation + length] for tap in range(_TAPS))


def _shares(x: Floats, part: _Dilated) -> Iterator[Floats]:
    """`(n, 84)` for each bias; every other kernel and bias counts only where no tap lies beyond an end."""
    responses = _responses(x, part.dilation, part.mixing)
    reach = part.dilation * (_TAPS // 2)
    inner = responses[..., reach:-reach] if 2 * reach < responses.shape[-1] else responses
    kernels = np.arange(len(_TRIPLES))
    for number, biases in enumerate(part.biases.T):
        found = np.empty((len(x), len(_TRIPLES)), dtype=np.float32)
        for seen, own in ((responses, kernels[number % 2 :: 2]), (inner, kernels[(number + 1) % 2 :: 2])):
            found[:, own] = (seen[:, own] > biases[own, None]).mean(axis=-1, dtype=np.float32)
        yield found


def _ridge_of_classes(x: Floats, y: Targets, setting: Setting) -> Predict:
    """The softmax of the margins; a class that is in no row has 0."""
    from sklearn.linear_model import RidgeClassifierCV

    model = RidgeClassifierCV(alphas=_PENALTIES).fit(x, y)

    def scores(rows: Floats) -> Scores:
        margins = np.asarray(model.decision_function(rows), dtype=np.float64)
        raised = np.exp(np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins)
        found = np.zeros((len(rows), setting.columns))
        found[:, model.classes_] = raised / raised.sum(axis=1, keepdims=True)
        return found

    return scores


def _ridge_of_labels(x: Floats, y: Targets, setting: Setting) -> Predict:
    """A ridge towards 0 and 1, cut to shares."""
    scores = _ridge_of_numbers(x, y, setting)
    return lambda rows: scores(rows).clip(0.0, 1.0)


def _ridge_of_numbers(x: Floats, y: Targets, setting: Setting) -> Predict:
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(alphas=_PENALTIES).fit(x, y)
    return lambda rows: np.asarray(model.predict(rows), dtype=np.float64).reshape(len(rows), setting.columns)


_RIDGES: Mapping[Form, Callable[[Floats, Targets, Setting], Predict]] = {
    "classes": _ridge_of_classes, "labels": _ridge_of_labels, "numbers": _ridge_of_numbers,
}  # fmt: skip
