"""Intervals agree with published values and cover as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selfnas.training import intervals


@given(n=st.integers(1, 400), share=st.floats(0, 1))
def test_binomial_agrees_with_scipy(n: int, share: float) -> None:
    """Clopper-Pearson and Wilson limits are those of scipy.stats."""
    k = round(n * share)
    test = stats.binomtest(k, n)
    for method, ours in (("exact", intervals.binomial(k, n)), ("wilson", intervals.wilson(k, n))):
        theirs = test.proportion_ci(0.95, method=method)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert ours[0] <= k / n + 1e-12
    assert ours[1] >= k / n - 1e-12


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ],
)
def test_difference_agrees_with_newcombe(counts: tuple[int, int, int, int], expected: tuple[float, float]) -> None:
    """Table II of Newcombe 1998, method 10."""
    assert intervals.difference(*counts) == pytest.approx(expected, abs=6e-5)


def test_two_sided_coverage() -> None:
    """At least 95 % of intervals hold the truth, and misses fall on both sides where they can."""
    draw = np.random.default_rng(0)
    for p, n in ((0.05, 120), (0.5, 160), (0.9, 300)):
        counts = draw.binomial(n, p, 2000)
        limits = np.array([intervals.binomial(int(k), n) for k in counts])
        below, above = (limits[:, 1] < p).mean(), (limits[:, 0] > p).mean()
        assert below <= 0.03
        assert above <= 0.03
    values = draw.exponential(1.0, (2000, 21))
    limits = np.array([intervals.median(row) for row in values])
    assert ((limits[:, 0] <= math.log(2)) & (math.log(2) <= limits[:, 1])).mean() >= 0.94
    assert (limits[:, 0] > math.log(2)).mean() > 0.005
    assert (limits[:, 1] < math.log(2)).mean() > 0.005
    values = draw.exponential(1.0, (2000, 300))
    limits = np.array([intervals.quantile(row, 0.95) for row in values])
    assert (limits[:, 0] > math.log(20)).mean() <= 0.03
    assert (limits[:, 1] < math.log(20)).mean() <= 0.03


def test_mean_agrees_with_scipy() -> None:
    """Student's t."""
    values = np.random.default_rng(1).normal(size=17)
    expected = stats.t.interval(0.95, 16, values.mean(), stats.sem(values))
    assert intervals.mean(values) == pytest.approx(expected)


def test_too_few_observations_say_nothing() -> None:
    """Without data the interval is everything."""
    assert intervals.binomial(0, 0) == (0.0, 1.0)
    assert intervals.difference(0, 0, 0, 0) == (-1.0, 1.0)
    assert intervals.median(np.arange(5.0)) == (-math.inf, math.inf)
    assert intervals.quantile(np.arange(5.0), 0.95) == (3.0, math.inf)
    assert intervals.mean(np.array([1.0])) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="successes"):
        intervals.binomial(3, 2)


@pytest.mark.parametrize(("share", "apart"), [(0.1, 0.0), (0.1, 0.06), (0.3, 0.1)])
def test_paired_differences_are_covered(share: float, apart: float) -> None:
    """In at least 93 % of samples, small ones too, the interval holds the difference."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        first, second, _ = rng.multinomial(40, [(share + apart) / 2, (share - apart) / 2, 1 - share])
        low, high = intervals.paired_difference(int(first), int(second), 40)
        held += low <= apart <= high
    assert held / 2000 > 0.93
