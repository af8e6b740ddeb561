"""Baselines fitted on a task, on the very rows that a delivered network sees, and measured on its test split.

They are fitted on the training and validation splits together. The audit split is never shown to them, and of the test
split they see the inputs alone, when they are asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.baselines.baseline import Scores, Setting
from selfnas.baselines.catalogue import baseline_named, baselines_for
from selfnas.data.targets import Targets
from selfnas.data.tasks import Task
from selfnas.errors import InputError
from selfnas.training import intervals

__all__ = ["BaselineResult", "compare", "fit_baseline"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaselineResult:
    """What a baseline came to on a task.

    Attributes:
        name: of the baseline.
        title: of the baseline, for people.
        metric: `accuracy` in [0, 1] for classes; for labels and numbers `mae`, the mean distance of a score from what
            it should be, in the task's own units of `y`.
        estimate: on the test split; None where it failed.
        low: lower limit of the 95 % interval.
        high: upper limit.
        n: test examples.
        rows: examples that it was fitted on.
        at_hand: examples that it could have been fitted on.
        hits: `(n,)` whether each test example was right; empty where that has no meaning.
        reason: why it failed; empty where it did not.
        seconds: that it took.
    """

    name: str
    title: str
    metric: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    rows: int
    at_hand: int
    hits: NDArray[np.bool_]
    reason: str = ""
    seconds: float = 0.0

    @property
    def note(self) -> str:
        """What was left out so that it takes seconds; empty where nothing was."""
        return f"fitted on {self.rows:,} of {self.at_hand:,} rows" if self.rows < self.at_hand else ""


def compare(task: Task, names: Sequence[str] | None = None, *, seed: int = 0) -> tuple[BaselineResult, ...]:
    """Every baseline of a task, in the order of the catalogue.

    Args:
        task: with its own splits.
        names: of baselines, beside `constant`, which is always there; None takes the usual ones of its kind.
        seed: decides everything random.

    Raises:
        InputError: an unknown name.

    Example:
        >>> from pathlib import Path
        >>> from selfnas import TaskSpec, load_task
        >>> task = load_task(TaskSpec(name="digits", source="digits"), base=Path())
        >>> for one in compare(task, ["nearest", "linear"]):
        ...     print(f"{one.title}: {one.estimate:.3f}")
        constant: 0.100
        nearest neighbour: 0.992
        linear model: 0.981
    """
    for name in names or ():
        baseline_named(name)
    return tuple(fit_baseline(name, task, seed=seed) for name in baselines_for(task.inputs, task.target, names))


def fit_baseline(name: str, task: Task, *, seed: int = 0) -> BaselineResult:
    """Fit one baseline on training and validation split together, and measure it on the test split.

    Raises:
        InputError: there is no such baseline, or it does not take such tasks.
    """
    baseline = baseline_named(name)
    if not baseline.suits(task.inputs, task.target):
        raise InputError(f"baseline {name!r} is not for {task.inputs} data of which {task.target.kind} is asked")
    begun = time.perf_counter()
    x = np.concatenate([task.train.x, task.validation.x])
    y: Targets = np.concatenate([task.train.y, task.validation.y])
    setting = Setting(
        inputs=task.inputs, target=task.target, rows=len(x), asked=len(task.test), size=x.shape[1:], seed=seed
    )
    rows = min(len(x), baseline.limit(setting))
    if rows < setting.columns:
        return _failed(name, baseline.title, setting, "the task is too large for it")
    if rows < len(x):
        chosen = np.sort(seeding.generator(seed, "baseline rows").permutation(len(x))[:rows])
        x, y = x[chosen], y[chosen]
    predicted = baseline.fit(x, y, setting)(task.test.x)
    if not np.isfinite(predicted).all():
        return _failed(name, baseline.title, setting, "it gave numbers that are not finite")
    hits, metric, estimate, low, high = _measured(predicted, task.test.y, setting)
    return BaselineResult(
        name=name, title=baseline.title, metric=metric, estimate=estimate, low=low, high=high, n=len(task.test),
        rows=rows, at_hand=setting.rows, hits=hits, seconds=time.perf_counter() - begun,
    )  # fmt: skip


def _failed(name: str, title: str, setting: Setting, reason: str) -> BaselineResult:
    return BaselineResult(
        name=name, title=title, metric="accuracy" if setting.target.counted else "mae", estimate=None, low=None,
        high=None, n=setting.asked, rows=0, at_hand=setting.rows, hits=np.zeros(0, dtype=np.bool_), reason=reason,
    )  # fmt: skip


def _measured(predicted: Scores, y: Targets, setting: Setting) -> tuple[NDArray[np.bool_], str, float, float, float]:
    """Which were right, metric, estimate and interval."""
    if setting.target.counted:
        hits = np.asarray(predicted.argmax(axis=1) == y)
        return hits, "accuracy", float(hits.mean()), *intervals.wilson(int(hits.sum()), len(hits))
    apart = np.abs(predicted - y).mean(axis=1)
    return np.zeros(0, dtype=np.bool_), "mae", float(apart.mean()), *intervals.mean(apart)
