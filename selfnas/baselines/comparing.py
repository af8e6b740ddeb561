"""Baselines fitted on a task, on the very rows that a delivered network sees, and measured on its test split.

They are fitted on the training and validation splits together. The audit split is never shown to them, and of the test
split they see the inputs alone, when they are asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.baselines.baseline import Baseline, Setting
from selfnas.baselines.catalogue import baseline_named, baselines_for
from selfnas.data.targets import TargetKind, Targets
from selfnas.data.tasks import Task
from selfnas.errors import InputError
from selfnas.training.metrics import METRICS, Measured, default_metric, measure

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BaselineResult", "compare", "fit_baseline"]


_LEAST = 1e-9  # probability that a class or label is given at least, so that its logarithm is finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaselineResult:
    """What a baseline came to on a task.

    Attributes:
        name: of the baseline.
        title: of the baseline, for people.
        measured: on the test split, with a 95 % interval; None where it failed.
        rows: examples that it was fitted on.
        at_hand: examples that it could have been fitted on.
        outputs: `(n, outputs)` what a network would give for the test examples; None where it failed.
        hits: `(n,)` whether the class of each test example was answered; empty where an example has no single class.
        reason: why it failed; empty where it did not.
        seconds: that it took.
    """

    name: str
    title: str
    measured: Measured | None
    rows: int
    at_hand: int
    hits: NDArray[np.bool_]
    outputs: Tensor | None = field(default=None, repr=False)
    reason: str = ""
    seconds: float = 0.0

    @property
    def note(self) -> str:
        """What was left out so that it takes seconds, or why it failed; empty where nothing was and it did not."""
        return self.reason or (f"fitted on {self.rows:,} of {self.at_hand:,} rows" if self.rows < self.at_hand else "")


def compare(
    task: Task, names: Sequence[str] | None = None, *, seed: int = 0, metric: str | None = None
) -> tuple[BaselineResult, ...]:
    """Every baseline of a task, in the order of the catalogue.

    Args:
        task: with its own splits.
        names: of baselines, beside `constant`, which is always there; None takes the usual ones of its kind.
        seed: decides everything random.
        metric: one that fits the task (`selfnas.training.metrics`); None takes its default.

    Raises:
        InputError: an unknown name, or a metric that does not fit.

    Example:
        >>> from pathlib import Path
        >>> from selfnas import TaskSpec, load_task
        >>> task = load_task(TaskSpec(name="digits", source="digits"), base=Path())
        >>> for one in compare(task, ["nearest", "linear"]):
        ...     print(f"{one.title}: {one.measured}")
        constant: 10.0 % [7.1, 13.6]
        nearest neighbour: 99.2 % [97.6, 99.8]
        linear model: 98.1 % [96.0, 99.2]
    """
    for name in names or ():
        baseline_named(name)
    chosen = baselines_for(task.inputs, task.target, names)
    return tuple(fit_baseline(name, task, seed=seed, metric=metric) for name in chosen)


def fit_baseline(
    name: str, task: Task, *, seed: int = 0, metric: str | None = None, steps: int | None = None
) -> BaselineResult:
    """Fit one baseline on training and validation split together, and measure it on the test split.

    Args:
        name: of the baseline.
        task: with its own splits.
        seed: decides everything random.
        metric: as in `compare`.
        steps: of a reference network, see `Setting`.

    Raises:
        InputError: there is no such baseline, it does not take such tasks, or the metric does not fit.
    """
    baseline, metric = baseline_named(name), metric or default_metric(task.target)
    if not baseline.suits(task.inputs, task.target):
        raise InputError(f"baseline {name!r} is not for {task.inputs} data of which {task.target.kind} is asked")
    if metric not in METRICS or not METRICS[metric].fits(task.target):
        raise InputError(f"metric {metric!r} is not for {task.target.kind}")
    import torch

    begun = time.perf_counter()
    at_hand, size = len(task.train) + len(task.validation), task.train.x.shape[1:]
    setting = Setting(
        inputs=task.inputs, target=task.target, rows=at_hand, asked=len(task.test), size=size, seed=seed, steps=steps
    )
    rows = min(at_hand, baseline.limit(setting))
    if rows < setting.columns:
        return _failed(baseline, setting, "the task is too large for it")
    chosen = seeding.generator(seed, "baseline rows").permutation(at_hand)[:rows] if rows < at_hand else None
    y: Targets = _rows(task.train.y, task.validation.y, chosen)
    x = task.train.x[:0] if baseline.blind else _rows(task.train.x, task.validation.x, chosen)
    scores = baseline.fit(x, y, setting)(task.test.x)
    if not np.isfinite(scores).all():
        return _failed(baseline, setting, "it gave numbers that are not finite")
    outputs = _OUTPUTS[task.target.kind](torch.from_numpy(scores))
    measured, hits = _measured(outputs, task, metric)
    return BaselineResult(
        name=name, title=baseline.title, measured=measured, rows=rows, at_hand=setting.rows, hits=hits, outputs=outputs,
        seconds=time.perf_counter() - begun,
    )  # fmt: skip


def _rows(first: NDArray[Any], second: NDArray[Any], chosen: NDArray[np.int64] | None) -> NDArray[Any]:
    """Both together, or the chosen rows of them in their order; nothing else is copied."""
    if chosen is None:
        return np.concatenate([first, second])
    ordered = np.sort(chosen)
    early = ordered[ordered < len(first)]
    return np.concatenate([first[early], second[ordered[len(early) :] - len(first)]])


def _failed(baseline: Baseline, setting: Setting, reason: str) -> BaselineResult:
    return BaselineResult(
        name=baseline.name, title=baseline.title, measured=None, rows=0, at_hand=setting.rows,
        hits=np.zeros(0, dtype=np.bool_), reason=reason,
    )  # fmt: skip


def _measured(outputs: Tensor, task: Task, metric: str) -> tuple[Measured, NDArray[np.bool_]]:
    """The metric, and which classes were answered."""
    import torch

    from selfnas.training.outputs import predicted

    y = torch.from_numpy(task.test.y)
    hits = predicted(outputs, task.target) == y if task.target.counted else torch.zeros(0, dtype=torch.bool)
    return measure(metric, outputs, y, task.target), hits.numpy()


def _class_logits(scores: Tensor) -> Tensor:
    return scores.clamp(min=_LEAST).log()


def _label_logits(scores: Tensor) -> Tensor:
    return scores.clamp(_LEAST, 1 - _LEAST).logit()


def _threshold_logits(scores: Tensor) -> Tensor:
    """Of the probability to lie above each class but the last."""
    return _label_logits(1 - (scores / scores.sum(dim=1, keepdim=True)).cumsum(dim=1)[:, :-1])


# From scores to what a network would give for such a target (`selfnas.training.outputs`).
_OUTPUTS: Mapping[TargetKind, Callable[[Tensor], Tensor]] = {
    "classification": _class_logits,
    "ordinal": _threshold_logits,
    "multilabel": _label_logits,
    "regression": lambda scores: scores,
}
