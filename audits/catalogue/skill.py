"""Skill floor: is the network better than guessing, and no worse than the simplest thing that could work?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee
from selfnas.training import intervals

__all__ = ["AUDIT", "centroid_predictions", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Accuracy on the audit split with its exact interval, on two scales that mean the same on every task.

    `above_chance` is `(accuracy - chance) / (1 - chance)` with chance the share of the largest class (at least one in
    `classes`); `against_centroid` is accuracy over the accuracy of a nearest-centroid rule on the same inputs. Both are
    increasing in accuracy, so the exact limits carry over.
    """
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "skill")
    truth = data.y[chosen].cpu()
    n = len(chosen)
    right = int((examinee.predictions()[chosen] == truth).sum())
    low, high = intervals.binomial(right, n)
    accuracy = right / n

    chance = max(torch.bincount(truth, minlength=data.classes).max().item() / n, 1 / data.classes)
    # One class alone in the split leaves nothing to be better at: no interval, hence void.
    scale = 1 / (1 - chance) if chance < 1 else float("nan")
    simple = (centroid_predictions(data, data.x[chosen]) == truth).double().mean().item()
    reference = max(simple, chance)
    note = f"{right} of {n} right; chance {chance:.3f}, nearest centroid {simple:.3f}"
    scales: dict[str, Callable[[float], float]] = {
        "above_chance": lambda share: (share - chance) * scale,
        "against_centroid": lambda share: share / reference,
    }
    return [
        Measurement(statistic=name, estimate=of(accuracy), low=of(low), high=of(high), n=n, note=note)
        for name, of in scales.items()
    ]


def centroid_predictions(data: AuditData, x: Tensor) -> Tensor:
    """`(b,)` class of the nearest mean training input; the yardstick that needs no training and no settings."""
    train = data.x_train.flatten(1).double()
    centroids = torch.full((data.classes, train.shape[1]), torch.inf, dtype=torch.float64, device=train.device)
    for label in set(data.y_train.tolist()):
        centroids[label] = train[data.y_train == label].mean(0)
    distances = torch.cdist(x.flatten(1).double().to(train.device), centroids)
    return distances.nan_to_num(nan=torch.inf).argmin(1).cpu()


AUDIT = Audit(
    name="skill",
    measure=measure,
    statistics=(
        Statistic(name="above_chance", bound="floor", meaning="share of the way from guessing to perfect"),
        Statistic(name="against_centroid", bound="floor", high=4.0, meaning="accuracy over that of nearest centroids"),
    ),
    settings=(Setting(name="samples", low=20, high=100_000),),
    aims=("untrained", "undertrained"),
    catches="untrained and undertrained networks, and networks that collapsed onto one class",
    misses="every reason for being right: a shortcut raises skill",
    source="Clopper and Pearson 1934 (exact interval)",
    cost="10 ms",
)
