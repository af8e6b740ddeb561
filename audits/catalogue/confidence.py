"""Calibration: is the network as sure as it is right?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from selfnas import seeding

__all__ = ["AUDIT", "calibration_error", "expected_error", "measure", "temperature"]

_BINS = 10
_RESAMPLES = 200
_LOG_TEMPERATURES = torch.linspace(-4.0, 5.0, 361, dtype=torch.float64)
_HALF_CHI_SQUARE = 3.841458820694124 / 2  # 95 % quantile, one degree of freedom


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """The temperature that would fit the logits to the audit labels, and the expected calibration error as it is.

    A temperature above 1 means overconfidence. Unlike the calibration error it sees overconfidence in a network that is
    seldom wrong, because its few errors are then made with certainty.
    """
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "confidence")
    logits, truth = examinee.audit_logits()[chosen], data.y[chosen].cpu()
    n = len(chosen)
    best, low, high = temperature(logits, truth)
    top = logits.softmax(1).max(1)
    sure, right = top.values.numpy(), (top.indices == truth).double().numpy()
    draw = seeding.generator(examinee.seed, "audits", "confidence")
    error, least, most = expected_error(sure, right, draw, debiased=bool(settings["debiased"]))
    note = f"mean confidence {sure.mean():.3f}, accuracy {right.mean():.3f}"
    return (
        Measurement(statistic="temperature", estimate=best, low=low, high=high, n=n, note=note),
        Measurement(
            statistic="error",
            estimate=error,
            low=least,
            high=most,
            n=n,
            note=f"{note}; {_BINS} bins, interval by {_RESAMPLES} bootstrap resamples",
        ),
    )


def expected_error(
    sure: NDArray[np.float64], right: NDArray[np.float64], draw: np.random.Generator, *, debiased: bool
) -> tuple[float, float, float]:
    """Expected calibration error of `(n,)` confidences and hits, and its interval.

    Chance alone makes gaps in bins, so the plain error of a perfectly calibrated network lies well above 0. Debiased,
    the mean of what such a network would show with these confidences is taken off the estimate, and its 97.5 % quantile
    off the lower limit: the interval then leaves out 0 in at most about one of forty such networks.

    Source: Bröcker and Smith 2007 (Weather and Forecasting 22), consistency resampling.
    """
    n = len(sure)
    again = draw.integers(0, n, (_RESAMPLES, n))
    error = float(calibration_error(sure[None], right[None])[0])
    spread = 1.96 * float(calibration_error(sure[again], right[again]).std(ddof=1))
    if not debiased:
        return error, max(0.0, error - spread), error + spread
    hits = (draw.random((_RESAMPLES, n)) < sure[None]).astype(np.float64)
    chance = calibration_error(np.broadcast_to(sure, hits.shape), hits)
    estimate = max(0.0, error - float(chance.mean()))
    return estimate, max(0.0, min(estimate, error - float(np.quantile(chance, 0.975)))), error + spread


def temperature(logits: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """The maximum-likelihood temperature of `(b, c)` logits and its profile-likelihood interval.

    Both lie on a grid from 0.018 to 148; where every label is the largest logit the estimate is its lower end.

    Source: Guo et al. 2017 (ICML) for temperature scaling.
    """
    inverse = torch.exp(-_LOG_TEMPERATURES)[:, None, None]
    scores = (logits[None] * inverse).log_softmax(2)
    losses = -scores.gather(2, labels[None, :, None].expand(len(inverse), -1, 1)).sum((1, 2))
    best = int(losses.argmin())
    inside = (losses <= losses[best] + _HALF_CHI_SQUARE).nonzero().flatten()
    limits = (int(inside.min()) - 1, int(inside.max()) + 1)  # one step wider: the crossing lies between grid points
    last = len(_LOG_TEMPERATURES) - 1
    values = torch.exp(_LOG_TEMPERATURES)[[best, max(0, limits[0]), min(last, limits[1])]]
    return float(values[0]), float(values[1]), float(values[2])


def calibration_error(sure: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(r,)` expected calibration error of `(r, n)` confidences and hits, in equal-width bins.

    Source: Naeini, Cooper, Hauskrecht 2015 (AAAI).
    """
    which = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [np.abs(((sure - right) * (which == index)).sum(1)) for index in range(_BINS)]
    result: NDArray[np.float64] = np.sum(gaps, axis=0) / sure.shape[1]
    return result


AUDIT = Audit(
    name="confidence",
    measure=measure,
    counts_all=True,
    statistics=(
        Statistic(name="temperature", bound="ceiling", high=200.0, meaning="what the logits should be divided by"),
        Statistic(name="error", bound="ceiling", meaning="expected calibration error"),
    ),
    settings=(
        Setting(name="samples", low=20, high=100_000),
        Setting(name="debiased", low=0, high=1, default=0.0),
    ),
    catches="a network that is sure when it is wrong",
    misses="shortcuts and backdoors: a network that cheats well is well calibrated",
    source="Guo et al. 2017, ICML (temperature); Naeini et al. 2015, AAAI (calibration error)",
    cost="20 ms",
)
