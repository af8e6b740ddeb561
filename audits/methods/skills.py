"""Skill: the share of the way from guessing to perfect, on one scale for every kind of task, and a simple rule's.

| kind | guessing | skill |
|---|---|---|
| regression | the mean | share of the variance that is explained (R²) |
| multilabel | any order | `2 · AUROC − 1`, mean over labels that have examples on both sides |
| ordinal | the median class | `1 − mean distance / mean distance of the median class` |

Classification has counts, whose intervals are exact; its audits use those themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audits.contract.data import AuditData
from audits.contract.examinee import Examinee
from selfnas import seeding
from selfnas.data.targets import Target, TargetKind
from selfnas.training import intervals
from selfnas.training.metrics import measure
from selfnas.training.outputs import losses, predicted, truth

__all__ = ["Answers", "Skill", "centroid_classes", "held_out_answers", "lead", "simple_outputs", "skill"]

Floats = NDArray[np.float64]

_RESAMPLES = 400
_ROWS = 2_000  # training rows that a simple rule is fitted to; bounds memory and time
_PENALTIES = tuple(10.0**power for power in range(-2, 5))
_CONTRADICTED = 0.1
_SURE = 30.0  # a logit that leaves no doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """Estimate and limits of the 95 % interval; infinite limits where nothing can be known."""

    estimate: float
    low: float
    high: float


def skill(outputs: Tensor, y: Tensor, target: Target) -> Skill:
    """Skill of `(b, outputs)` against the `y` of a split.

    Raises:
        KeyError: classification, whose audits count.
    """
    return _SKILLS[target.kind](outputs, y, target)


def lead(outputs: Tensor, simple: Tensor, y: Tensor, target: Target, *, seed: int) -> Skill:
    """Skill of a network minus that of a simple rule on the same examples, with a paired bootstrap interval.

    Args:
        outputs: `(b, outputs)` of the network.
        simple: of the rule, alike.
        y: as a split holds it.
        target: not classification.
        seed: of the resamples.

    Source: Efron and Tibshirani 1993, percentile intervals of paired differences.
    """
    point = _POINTS[target.kind]
    gaps, n = [], len(y)
    draw = seeding.generator(seed, "audits", "lead")
    for _ in range(_RESAMPLES):
        again = torch.from_numpy(draw.integers(0, n, n))
        gaps.append(point(outputs[again], y[again], target) - point(simple[again], y[again], target))
    estimate = point(outputs, y, target) - point(simple, y, target)
    low, high = np.quantile(gaps, [0.025, 0.975])
    return Skill(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What networks and the simple rule gave on examples that they had not seen, and what is true."""

    outputs: Tensor
    simple: Tensor
    y: Tensor
    note: str = ""


def held_out_answers(examinee: Examinee, chosen: Tensor, *, beside_simple: bool = False) -> Answers:
    """Of audit examples; with the cross-fitted ones, where there are any and the network is not worse than these.

    Cross-fitted answers are of networks that were made alike, so they say how good such networks are, but nothing of a
    defect that this one has alone. So they count only where the network's own answers do not speak against it: where
    its losses on the audit split are no greater than theirs at the 10 % level.

    Args:
        examinee: the network with its data.
        chosen: `(k,)` audit examples.
        beside_simple: whether the simple rule's answers are wanted too; else they are the network's own.

    Source: Viele et al. 2014 (Pharmaceutical Statistics 13), test-then-pool.
    """
    data = examinee.data
    outputs = examinee.audit_logits()[chosen]
    simple = simple_outputs(data, data.x[chosen]) if beside_simple else outputs
    own = Answers(outputs=outputs, simple=simple, y=data.y[chosen].cpu())
    cross = data.cross
    if cross is None:
        return own
    alone, others = (losses(each.outputs, each.y, data.target).numpy() for each in (own, cross))
    if _worse(alone, others):
        return replace(own, note="; cross-fitted answers left out, for this network does worse than those made alike")
    return Answers(
        outputs=torch.cat([own.outputs, cross.outputs]),
        simple=torch.cat([own.simple, cross.simple]),
        y=torch.cat([own.y, cross.y]),
        note=f"; {len(cross.y)} of them cross-fitted by {cross.networks} networks made alike",
    )


def _worse(alone: Floats, others: Floats) -> bool:
    """Whether the first losses are greater than the second, by ranks (Mann and Whitney 1947)."""
    from scipy.stats import mannwhitneyu

    return bool(mannwhitneyu(alone, others, alternative="greater").pvalue < _CONTRADICTED)


def simple_outputs(data: AuditData, x: Tensor) -> Tensor:
    """`(b, outputs)` of the simplest thing that could work, fitted to the training split: needs no settings."""
    return _SIMPLE[data.target.kind](data, x)


