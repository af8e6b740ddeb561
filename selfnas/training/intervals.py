"""Confidence intervals of shares, differences, medians and means; two-sided, 95 % unless told otherwise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "area",
    "binomial",
    "difference",
    "explained",
    "mean",
    "median",
    "paired_difference",
    "paired_ratio",
    "quantile",
    "wilson",
]

LEVEL = 0.95


def binomial(successes: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of a proportion; `(0, 1)` for n = 0.

    Example:
        >>> tuple(round(limit, 4) for limit in binomial(0, 36))
        (0.0, 0.0974)

    Source: Clopper and Pearson 1934 (Biometrika 26).
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n, not {successes} of {n}")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def wilson(successes: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a proportion; `(0, 1)` for n = 0.

    Source: Wilson 1927 (JASA 22).
    """
    if n == 0:
        return 0.0, 1.0
    z = _z(level)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def difference(first: int, n_first: int, second: int, n_second: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the difference of two independent proportions, first minus second.

    Example:
        >>> tuple(round(limit, 4) for limit in difference(56, 70, 48, 80))
        (0.0524, 0.3339)

    Source: Newcombe 1998 (Statistics in Medicine 17), method 10, whose table II gives this example.
    """
    low_first, high_first = wilson(first, n_first, level=level)
    low_second, high_second = wilson(second, n_second, level=level)
    if n_first == 0 or n_second == 0:
        return low_first - high_second, high_first - low_second
    p, q = first / n_first, second / n_second
    low = p - q - math.hypot(p - low_first, high_second - q)
    high = p - q + math.hypot(high_first - p, q - low_second)
    return max(-1.0, low), min(1.0, high)


def paired_difference(only_first: int, only_second: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the difference of two proportions of the same observations, first minus second.

    Args:
        only_first: observations that count for the first alone.
        only_second: for the second alone.
        n: all observations.

    Example:
        >>> tuple(round(limit, 3) for limit in paired_difference(12, 4, 100))
        (-0.002, 0.159)

    Source: Bonett and Price 2012 (Journal of Educational and Behavioral Statistics 37), the adjusted Wald interval.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > n or not n:
        raise ValueError(f"need 0 <= {only_first} + {only_second} <= {n}, and n > 0")
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    centre, z = first - second, _z(level)
    half = z * math.sqrt((first + second - centre**2) / (n + 2))
    return max(-1.0, centre - half), min(1.0, centre + half)


def paired_ratio(first: NDArray[np.bool_], second: NDArray[np.bool_], *, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the ratio of two proportions that were counted on the same `(n,)` examples, first over second.

    The more alike the two answer, the narrower it is.

    Raises:
        ValueError: the second proportion is 0.

    Source: Donner and Zou 2012 (Statistical Methods in Medical Research 21), limits of a ratio of correlated estimates
    from those of each, which are Wilson's here.
    """
    n = len(first)
    p, q = float(first.mean()), float(second.mean())
    if q == 0:
        raise ValueError("nothing can be compared with a proportion of 0")
    (low_p, high_p), (low_q, high_q) = (wilson(int(each.sum()), n, level=level) for each in (first, second))
    spread = p * (1 - p) * q * (1 - q)
    alike = (float((first & second).mean()) - p * q) / math.sqrt(spread) if spread > 0 else 0.0
    lower = p * q - alike * (p - low_p) * (high_q - q)
    upper = p * q - alike * (high_p - p) * (q - low_q)
    below = math.sqrt(max(0.0, lower**2 - low_p * high_q * (2 * p - low_p) * (2 * q - high_q)))
    above = math.sqrt(max(0.0, upper**2 - high_p * low_q * (2 * p - high_p) * (2 * q - low_q)))
    return (lower - below) / (high_q * (2 * q - high_q)), (upper + above) / (low_q * (2 * q - low_q))


def median(values: NDArray[np.float64], *, level: float = LEVEL) -> tuple[float, float]:
    """Distribution-free interval of a median by order statistics; infinite limits when `n` is too small for the level.

    Example:
        >>> median(np.arange(1.0, 11.0))
        (2.0, 9.0)
    """
    from scipy.special import bdtr

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    rank = 0  # the largest k with P(Binomial(n, 1/2) < k) <= tail
    while rank < n // 2 and float(bdtr(rank, n, 0.5)) <= (1 - level) / 2:
        rank += 1
    return (float(ordered[rank - 1]), float(ordered[n - rank])) if rank else (-math.inf, math.inf)


def quantile(values: NDArray[np.float64], share: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Distribution-free interval of a quantile by order statistics; infinite where `n` is too small for the level.

    Example:
        >>> quantile(np.arange(1.0, 301.0), 0.95)
        (277.0, 293.0)

    Source: David and Nagaraja 2003 (Order Statistics, 3rd edition), section 7.1.
    """
    from scipy.special import bdtr

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n, tail = len(ordered), (1 - level) / 2
    below = bdtr(np.arange(n), n, share)  # by k, that at most k values lie below the quantile
    low = int(np.searchsorted(below, tail, side="right"))  # ranks from 1; 0 where even the smallest is too large
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (float(ordered[low - 1]) if low else -math.inf), (float(ordered[high - 1]) if high <= n else math.inf)


def mean(values: NDArray[np.float64], *, level: float = LEVEL) -> tuple[float, float]:
    """Student's t interval of a mean; infinite limits for fewer than two values."""
    from scipy.special import stdtrit

    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n < 2:
        return -math.inf, math.inf
    centre = float(values.mean())
    spread = float(stdtrit(n - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return centre - spread, centre + spread


def area(estimate: float, positive: int, negative: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of the area under a ROC curve: of how often a positive example is ranked above a negative one.

    Args:
        estimate: the area found, in [0, 1].
        positive: examples on the one side, at least 1.
        negative: examples on the other, at least 1.

    Source: Newcombe 2006 (Statistics in Medicine 25), method 5. Unlike DeLong's it has a width where nothing was ranked
        wrongly.
    """
    pairs, spread = positive * negative, (positive + negative) / 2 - 1

    def distance(value: float) -> float:
        variance = value * (1 - value) * (1 + spread * (1 - value) / (2 - value) + spread * value / (1 + value)) / pairs
        return abs(value - estimate) - _z(level) * math.sqrt(variance)

    def limit(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if distance(middle) <= 0 else (inside, middle)
        return outside

    return limit(estimate, 0.0), limit(estimate, 1.0)


def explained(
    predicted: NDArray[np.float64], truth: NDArray[np.float64], *, level: float = LEVEL
) -> tuple[float, float, float]:
    """Share of variance that is explained (R², mean over columns), and its interval by the jackknife.

    The jackknife is taken of the logarithm of what is not explained, which keeps limits below 1.

    Args:
        predicted: `(n, k)`.
        truth: `(n, k)`; a column without spread counts as not explained.
        level: of the interval.

    Returns:
        Estimate and limits; infinite limits for fewer than four examples.

    Source: Efron and Stein 1981 (Annals of Statistics 9).
    """
    from scipy.special import stdtrit

    n = len(truth)
    unexplained = _unexplained(predicted, truth)
    estimate = 1 - float(unexplained.mean())
    if n < 4 or estimate >= 1:
        return estimate, (-math.inf if n < 4 else estimate), (math.inf if n < 4 else estimate)
    squares, centred = (predicted - truth) ** 2, (truth - truth.mean(0)) ** 2
    left = centred.sum(0) - centred * n / (n - 1)  # the sum of squares without each example, about its own mean
    parts = np.divide(squares.sum(0) - squares, left, out=np.ones_like(left), where=left > 0).mean(1)
    logs = np.log(np.maximum(parts, np.finfo(np.float64).tiny))
    deviation = math.sqrt(float((n - 1) * logs.var()))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * deviation
    centre = math.log(1 - estimate)
    return estimate, 1 - math.exp(min(centre + half, 700.0)), 1 - math.exp(centre - half)


def _unexplained(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    errors = ((predicted - truth) ** 2).sum(0)
    shares: NDArray[np.float64] = np.divide(errors, spread, out=np.ones_like(spread), where=spread > 0)
    return shares


def _z(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)
