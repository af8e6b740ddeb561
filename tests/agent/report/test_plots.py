"""Pictures of cells: every operation has a label and a colour, whether or not it is one of the plain ones."""

from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from agent.ledger.events import TaskStarted, Trained
from agent.report.page_pictures import cells_picture
from agent.report.task_pictures import draw_task
from agent.state.state import TaskState
from agent.state.task import Finalist
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.drawing import draw_cell
from selfnas.spaces.named import SPACES, parse_architecture
from tests.agent.made_up import blank

COMPOSED = parse_architecture(
    "nb201{avg3>avg3,conv3x3>conv1x1&skip,skip>conv3x3>conv3x3}/c8n1r16:"
    "|avg3>avg3~0|+|conv3x3>conv1x1&skip~0|skip>conv3x3>conv3x3~1|+|conv1x1~0|avg3~1|avg3>avg3~2|"
)
UNKNOWN = Cell(inputs=1, nodes=3, outputs=(2,), edges=(Edge(1, 0, "$x_{"), Edge(2, 0, "conv9x9"), Edge(2, 1, "skip")))


@pytest.mark.parametrize("cell", [COMPOSED.cells[0], UNKNOWN], ids=["composed", "unknown"])
def test_every_operation_is_drawn_in_a_colour_of_its_own_under_its_name(cell: Cell) -> None:
    """Composed operators and operations of a later release too; a name is no formula."""
    axes = draw_cell(Figure().subplots(), cell, title="a cell")
    names = [edge.operation for edge in cell.edges]
    assert [text.get_text().replace("\n", "") for text in axes.texts][: len(names)] == names
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    colours = dict(zip(names, (to_hex(arrow.get_edgecolor()) for arrow in arrows), strict=True))
    assert len(set(colours.values())) == len(set(names))
    assert cells_picture("", [("", cell)]).startswith(b"\x89PNG")


@pytest.mark.parametrize("space", SPACES)
def test_the_operations_of_a_space_differ_in_colour(space: str) -> None:
    """Each looks the same in every picture, and like no other of its space."""
    operations = sorted({name for template in SPACES[space].templates for name in template.names})
    drawn = []
    for names in (operations, operations[::-1]):
        cell = Cell(inputs=1, nodes=len(names) + 1, outputs=(1,), edges=tuple(map(_edge, enumerate(names, start=1))))
        patches = draw_cell(Figure().subplots(), cell, title="").patches
        drawn.append({name: to_hex(patch.get_edgecolor()) for name, patch in zip(names, patches, strict=True)})
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0].values())) == len(operations)


def test_a_finalist_with_composed_operators_has_its_pictures(tmp_path: Path) -> None:
    """As a run draws them at the end of a task."""
    task = TaskState(index=0, name="one", first=0, started=blank(TaskStarted))
    trained = blank(Trained, architecture=str(COMPOSED), digest=COMPOSED.digest)
    task.finalists.append(Finalist(trained=trained, outcome="admitted"))
    written = draw_task(task, tmp_path)
    assert written == (tmp_path / "search.png", tmp_path / COMPOSED.digest[:12] / "cell.png")
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def _edge(numbered: tuple[int, str]) -> Edge:
    target, operation = numbered
    return Edge(target, 0, operation)
