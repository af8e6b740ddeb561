"""Kernels and warping, against the same written out one value at a time."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.baselines.baseline import Setting
from selfnas.baselines.catalogue import baseline_named
from selfnas.baselines.rocket import _TRIPLES, FEATURES, Kernels, _dilations, _responses, features_for
from selfnas.baselines.warping import BAND, warped_distances
from selfnas.data.targets import Target


def test_responses_are_those_of_the_kernels() -> None:
    """Of nine weights, three of 2 and the rest of -1, spread by the dilation."""
    x = np.random.default_rng(0).normal(size=(2, 3, 30)).astype(np.float32)
    mixing = np.ones((len(_TRIPLES), 3), dtype=np.float32)
    for dilation in (1, 3):
        found = _responses(x, dilation, mixing)
        for number in (0, 40, 83):
            weights = np.full(9, -1.0)
            weights[_TRIPLES[number]] = 2.0
            spread = np.zeros(8 * dilation + 1)
            spread[::dilation] = weights
            padded = np.pad(x[1].sum(axis=0), 4 * dilation)
            assert found[1, number] == pytest.approx(np.correlate(padded, spread, "valid"), abs=1e-4)
    single = _responses(x[:, :1], 2, np.ones((len(_TRIPLES), 1), dtype=np.float32))
    doubled = _responses(np.repeat(x[:, :1], 2, axis=1), 2, np.tile(np.float32([1, 0]), (len(_TRIPLES), 1)))
    assert single == pytest.approx(doubled, abs=1e-5)


@pytest.mark.parametrize("length", [8, 9, 24, 150, 1000])
def test_as_many_features_as_in_the_source(length: int) -> None:
    """Whatever the length, shares in [0, 1], and dilations that reach no further than a series."""
    x = np.random.default_rng(0).normal(size=(5, 1, length)).astype(np.float32)
    found = Kernels(x, seed=0)(x)
    assert found.shape == (5, FEATURES)
    assert (found.min() >= 0, found.max() <= 1) == (True, True)
    assert 8 * max(_dilations(length, 119)) < max(9, length)


@pytest.mark.parametrize(
    ("length", "asked", "features", "rows"),
    [(150, 150, FEATURES, 2500), (300, 10_000, 5292, 2500), (1000, 15_000, 1260, 1000), (5000, 10**5, 1008, 0)],
)
def test_many_long_series_have_fewer_features(length: int, asked: int, features: int, rows: int) -> None:
    """Before rows are left out; where even that takes too long there is no baseline."""
    setting = Setting(inputs="series", target=Target.of_classes(2), rows=5000, asked=asked, size=(1, length), seed=0)
    limit = baseline_named("rocket").limit(setting)
    assert max(0, min(limit, 2500)) >= rows
    assert (limit > 0) == (rows > 0)
    assert features_for(setting, max(1, min(rows, limit))) == pytest.approx(features, abs=84)


def test_warping_is_the_recurrence_within_the_band() -> None:
    """And never farther than without warping."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(3, 2, 20)).astype(np.float32), rng.normal(size=(4, 2, 20)).astype(np.float32)
    found = warped_distances(first, second)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            assert found[i, j] == pytest.approx(_written_out(a, b), rel=1e-5)
            assert found[i, j] <= ((a - b) ** 2).sum() + 1e-4
    assert warped_distances(first, first).diagonal() == pytest.approx(0, abs=1e-6)


def _written_out(a: np.ndarray, b: np.ndarray) -> float:
    length = a.shape[1]
    band, best = round(BAND * length), np.full((length + 1, length + 1), np.inf)
    best[0, 0] = 0
    for i in range(length):
        for j in range(length):
            if abs(i - j) <= band:
                cost = ((a[:, i] - b[:, j]) ** 2).sum()
                best[i + 1, j + 1] = cost + min(best[i, j], best[i, j + 1], best[i + 1, j])
    return float(best[length, length])
