"""How well a network does on examples: metrics by kind of task, with intervals, and the score of a search.

Estimates are torchmetrics'. Intervals are two-sided, 95 %, in closed form, and have a width where a small sample is
faultless: exact for an accuracy, Student's for means of losses, by score intervals for what is made of counts or ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from selfnas.data.targets import Target, TargetKind
from selfnas.training import intervals

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "COUNTED",
    "METRICS",
    "Measured",
    "Metric",
    "default_metric",
    "measure",
    "metric_for",
    "metrics_for",
    "score",
]

Unit = Literal["share", "own", "nats", "none"]
Interval = tuple[float, float, float]  # estimate, low, high
Floats = NDArray[np.float64]

COUNTED = "accuracy"  # which ledgers keep as counts of right answers
_WORST = -8.0  # no score is lower, so that one wild network does not stretch the scale of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric on so many examples.

    Attributes:
        name: of the metric, a key of `METRICS`.
        estimate: in the metric's unit.
        low: lower limit of the 95 % interval; None where there are too few examples for one.
        high: upper limit.
        n: number of examples.
    """

    name: str
    estimate: float
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        shown = METRICS[self.name].shown
        if self.low is None or self.high is None:
            return f"{shown(self.estimate)}{METRICS[self.name].suffix}"
        return f"{shown(self.estimate)}{METRICS[self.name].suffix} [{shown(self.low)}, {shown(self.high)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: as streams call it.
        title: as people read it.
        kinds: of target that it is for.
        higher: whether more is better.
        unit: `share` is shown in per cent; `own` is in the units of what is predicted, or in steps from one
            ordered class to the next.
        meaning: one line.
        compute: estimate and limits on answers.
    """

    name: str
    title: str
    kinds: tuple[TargetKind, ...]
    higher: bool
    unit: Unit
    meaning: str
    compute: Callable[[_Answers], Interval]

    def fits(self, target: Target) -> bool:
        """Whether it can be computed for such a target."""
        return target.kind in self.kinds and (self.name != "pinball" or bool(target.quantiles))

    def shown(self, value: float) -> str:
        """A value for people, without its sign of unit."""
        if self.unit == "share":
            return f"{100 * value:.1f}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"

    @property
    def suffix(self) -> str:
        """The sign of its unit, with the space before it."""
        return {"share": " %", "nats": " nats"}.get(self.unit, "")


def default_metric(target: Target) -> str:
    """What is measured where a stream names nothing.

    Example:
        >>> default_metric(Target.of_classes(3))
        'accuracy'
    """
    return "pinball" if target.quantiles else _DEFAULTS[target.kind]


def metric_for(target: Target, stated: Mapping[TargetKind, str]) -> str:
    """What is measured where a stream names metrics by kind of target; the default where it names none of this kind.

    Raises:
        ValueError: it does not fit the target.
    """
    chosen = stated.get(target.kind) or default_metric(target)
    if chosen not in METRICS or not METRICS[chosen].fits(target):
        raise ValueError(f"metric {chosen!r} does not fit {target.kind}: it can have {', '.join(metrics_for(target))}")
    return chosen


def metrics_for(target: Target) -> tuple[str, ...]:
    """Names of the metrics that fit, in the order of the table."""
    return tuple(name for name, metric in METRICS.items() if metric.fits(target))


def measure(metric: str, outputs: Tensor, y: Tensor, target: Target) -> Measured:
    """A metric of what a network gave.

    Args:
        metric: one that fits the target.
        outputs: `(n, outputs)`, finite.
        y: as a split holds it.
        target: says what both mean.

    Raises:
        KeyError: no such metric.
        ValueError: it does not fit the target, or the outputs are not finite.
    """
    chosen = METRICS[metric]
    if not chosen.fits(target):
        raise ValueError(f"metric {metric} is not for {target.kind}: it can have {', '.join(metrics_for(target))}")
    estimate, low, high = chosen.compute(_answers(outputs, y, target))
    known = math.isfinite(low) and math.isfinite(high)
    return Measured(name=metric, estimate=estimate, low=low if known else None, high=high if known else None, n=len(y))


def score(outputs: Tensor, y: Tensor, target: Target, metric: str | None = None) -> float:
    """What a search maximises: finite, at most 1, more is better, whatever the unit.

    Metrics of which less is better are negated. Those in the units of what is predicted are first divided by its
    standard deviation in the training split, distances of ordered classes by the greatest there can be; so scores of
    unlike tasks have one scale.

    Args:
        outputs: as for `measure`.
        y: as for `measure`.
        target: as for `measure`.
        metric: the target's default if absent.

    Raises:
        KeyError: as `measure`.
        ValueError: as `measure`.

    Example:
        >>> import torch
        >>> score(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), Target.of_classes(2))
        0.5
    """
    chosen = METRICS[metric or default_metric(target)]
    if target.kind == "regression":
        target = replace(target, center=(0.0,) * len(target.names), scale=(1.0,) * len(target.names))
    value = measure(chosen.name, outputs, y, target).estimate
    if chosen.unit == "own" and target.kind == "ordinal":
        value /= len(target.names) - 1
    return max(_WORST, min(1.0, value if chosen.higher else -value))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answers:
    """What a network gave and said, and what is true."""

    outputs: Tensor  # `(n, outputs)` float64
    y: Tensor  # as a split holds it
    predicted: Tensor  # as `selfnas.training.outputs.predicted`
    truth: Tensor  # alike
    target: Target

    @property
    def names(self) -> int:
        return len(self.target.names)


def _answers(outputs: Tensor, y: Tensor, target: Target) -> _Answers:
    import torch

    from selfnas.training.outputs import predicted, truth

    given, y = outputs.detach().to("cpu", torch.float64), y.detach().cpu()
    if not bool(torch.isfinite(given).all()):
        raise ValueError("outputs are not finite")
    return _Answers(outputs=given, y=y, predicted=predicted(given, target), truth=truth(y, target), target=target)


def _confusion(answers: _Answers) -> NDArray[np.int64]:
    """`(classes, classes)` counts, true classes by rows."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    counts = multiclass_confusion_matrix(answers.predicted, answers.truth, num_classes=answers.names)
    return np.asarray(counts.numpy(), dtype=np.int64)


