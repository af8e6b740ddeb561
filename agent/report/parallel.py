"""Parallel coordinates of a life's trials: the operation on each edge against how good a trial was within its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from agent.state.state import LifeState, TaskState
from selfnas.figures import png
from selfnas.spaces.architecture import Space

__all__ = ["Parallel", "parallel_picture", "parallels"]

_FEWEST = 8  # trials of a space, below which lines tell nothing
_MOST = 2000  # trials drawn, the latest
_WIDEST = 16  # edges drawn, the first
_SPREAD = 0.7  # of the distance between two operations, over which their trials are spread by rank


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parallel:
    """Trials of one space.

    Attributes:
        space: its name.
        axes: what each coordinate is, such as `0→1`.
        choices: names of the operations on each, in order.
        rows: `(n, axes)` int, which of them each trial has.
        ranks: `(n,)` share of the scored trials of its task that a trial is not worse than, in (0, 1]; 1 for the best.
        groups: how many sets of comparable trials they are of, one for each fidelity of each task.
    """

    space: str
    axes: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]
    rows: NDArray[np.int64]
    ranks: NDArray[np.float64]
    groups: int


def parallels(state: LifeState) -> list[Parallel]:
    """Of each space with enough scored trials, the space with the most trials first.

    Scores of other tasks and fidelities mean different things. So a trial counts by its rank among the trials of its
    task at its own fidelity.
    """
    rows: dict[Space, list[NDArray[np.int64]]] = {}
    ranks: dict[Space, list[NDArray[np.float64]]] = {}
    for _, task in state.readable_tasks():
        for space, own, shares in _of_task(task):
            rows.setdefault(space, []).append(own)
            ranks.setdefault(space, []).append(shares)
    made = [_parallel(space, rows[space], ranks[space]) for space in rows]
    return sorted((one for one in made if len(one.rows) >= _FEWEST), key=lambda one: -len(one.rows))


def _of_task(task: TaskState) -> list[tuple[Space, NDArray[np.int64], NDArray[np.float64]]]:
    """For each space and fidelity of its own trials: their vectors and ranks."""
    groups: dict[tuple[Space, str], list[tuple[NDArray[np.int64], float]]] = {}
    begun = len(task.evaluations) - len(task.own_evaluations)
    for trial in task.trials[begun:]:
        if trial.score is not None:
            space = trial.architecture.space
            vector = np.asarray(space.encode(trial.architecture), dtype=np.int64)
            groups.setdefault((space, trial.fidelity), []).append((vector, trial.score))
    found = []
    for (space, _), trials in groups.items():
        scores = np.array([score for _, score in trials])
        shares = (scores[:, None] >= scores[None, :]).mean(axis=1)
        found.append((space, np.stack([vector for vector, _ in trials]), shares))
    return found


def _parallel(space: Space, rows: Sequence[NDArray[np.int64]], ranks: Sequence[NDArray[np.float64]]) -> Parallel:
    several = len(space.templates) > 1
    axes, choices = [], []
    for template, source, target in space.slots:
        name = f"{space.templates[template].name} " if several else ""
        axes.append(f"{name}{source}→{target}")
        choices.append(("none", *(operation.name for operation in space.templates[template].operations)))
    return Parallel(
        space=space.name,
        axes=tuple(axes),
        choices=tuple(choices),
        rows=np.concatenate(rows),
        ranks=np.concatenate(ranks),
        groups=len(rows),
    )


def parallel_picture(shown: Parallel) -> bytes:
    """One line a trial over the edges of its cell, coloured by rank; the best are drawn last, highest in each band."""
    rows, ranks = shown.rows[-_MOST:, :_WIDEST], shown.ranks[-_MOST:]
    order = np.argsort(ranks, kind="stable")
    heights = rows[order] + _SPREAD * (ranks[order, None] - 0.5)
    places = np.arange(rows.shape[1] + 1, dtype=np.float64)
    most = max(len(names) for names in shown.choices[:_WIDEST]) - 1
    ends = ranks[order] * most
    lines = np.stack(
        [np.broadcast_to(places, (len(rows), len(places))), np.column_stack([heights, ends])], axis=-1
    )  # fmt: skip
    figure = Figure(figsize=(1.35 * len(places) + 1.2, 0.55 * most + 1.8), layout="constrained")
    axes = figure.subplots()
    drawn = LineCollection(list(lines), cmap="viridis", linewidths=0.5 + 1.2 * ranks[order], alpha=0.55)
    drawn.set_array(ranks[order])
    drawn.set_clim(0, 1)
    axes.add_collection(drawn)
    axes.set_xlim(-0.6, len(places) - 0.8)
    axes.set_ylim(-0.6, most + 0.6)
    axes.set_xticks(places, [*shown.axes[:_WIDEST], "rank"], fontsize=8)
    axes.set_yticks([])
    for place, names in enumerate(shown.choices[:_WIDEST]):
        axes.axvline(place, color="0.7", linewidth=0.6, zorder=0)
        for height, name in enumerate(names):
            axes.text(place, height, name, fontsize=6.5, ha="center", va="center",
                      bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8})  # fmt: skip
    axes.set_xlabel("edge of the cell")
    figure.colorbar(drawn, ax=axes, pad=0.01, label="share of its task's trials\nthat it is not worse than")
    return png(figure)
