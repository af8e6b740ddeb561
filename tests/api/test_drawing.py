"""Architectures, cells and sub-cells draw themselves where a notebook shows them."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from selfnas import SPACES, Architecture, Macro, Space
from selfnas.search.subcells import parts
from selfnas.spaces.drawing import draw_cell, picture

_PNG = b"\x89PNG\r\n\x1a\n"


def drawn(space: Space, *, seed: int = 0) -> Architecture:
    """Some architecture of a space."""
    return space.decode(space.draw(np.random.default_rng(seed), 1)[0], macro=Macro(8, 1, 16))


@pytest.mark.parametrize("name", SPACES)
def test_architectures_and_their_cells_are_pictures(name: str) -> None:
    """PNG, the same bytes each time; two cells take more room than one; no global state of matplotlib is touched."""
    before = dict(mpl.rcParams)
    architecture = drawn(SPACES[name])
    whole, cell = architecture._repr_png_(), picture([("normal", architecture.cells[0])], dpi=110)
    assert whole.startswith(_PNG)
    assert cell.startswith(_PNG)
    assert whole == architecture._repr_png_()
    height = int.from_bytes(whole[20:24])
    assert (height > 1.5 * int.from_bytes(cell[20:24])) == (len(architecture.cells) > 1)
    assert dict(mpl.rcParams) == before


def test_sub_cells_are_pictures() -> None:
    """Of their edges alone."""
    space = SPACES["nb201"]
    for sub_cell in sorted(parts(space, space.encode(drawn(space, seed=3))))[:2]:
        assert sub_cell._repr_png_().startswith(_PNG)


def test_every_edge_is_labelled() -> None:
    """With its operation; dead edges too."""
    from matplotlib.figure import Figure

    cell = drawn(SPACES["darts"]).cells[0]
    axes = draw_cell(Figure().subplots(), cell, title="a cell")
    labels = [text.get_text() for text in axes.texts]
    for edge in cell.edges:
        assert labels.count(edge.operation) >= 1
    assert axes.get_title() == "a cell"


def test_a_space_of_somebody_else_needs_no_registration() -> None:
    """Its architectures know their own operations."""
    own = SPACES["nb201"]
    [template] = own.templates
    renamed = tuple(replace(one, name=f"my{one.name}", aliases=()) for one in template.operations)
    space = Space(name="mine", templates=(replace(template, operations=renamed),))
    assert drawn(space)._repr_png_().startswith(_PNG)
