"""Measurements with the intervals of `selfnas.training.intervals`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audits.contract.audit import Measurement
from selfnas.training import intervals

__all__ = ["measured_mean", "measured_median", "measured_share"]


def measured_share(statistic: str, count: int, n: int, *, subject: str = "", note: str = "") -> Measurement:
    """So many of `n`, with the exact interval; without an estimate where `n` is 0."""
    low, high = intervals.binomial(count, n)
    estimate = count / n if n else None
    return Measurement(subject=subject, statistic=statistic, estimate=estimate, low=low, high=high, n=n, note=note)


def measured_mean(statistic: str, values: NDArray[np.float64], *, note: str) -> Measurement:
    """The mean of `(n,)` values with Student's interval."""
    low, high = intervals.mean(values)
    return Measurement(statistic=statistic, estimate=float(values.mean()), low=low, high=high, n=len(values), note=note)


def measured_median(statistic: str, values: NDArray[np.float64], *, note: str) -> Measurement:
    """The median of `(n,)` values with the interval by order statistics."""
    low, high = intervals.median(values)
    return Measurement(
        statistic=statistic, estimate=float(np.median(values)), low=low, high=high, n=len(values), note=note
    )
