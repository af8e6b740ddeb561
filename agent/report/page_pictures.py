"""The pictures of a report page, each as PNG bytes; plain data in, no global state of matplotlib touched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from agent.report.figures import Transfer
from agent.report.summary import Accuracy
from agent.report.task_figures import Curve, TaskEvidence
from selfnas.figures import png
from selfnas.spaces.cell import Cell
from selfnas.spaces.drawing import picture

__all__ = ["cells_picture", "cost_picture", "curves_picture", "matrix_picture"]

_WITH, _WITHOUT, _HAND = "#0072B2", "#999999", "#D55E00"
_COLUMNS = 4
_NUMBERED = 16  # tasks up to which the transfer matrix writes its numbers out


def curves_picture(tasks: Sequence[TaskEvidence]) -> bytes:
    """Best score so far by evaluation, a small picture for each task, with and without memory where both are known."""
    rows = -(-len(tasks) // _COLUMNS)
    height = 2.5 * rows
    figure = Figure(figsize=(3.4 * _COLUMNS, height))
    # Fixed margins in inches: a layout engine takes seconds for so many axes.
    figure.subplots_adjust(
        left=0.045, right=0.99, top=1 - 0.3 / height, bottom=0.5 / height, wspace=0.25, hspace=0.42
    )  # fmt: skip
    all_axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, task in zip(all_axes, tasks, strict=False):
        draw_any_time(axes, task)
    for axes in all_axes[len(tasks) :]:
        axes.axis("off")
    return png(figure, tight=False)


def draw_any_time(axes: Axes, task: TaskEvidence) -> Axes:
    """One task's curve; a dot where 99 % of the comparison's best was reached."""
    own = (task.curve, _WITH, "with memory") if task.with_memory else (task.curve, _WITHOUT, "no memory")
    lines: list[tuple[Curve, str, str]] = [own]
    if task.cold is not None:
        lines.append((task.cold, _WITHOUT, "no memory"))
    for values, colour, label in lines:
        axes.step(np.arange(1, len(values) + 1), values, where="post", color=colour, linewidth=2, label=label)
    for at, reached, colour in ((task.to_cold_level, task.curve, _WITH), (task.cold_to_level, task.cold, _WITHOUT)):
        if at is not None and reached is not None:
            axes.plot(at, reached[at - 1], "o", color=colour, markersize=7)
    axes.set_title(_shown(task.label), fontsize=9)
    axes.locator_params(axis="y", nbins=4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.tick_params(labelsize=7)
    axes.set_xlabel("evaluation", fontsize=7)
    axes.set_ylabel("best score so far", fontsize=7)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=6, loc="lower right")
    return axes


def matrix_picture(labels: Sequence[str], transfers: Sequence[Transfer]) -> bytes:
    """Which task gave to which, coloured by the rank that the gift had there; givers are rows."""
    count = len(labels)
    ranks = np.full((count, count), np.nan)
    for gift in transfers:
        ranks[gift.giver, gift.taker] = gift.rank
    side = min(11.0, 2.5 + 0.45 * count)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(ranks, cmap="viridis_r", vmin=1, vmax=max(10.0, float(np.nanmax(ranks, initial=1.0))))
    if count <= _NUMBERED:
        for gift in transfers:
            box = {"boxstyle": "round,pad=0.15", "facecolor": "#00000088", "linewidth": 0}
            text = f"{gift.count}×\n#{gift.rank}"
            axes.text(gift.taker, gift.giver, text, ha="center", va="center", fontsize=7, color="white", bbox=box)
    step = max(1, count // 40)
    axes.set_xticks(range(0, count, step), [_shown(labels[i]) for i in range(0, count, step)], rotation=90, fontsize=7)
    axes.set_yticks(range(0, count, step), [_shown(labels[i]) for i in range(0, count, step)], fontsize=7)
    axes.set_xlabel("task that received")
    axes.set_ylabel("task that gave")
    figure.colorbar(shown, ax=axes, shrink=0.7, label="rank of the best gift\namong the receiver's evaluations")
    return png(figure)


def cells_picture(title: str, cells: Sequence[tuple[str, Cell]], *, part: bool = False) -> bytes:
    """The cells of one architecture, or one sub-cell, which is `part` of a cell."""
    return picture([(f"{title} {name}".strip(), cell) for name, cell in cells], part=part)


def cost_picture(tasks: Sequence[TaskEvidence]) -> bytes | None:
    """Test accuracy over parameters of winners and of the hand-designed networks; None where no task has one."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for label, colour, marker, pairs in (
        ("winner", _WITH, "o", [(t.summary.params, t.summary.test) for t in tasks]),
        ("hand-designed", _HAND, "x", [(t.summary.reference_params, t.summary.reference_test) for t in tasks]),
    ):
        known = [(params, test) for params, test in pairs if params is not None and isinstance(test, Accuracy)]
        if not known:
            continue
        estimates = np.array([100 * test.estimate for _, test in known])
        bounds = np.array([[100 * end for end in test.interval] for _, test in known]).T
        axes.errorbar([params for params, _ in known], estimates, yerr=np.abs(bounds - estimates), fmt=marker,
                      color=colour, label=f"{label} (95 % interval)", capsize=2, linewidth=1)  # fmt: skip
    if not axes.has_data():
        return None
    axes.set_xscale("log")
    axes.set_xlabel("parameters")
    axes.set_ylabel("test accuracy (%)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return png(figure)


def _shown(label: str) -> str:
    """A name as it is: a dollar sign would begin a formula."""
    return label.replace("$", r"\$")