def _accuracy(answers: _Answers) -> Interval:
    counts = _confusion(answers)
    right, n = int(np.trace(counts)), int(counts.sum())
    return (right / n, *intervals.binomial(right, n))


def _balanced_accuracy(answers: _Answers) -> Interval:
    """Score intervals of each class's share, combined as those of independent shares.

    Source: Zou and Donner 2008 (Statistics in Medicine 27), variance estimates recovered from limits.
    """
    counts = _confusion(answers)
    shares = [(int(row[k]), int(row.sum())) for k, row in enumerate(counts) if row.sum()]
    estimates = np.array([right / n for right, n in shares])
    limits = np.array([intervals.wilson(right, n) for right, n in shares])
    estimate = float(estimates.mean())
    below = math.sqrt(float(((estimates - limits[:, 0]) ** 2).sum())) / len(shares)
    above = math.sqrt(float(((limits[:, 1] - estimates) ** 2).sum())) / len(shares)
    return estimate, max(0.0, estimate - below), min(1.0, estimate + above)


def _binary(answers: _Answers) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Of each class or label: probability, whether it is answered, and whether it is true."""
    import torch

    from selfnas.training.outputs import probabilities

    given, predicted, truth = probabilities(answers.outputs, answers.target), answers.predicted, answers.truth
    if answers.target.counted:
        predicted, truth = (torch.nn.functional.one_hot(each, answers.names) for each in (predicted, truth))
    return [(given[:, k], predicted[:, k], truth[:, k]) for k in range(answers.names)]


def _auroc(answers: _Answers) -> Interval:
    """Mean over what has examples on both sides; limits are means of limits, which holds however the parts depend."""
    from torchmetrics.functional.classification import binary_auroc

    found = []
    for probability, _, truth in _binary(answers):
        positive = int(truth.sum())
        if 0 < positive < len(truth):
            area = float(binary_auroc(probability, truth))
            found.append((area, *intervals.area(area, positive, len(truth) - positive)))
    return _mean_of(found, nothing=(0.5, 0.0, 1.0))


def _f1(answers: _Answers) -> Interval:
    """Of each part `2 j / (1 + j)` of the share j of hits in what was answered or true, and so its score interval."""
    found = []
    for _, predicted, truth in _binary(answers):
        hits, either = int((predicted * truth).sum()), int(((predicted + truth) > 0).sum())
        if either:
            shares = (hits / either, *intervals.wilson(hits, either))
            found.append(tuple(2 * share / (1 + share) for share in shares))
    return _mean_of(found, nothing=(0.0, 0.0, 1.0))


def _mean_of(found: Sequence[tuple[float, ...]], *, nothing: Interval) -> Interval:
    if not found:
        return nothing
    estimate, low, high = np.array(found).mean(0)
    return float(estimate), float(low), float(high)


def _log_loss(answers: _Answers) -> Interval:
    """Mean of what each example's truth was short of certainty, over labels too."""
    import torch
    from torch.nn import functional

    from selfnas.training.outputs import probabilities

    if answers.target.kind == "multilabel":
        losses = functional.binary_cross_entropy_with_logits(
            answers.outputs, answers.y.to(answers.outputs), reduction="none"
        ).mean(1)
    elif answers.target.kind == "classification":
        losses = functional.cross_entropy(answers.outputs, answers.truth, reduction="none")
    else:
        own = probabilities(answers.outputs, answers.target).gather(1, answers.truth[:, None]).squeeze(1)
        losses = -own.clamp_min(torch.finfo(torch.float32).tiny).log()
    return _mean_loss(losses.numpy())


