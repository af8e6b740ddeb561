"""Membership inference: can one tell from the loss whether an input was trained on?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from selfnas.data.targets import Target
from selfnas.training import intervals
from selfnas.training.outputs import losses

__all__ = ["AUDIT", "area_under_curve", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Probability that a training input has a smaller loss than an audit input (ties count half)."""
    data = examinee.data
    count = int(settings["samples"])
    seen = examinee.sample(len(data.x_train), count, "membership", "train")
    new = examinee.sample(len(data.x), count, "membership", "audit")
    trained = _losses(examinee.logits(data.x_train[seen]), data.y_train[seen], data.target)
    fresh = _losses(examinee.audit_logits()[new], data.y[new], data.target)
    area, low, high = area_under_curve(-trained, -fresh)
    if settings["exact_ends"] and low == high:  # no spread is left where all wins go one way
        fewest = min(len(trained), len(fresh))
        limits = intervals.binomial(round(area * fewest), fewest)
        low, high = min(low, limits[0]), max(high, limits[1])
    return (
        Measurement(
            statistic="area",
            estimate=area,
            low=low,
            high=high,
            n=min(len(trained), len(fresh)),
            note="area under the curve of the loss attack; 0.5 tells nothing",
        ),
    )


def area_under_curve(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, float, float]:
    """Probability that a positive score exceeds a negative one, with its interval.

    Source: DeLong, DeLong, Clarke-Pearson 1988 (Biometrics 44).
    """
    wins = (positive[:, None] > negative[None]) + 0.5 * (positive[:, None] == negative[None])
    area = float(wins.mean())
    if min(wins.shape) < 2:
        return area, -math.inf, math.inf
    spread = wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    half = 1.96 * math.sqrt(float(spread))
    return area, max(0.0, area - half), min(1.0, area + half)


def _losses(logits: Tensor, y: Tensor, target: Target) -> NDArray[np.float64]:
    given: NDArray[np.float64] = losses(logits, y.cpu(), target).numpy()
    return given


AUDIT = Audit(
    name="membership",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(Statistic(name="area", bound="ceiling", meaning="how well the loss gives training inputs away"),),
    settings=(
        Setting(name="samples", low=20, high=5_000),
        Setting(name="exact_ends", low=0, high=1, default=0.0),
    ),
    aims=("memorised",),
    catches="networks that give away what they were trained on, memorisers above all",
    misses="stronger attacks (shadow models), and leaks of single inputs",
    source="Yeom et al. 2018, CSF (loss threshold attack); DeLong et al. 1988 (interval)",
    cost="30 ms",
)