def centroid_classes(data: AuditData, x: Tensor) -> Tensor:
    """`(b,)` class of the nearest mean training input; the yardstick that needs no training and no settings."""
    train = data.x_train.flatten(1)
    count = len(data.target.names)
    centroids = torch.full((count, train.shape[1]), torch.inf, dtype=torch.float64, device=train.device)
    for label in set(data.y_train.tolist()):
        centroids[label] = train[data.y_train == label].double().mean(0)
    distances = torch.cdist(x.flatten(1).double().to(train.device), centroids)
    return distances.nan_to_num(nan=torch.inf).argmin(1).cpu()


def _regression(outputs: Tensor, y: Tensor, target: Target) -> Skill:
    found = intervals.explained(predicted(outputs, target).numpy(), truth(y, target).numpy())
    return Skill(estimate=found[0], low=found[1], high=found[2])


def _multilabel(outputs: Tensor, y: Tensor, target: Target) -> Skill:
    found = measure("auroc", outputs, y, target)
    low, high = (2 * limit - 1 if limit is not None else np.nan for limit in (found.low, found.high))
    return Skill(estimate=2 * found.estimate - 1, low=low, high=high)


def _ordinal(outputs: Tensor, y: Tensor, target: Target) -> Skill:
    """A step is the least that a wrong answer costs, so that faultless answers to few examples have an interval too."""
    guess = _distance_of_median(y)
    if guess == 0:  # one class alone leaves nothing to be better at
        return Skill(estimate=0.0, low=-np.inf, high=np.inf)
    found = measure("mae", outputs, y, target)
    wrong = int((predicted(outputs, target) != y).sum())
    least, most = intervals.binomial(wrong, len(y))
    high = max(np.inf if found.high is None else found.high, most)
    low = min(-np.inf if found.low is None else found.low, least)
    return Skill(estimate=1 - found.estimate / guess, low=1 - high / guess, high=1 - max(low, 0.0) / guess)


def _distance_of_median(y: Tensor) -> float:
    return float((y - y.double().median()).abs().mean())


def _regression_point(outputs: Tensor, y: Tensor, target: Target) -> float:
    return intervals.explained(predicted(outputs, target).numpy(), truth(y, target).numpy())[0]


def _multilabel_point(outputs: Tensor, y: Tensor, target: Target) -> float:
    from scipy.stats import rankdata

    areas = []
    for column in range(len(target.names)):
        true = y[:, column].numpy() > 0
        positive = int(true.sum())
        if 0 < positive < len(true):
            rank = float(rankdata(outputs[:, column].numpy())[true].sum())
            areas.append((rank - positive * (positive + 1) / 2) / (positive * (len(true) - positive)))
    return 2 * float(np.mean(areas)) - 1 if areas else 0.0


def _ordinal_point(outputs: Tensor, y: Tensor, target: Target) -> float:
    guess = _distance_of_median(y)
    return 1 - float((predicted(outputs, target) - y).abs().double().mean()) / guess if guess else 0.0


def _ridge(data: AuditData, x: Tensor) -> Tensor:
    """Ridge regression of what a split holds on the flat inputs, its penalty by leave-one-out errors."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = torch.linspace(0, len(data.x_train) - 1, min(_ROWS, len(data.x_train))).round().long()
    fitted = make_pipeline(StandardScaler(), RidgeCV(alphas=_PENALTIES))
    train = data.x_train[rows].flatten(1).cpu().double().numpy()
    fitted.fit(train, data.y_train[rows].cpu().double().numpy())
    given = np.asarray(fitted.predict(x.flatten(1).cpu().double().numpy()), dtype=np.float64).reshape(len(x), -1)
    return torch.from_numpy(given)


def _ridge_numbers(data: AuditData, x: Tensor) -> Tensor:
    """Of quantiles the one answer stands for all: only the midmost is read."""
    given = _ridge(data, x)
    return given.expand(-1, len(data.target.quantiles)) if data.target.quantiles else given


def _centroid_logits(data: AuditData, x: Tensor) -> Tensor:
    classes = centroid_classes(data, x)
    return torch.where(classes[:, None] == torch.arange(data.target.outputs), _SURE, -_SURE).double()


def _centroid_thresholds(data: AuditData, x: Tensor) -> Tensor:
    classes = centroid_classes(data, x)
    above = classes[:, None] > torch.arange(data.target.outputs)
    return torch.where(above, _SURE, -_SURE).double()


Measured = Callable[[Tensor, Tensor, Target], Skill]
Point = Callable[[Tensor, Tensor, Target], float]

_SKILLS: Mapping[TargetKind, Measured] = {"regression": _regression, "multilabel": _multilabel, "ordinal": _ordinal}
_POINTS: Mapping[TargetKind, Point] = {
    "regression": _regression_point, "multilabel": _multilabel_point, "ordinal": _ordinal_point,
}  # fmt: skip
_SIMPLE: Mapping[TargetKind, Callable[[AuditData, Tensor], Tensor]] = {
    "classification": _centroid_logits,
    "regression": _ridge_numbers,
    "multilabel": _ridge,
    "ordinal": _centroid_thresholds,
}