def _mean_loss(losses: Floats) -> Interval:
    low, high = intervals.mean(losses)
    return float(losses.mean()), max(0.0, low), high


def _mae(answers: _Answers) -> Interval:
    errors = (answers.predicted - answers.truth).abs().double()
    return _mean_loss(errors.reshape(len(errors), -1).mean(1).numpy())


def _rmse(answers: _Answers) -> Interval:
    squared = ((answers.predicted - answers.truth) ** 2).mean(1).numpy()
    estimate, low, high = (math.sqrt(value) for value in _mean_loss(squared))
    return estimate, low, high


def _r2(answers: _Answers) -> Interval:
    return intervals.explained(answers.predicted.numpy(), answers.truth.numpy())


def _pinball(answers: _Answers) -> Interval:
    import torch

    from selfnas.training.outputs import in_units, sorted_quantiles

    quantiles = answers.outputs.new_tensor(answers.target.quantiles)
    given = in_units(sorted_quantiles(answers.outputs, answers.target), answers.target)
    above = answers.truth - given
    return _mean_loss(torch.maximum(quantiles * above, (quantiles - 1) * above).mean(1).numpy())


_COUNTED: tuple[TargetKind, ...] = ("classification", "ordinal")
_LIKELY: tuple[TargetKind, ...] = ("classification", "multilabel", "ordinal")
_DEFAULTS: Mapping[TargetKind, str] = {
    "classification": "accuracy", "multilabel": "auroc", "regression": "r2", "ordinal": "mae",
}  # fmt: skip

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy", title="accuracy", kinds=_COUNTED, higher=True, unit="share",
            meaning="share of examples whose class is answered", compute=_accuracy,
        ),
        Metric(
            name="balanced_accuracy", title="balanced accuracy", kinds=_COUNTED, higher=True, unit="share",
            meaning="mean over classes of their share answered rightly", compute=_balanced_accuracy,
        ),
        Metric(
            name="auroc", title="AUROC", kinds=("classification", "multilabel"), higher=True, unit="share",
            meaning="mean over classes or labels: how often an example that has it is ranked above one that has it not",
            compute=_auroc,
        ),
        Metric(
            name="f1", title="F1", kinds=("classification", "multilabel"), higher=True, unit="share",
            meaning="mean over classes or labels of the harmonic mean of precision and recall", compute=_f1,
        ),
        Metric(
            name="log_loss", title="log loss", kinds=_LIKELY, higher=False, unit="nats",
            meaning="mean negative logarithm of the probability that was given to the truth", compute=_log_loss,
        ),
        Metric(
            name="mae", title="mean absolute error", kinds=("regression", "ordinal"), higher=False, unit="own",
            meaning="mean distance of the answer from the truth", compute=_mae,
        ),
        Metric(
            name="rmse", title="root mean squared error", kinds=("regression",), higher=False, unit="own",
            meaning="root of the mean squared distance of the answer from the truth", compute=_rmse,
        ),
        Metric(
            name="r2", title="R²", kinds=("regression",), higher=True, unit="none",
            meaning="share of the variance that is explained; 0 is the mean, 1 is perfect", compute=_r2,
        ),
        Metric(
            name="pinball", title="pinball loss", kinds=("regression",), higher=False, unit="own",
            meaning="mean over the quantiles of the loss that each of them minimises", compute=_pinball,
        ),
    )
}  # fmt: skip
