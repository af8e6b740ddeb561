"""Writes the pictures of one task of a run into its folder: search curve, winning cells."""

from __future__ import annotations

from pathlib import Path

from agent.report.plots import draw_search_curve
from agent.state.state import TaskState
from selfnas.spaces.drawing import draw_cell
from selfnas.spaces.named import parse_architecture

__all__ = ["draw_task"]


def draw_task(task: TaskState, folder: Path) -> tuple[Path, ...]:
    """Draw what can be drawn of a task; returns the files.

    Matplotlib's object interface is used, so that no window system and no global state is touched.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def save(figure: Figure, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=110, bbox_inches="tight")
        written.append(path)

    figure = Figure(figsize=(6.4, 4))
    finalists = {finalist.digest for finalist in task.finalists}
    draw_search_curve(
        figure.subplots(),
        task.accuracies,
        recalled=[evaluation.origin == "recalled" for evaluation in task.evaluations],
        finalists=[evaluation.digest in finalists for evaluation in task.evaluations],
        title=f"{task.name}: search",
        metric=task.metric,
    )
    save(figure, folder / "search.png")
    for finalist in task.finalists:
        architecture = parse_architecture(finalist.architecture)
        templates = architecture.space.templates
        figure = Figure(figsize=(7, 3.2 * len(templates)))
        all_axes = figure.subplots(len(templates), squeeze=False)[:, 0]
        for axes, template, cell in zip(all_axes, templates, architecture.cells, strict=True):
            draw_cell(axes, cell, title=f"{task.name}: {template.name} of {finalist.digest[:12]} ({finalist.outcome})")
        save(figure, folder / finalist.digest[:12] / "cell.png")
    return tuple(written)
