"""A cell drawn with the edges that are to blame: nodes left to right, operations on the arrows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfnas.figures import write_figure
from selfnas.spaces.architecture import Architecture

__all__ = ["draw_blame"]

_BLAMED, _CALM = "#c0392b", "#34495e"


def draw_blame(architecture: Architecture, blamed: Sequence[str], path: Path) -> None:
    """Write a PNG of every cell; blamed edges, present or missing, in red (missing ones dotted)."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

    templates = architecture.space.templates
    figure = Figure(figsize=(8, 2.8 * len(templates)))
    rows = figure.subplots(len(templates), 1, squeeze=False)
    for template, cell, axes in zip(templates, architecture.cells, rows[:, 0], strict=True):
        present = {(edge.source, edge.target): edge.operation for edge in cell.edges}
        red = {_ends(text) for text in blamed if text.startswith(f"{template.name}:")}
        for slot in template.slots:
            if slot not in present and slot not in red:
                continue
            colour = _BLAMED if slot in red else _CALM
            bend = 0.0 if slot[1] - slot[0] == 1 else -0.28 * (1 if (slot[0] + slot[1]) % 2 else -1)
            arrow = FancyArrowPatch(
                (slot[0], 0),
                (slot[1], 0),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=12,
                shrinkA=12,
                shrinkB=12,
                color=colour,
                linestyle="-" if slot in present else ":",
            )
            axes.add_patch(arrow)
            middle = (slot[0] + slot[1]) / 2
            height = -bend * (slot[1] - slot[0]) / 2 + (0.06 if bend <= 0 else -0.14)
            axes.text(middle, height, present.get(slot, "missing"), ha="center", fontsize=8, color=colour)
        for node in range(template.nodes):
            face = "#d6eaf8" if node < template.inputs else "#d5f5e3" if node in template.outputs else "white"
            axes.scatter([node], [0], s=420, color=face, edgecolors=_CALM, zorder=3)
            axes.text(node, 0, str(node), ha="center", va="center", zorder=4, fontsize=9)
        axes.set(xlim=(-0.5, template.nodes - 0.5), ylim=(-1.1, 1.1), title=template.name)
        axes.axis("off")
    write_figure(figure, path, bbox="tight")


def _ends(text: str) -> tuple[int, int]:
    source, _, target = text.rsplit(" ", 1)[1].partition("->")
    return int(source), int(target)
