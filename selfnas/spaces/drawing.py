"""Pictures of cells. Matplotlib is imported when something is drawn; no window system, no global state of its."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from selfnas.figures import png
from selfnas.spaces.cell import Cell
from selfnas.spaces.operation import Operation
from selfnas.spaces.operations import OPERATIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_cell", "picture"]

# For composed operators and others that are not ours: hues that our operations leave, most of them of Tol (2021). There
# are as many as a cell has edges, so that no two operations of one cell look alike.
_FURTHER = ("#332288", "#999933", "#661100", "#7A3E9D", "#000000", "#44AA99", "#DDCC77", "#6699CC")
_SPACING = 1.8  # between nodes, in the axes' units
_INCHES = 1.45  # of a picture's width for each node: an arrow is seen beside its label


def draw_cell(
    axes: Axes,
    cell: Cell,
    *,
    title: str,
    part: bool = False,
    operations: Mapping[str, Operation] = MappingProxyType({}),
) -> Axes:
    """A cell's nodes from left to right, its live edges as labelled arcs, dead ones dotted; in a part all are live.

    Args:
        axes: to draw on.
        cell: of any space.
        title: over the picture.
        part: whether it is only a part of a cell.
        operations: of the cell's space, where that is not in force.
    """
    from matplotlib.patches import FancyArrowPatch

    live = set(cell.edges if part else cell.live_edges())
    colours = _colours(cell, {**OPERATIONS, **operations})
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
            fontsize=6.5 if ">" in edge.operation else 9,
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


def _colours(cell: Cell, operations: Mapping[str, Operation]) -> dict[str, str]:
    """A colour for each operation of a cell, whatever it is."""
    further = itertools.cycle(_FURTHER)
    names = sorted({edge.operation for edge in cell.edges})
    return {name: operations[name].colour if name in operations else next(further) for name in names}


def picture(
    cells: Sequence[tuple[str, Cell]],
    *,
    part: bool = False,
    operations: Mapping[str, Operation] = MappingProxyType({}),
    dpi: int = 75,
) -> bytes:
    """Cells below one another, each with its title, as the bytes of a PNG file; options are those of `draw_cell`."""
    from matplotlib.figure import Figure

    nodes = max(cell.nodes for _, cell in cells)
    figure = Figure(figsize=(_INCHES * nodes, _INCHES * nodes / 2.2 * len(cells)))
    for axes, (title, cell) in zip(figure.subplots(len(cells), squeeze=False)[:, 0], cells, strict=True):
        draw_cell(axes, cell, title=title, part=part, operations=operations)
    return png(figure, dpi=dpi)
