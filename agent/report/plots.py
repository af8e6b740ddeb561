"""Pictures of a life. Every function takes plain data and an `Axes`, draws on it and returns it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from selfnas.training.metrics import METRICS

__all__ = ["draw_regret", "draw_search_curve"]

_LINES = ("#999999", "#56B4E9", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#D55E00", "#000000", "#8C6D31", "#7A3E9D")


def draw_search_curve(
    axes: Axes,
    scores: Sequence[float | None],
    *,
    recalled: Sequence[bool],
    finalists: Sequence[bool],
    title: str,
    metric: str = "accuracy",
) -> Axes:
    """Score of each evaluation in order, and the best so far.

    Args:
        scores: validation accuracy in [0, 1], or score by another metric, at low fidelity; None where training failed.
        recalled: which came from the library.
        finalists: which were trained fully afterwards.
        title: above the picture.
        metric: what scores are made of.
    """
    order = np.arange(1, len(scores) + 1)
    known = METRICS[metric]
    unit = 100 if known.unit == "share" else 1
    values = np.array([np.nan if score is None else unit * score for score in scores])
    from_memory, final = np.array(recalled, dtype=bool), np.array(finalists, dtype=bool)
    best = np.fmax.accumulate(values) if len(values) else values
    axes.step(order, best, where="post", color="#0072B2", linewidth=2, label="best so far")
    axes.plot(order[~from_memory], values[~from_memory], "o", color="#777777", markersize=5, label="searched")
    if from_memory.any():
        axes.plot(order[from_memory], values[from_memory], "D", color="#D55E00", markersize=6, label="recalled")
    if final.any():
        axes.plot(order[final], values[final], "o", markersize=12, markerfacecolor="none",
                  markeredgecolor="#009E73", markeredgewidth=2, label="trained fully")  # fmt: skip
    failed = np.isnan(values)
    if failed.any():
        axes.plot(order[failed], np.full(failed.sum(), axes.get_ylim()[0]), "x", color="black", label="failed")
    axes.set_xlabel("evaluation")
    score = f"{known.title} at low fidelity (%)" if unit > 1 else f"score by {known.title} at low fidelity"
    axes.set_ylabel(f"validation {score}")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=5, frameon=False)  # hides no dot
    return axes


def draw_regret(axes: Axes, curves: Mapping[str, NDArray[np.float64]], *, title: str) -> Axes:
    """Mean regret by number of evaluations, with 95 % intervals of the mean.

    Args:
        curves: by strategy, `(seeds, evaluations)` regret in per cent.
    """
    for colour, (name, values) in zip(itertools.cycle(_LINES), curves.items()):
        order = np.arange(1, values.shape[1] + 1)
        mean = values.mean(axis=0)
        margin = 1.96 * values.std(axis=0, ddof=min(1, len(values) - 1)) / np.sqrt(len(values))
        axes.plot(order, mean, color=colour, linewidth=2, label=name)
        axes.fill_between(order, mean - margin, mean + margin, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="evaluation", ylabel="regret (% of best - median)", ylim=(0, 100), xlim=(1, None))
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return axes
