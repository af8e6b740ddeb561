"""The difference of two predictors on the same examples, by any metric, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from selfnas import seeding
from selfnas.data.targets import Target
from selfnas.training.metrics import METRICS, measure

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Difference", "metric_difference"]

_GROUPS = 40  # of examples, left out in turn
_FEWEST = 8  # groups, for an interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """By how much the first predictor is better, in the unit of the metric.

    Attributes:
        estimate: above 0 where the first is better, also by a metric of which less is better.
        low: lower limit of the 95 % interval; None where there are too few examples.
        high: upper limit.
    """

    estimate: float
    low: float | None
    high: float | None


def metric_difference(metric: str, first: Tensor, second: Tensor, y: Tensor, target: Target) -> Difference:
    """Compare what two predictors gave for the same examples.

    The interval is that of the delete-a-group jackknife: the difference is taken again without each of 40 groups of
    examples, which costs 80 measurements and holds for whatever is a smooth function of means.

    Args:
        metric: one that fits the target.
        first: `(n, outputs)`, finite, as a network gives them.
        second: likewise.
        y: as a split holds it.
        target: says what all of them mean.

    Raises:
        KeyError: no such metric.
        ValueError: it does not fit the target, or outputs are not finite.

    Source: Shao and Wu 1989 (Annals of Statistics 17).
    """
    import torch
    from scipy.special import stdtrit

    sign = 1.0 if METRICS[metric].higher else -1.0

    def apart(rows: Tensor) -> float:
        found = (measure(metric, outputs[rows], y[rows], target).estimate for outputs in (first, second))
        return sign * (next(found) - next(found))

    count = len(y)
    estimate = apart(torch.arange(count))
    groups = min(_GROUPS, count // 2)
    if groups < _FEWEST:
        return Difference(estimate=estimate, low=None, high=None)
    order = seeding.generator(0, "groups", count).permutation(count)
    parts = np.array_split(order, groups)
    without = np.array([apart(torch.from_numpy(np.setdiff1d(order, part))) for part in parts])
    spread = math.sqrt((groups - 1) / groups * float(((without - without.mean()) ** 2).sum()))
    reach = float(stdtrit(groups - 1, 0.975)) * spread
    return Difference(estimate=estimate, low=estimate - reach, high=estimate + reach)
