"""Confidence intervals of shares, differences, medians and means; two-sided, 95 % unless told otherwise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "binomial",
    "difference",
    "mean",
    "median",
    "paired_difference",
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


def _z(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)
