"""Rank correlation of scores with what they should foretell, and its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["spearman", "spearman_interval"]

_BOOTSTRAPS = 2000


def spearman_interval(values: NDArray[np.float64], truth: NDArray[np.float64], *, seed: int) -> tuple[float, float]:
    """A 95 % percentile bootstrap interval of the rank correlation of `(n,)` values with `(n,)` others."""
    rows = np.random.default_rng(seed).integers(0, len(truth), size=(_BOOTSTRAPS, len(truth)))
    found = _correlations(values[rows], truth[rows])
    usable = found[np.isfinite(found)]  # of a draw whose values are all alike nothing can be said
    if not len(usable):
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [0.025, 0.975])
    return float(low), float(high)


def spearman(values: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Rank correlation of `(n,)` values; NaN ranks below all; NaN where one side is constant."""
    return float(_correlations(values[None], truth[None])[0])


def _correlations(values: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(k,)` rank correlation of each row of `(k, n)` values with the same row of others."""
    one, other = (rankdata(np.where(np.isnan(rows), -np.inf, rows), axis=1) for rows in (values, truth))
    one, other = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (one, other))
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.where(scale > 0, (one * other).sum(axis=1) / np.where(scale > 0, scale, 1.0), np.nan)
