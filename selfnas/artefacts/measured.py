"""What a file answers on raw test examples, beside what another one answers on the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from selfnas.baselines.paired import paired
from selfnas.data.originals import Originals
from selfnas.data.tasks import Task
from selfnas.training import intervals
from selfnas.training.exported import Answer, answered, network_outputs
from selfnas.training.metrics import measure
from selfnas.training.outputs import losses, predicted

__all__ = ["Compared", "compared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two files on the same examples.

    Attributes:
        metric: that the task is measured by.
        first: what it says of the first.
        second: of the second.
        paired: what was counted by example: `accuracy`, or `loss` where no single class is answered.
        difference: second minus first, of the mean of that.
        low: lower limit of its 95 % interval; None where there is none.
        high: upper limit.
        n: examples.
    """

    metric: str
    first: float
    second: float
    paired: str
    difference: float
    low: float | None
    high: float | None
    n: int


def compared(first: Answer, second: Answer, task: Task, found: Originals, *, metric: str) -> Compared | None:
    """Two files on the raw test examples of a task; None where there are none."""
    if not found.x:
        return None
    target, y = task.target, torch.from_numpy(task.test.y[np.asarray(found.places, dtype=np.int64)])
    outputs = [network_outputs(answered(each, found.x), target) for each in (first, second)]
    told = [measure(metric, each, y, target).estimate for each in outputs]
    if target.counted:
        hits = [(predicted(each, target) == y).numpy() for each in outputs]
        pair = paired(hits[1], hits[0])
        what, difference, (low, high) = "accuracy", pair.difference, pair.interval
    else:
        apart = (_losses(outputs[1], y, task) - _losses(outputs[0], y, task)).numpy()
        what, difference, (low, high) = "loss", float(apart.mean()), intervals.mean(apart)
    finite = bool(np.isfinite([low, high]).all())
    return Compared(
        metric=metric, first=told[0], second=told[1], paired=what, difference=difference,
        low=low if finite else None, high=high if finite else None, n=len(y),
    )  # fmt: skip


def _losses(outputs: Tensor, y: Tensor, task: Task) -> Tensor:
    return losses(outputs, y, task.target).to(torch.float64)
