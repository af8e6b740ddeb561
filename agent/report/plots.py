"""Pictures of a life. Every function takes plain data and an `Axes`, draws on it and returns it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from selfnas.spaces.cell import Cell
from selfnas.spaces.composed import is_composed
from selfnas.spaces.operations import OPERATIONS

__all__ = ["draw_cell", "draw_regret", "draw_search_curve"]

# For composed operators and others that are not ours: hues that our operations leave, most of them of Tol (2021). There
# are as many as a cell has edges, so that no two operations of one cell look alike.
_FURTHER = ("#332288", "#999933", "#661100", "#7A3E9D", "#000000", "#44AA99", "#DDCC77", "#6699CC")
_LINES = ("#999999", "#56B4E9", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#D55E00", "#000000", "#8C6D31", "#7A3E9D")
_SPACING = 1.8  # between nodes, in the axes' units


def draw_cell(axes: Axes, cell: Cell, *, title: str, part: bool = False) -> Axes:
    """A cell's nodes from left to right, its live edges as labelled arcs, dead ones dotted; in a part all are live."""
    live = set(cell.edges if part else cell.live_edges())
    colours = _colours(cell)
    for edge in cell.edges:
        start, end = _SPACING * edge.source, _SPACING * edge.target
        span = edge.target - edge.source
        # Long edges arc alternately above and below, so that labels do not meet.
        bend = 0.0 if span == 1 else (-0.38 if (edge.source + edge.target) % 2 else 0.38)
        colour = colours[edge.operation]
        axes.add_patch(
            FancyArrowPatch(
                (start, 0),
                (end, 0),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=14,
                shrinkA=15,
                shrinkB=15,
                linewidth=2.2,
                color=colour,
                linestyle="-" if edge in live else ":",
            )
        )
        axes.text(
            (start + end) / 2,
            -bend * (end - start) / 2,  # the middle of a quadratic Bezier curve, in equal units
            edge.operation.replace(">", ">\n").replace("&", "\n&"),  # between two nodes is no room for one long line
            ha="center",
            va="center",
            fontsize=6.5 if is_composed(edge.operation) else 9,
            color="black",
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": colour, "linewidth": 1.2},
        )
    for node in range(cell.nodes):
        name = f"in{node if cell.inputs > 1 else ''}" if node < cell.inputs else str(node)
        is_output = node in cell.outputs
        axes.plot(
            _SPACING * node, 0, "o", markersize=24, color="#222222" if node < cell.inputs or is_output else "#777777"
        )
        axes.text(_SPACING * node, 0, "out" if is_output and len(cell.outputs) == 1 else name, ha="center", va="center",
                  color="white", fontsize=9, fontweight="bold")  # fmt: skip
    width = _SPACING * (cell.nodes - 1)
    axes.set_xlim(-0.6, width + 0.6)
    axes.set_ylim(-0.22 * width, 0.22 * width)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10)
    axes.axis("off")
    return axes


def _colours(cell: Cell) -> dict[str, str]:
    """A colour for each operation of a cell."""
    further = itertools.cycle(_FURTHER)
    operations = sorted({edge.operation for edge in cell.edges})
    return {name: OPERATIONS[name].colour if name in OPERATIONS else next(further) for name in operations}


def draw_search_curve(
    axes: Axes, scores: Sequence[float | None], *, recalled: Sequence[bool], finalists: Sequence[bool], title: str
) -> Axes:
    """Score of each evaluation in order, and the best so far.

    Args:
        scores: validation accuracy in [0, 1] at low fidelity; None where training failed.
        recalled: which came from the library.
        finalists: which were trained fully afterwards.
    """
    order = np.arange(1, len(scores) + 1)
    values = np.array([np.nan if score is None else 100 * score for score in scores])
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
    axes.set_ylabel("validation accuracy at low fidelity (%)")
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
