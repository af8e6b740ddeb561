"""Composed operators: spelling, writing out, costs and networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfnas.devices.work import parts
from selfnas.errors import ArchitectureError
from selfnas.networks.costs import costs
from selfnas.networks.network import build_network, parameter_count
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.composed import write_out, written_out
from selfnas.spaces.named import parse_architecture, respelled, space_named

SPACE = "nb201{conv3x3>avg3,conv1x1>conv3x3&skip,avg3>conv1x1>conv3x3}"
MACRO, SHAPE = Macro(channels=4, depth=1, resolution=8), TaskShape(channels=1, size=(8, 8), classes=3)


def test_an_operator_is_written_out_between_its_ends() -> None:
    """Inner nodes come right before the target, and the other nodes move up."""
    edges = (
        Edge(target=1, source=0, operation="a>b&c"),
        Edge(target=2, source=0, operation="d"),
        Edge(target=2, source=1, operation="e>f>g"),
    )
    found = write_out(Cell(inputs=1, nodes=3, outputs=(2,), edges=edges))
    assert [(edge.source, edge.target, edge.operation) for edge in found.edges] == [
        (0, 1, "a"), (0, 2, "c"), (1, 2, "b"), (2, 3, "e"), (3, 4, "f"), (0, 5, "d"), (4, 5, "g"),
    ]  # fmt: skip
    assert (found.nodes, found.outputs) == (6, (5,))


@pytest.mark.parametrize("text", ["a>", "a>b>c>d", "a>b&", "a>b>c&d", "a&b", "a>b&c&d", "a>b|c", ">a"])
def test_what_is_no_operator_is_refused(text: str) -> None:
    """Only chains of two or three and a chain of two with one edge beside it have a meaning."""
    with pytest.raises(ArchitectureError, match="an operator reads"):
        written_out(text)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nb201{conv3x3>sep3x3}", "not composed of operations"),
        ("nb201{conv3x3}", "not composed of operations"),
        ("nb201{skip>avg3,skip>avg3}", "each once"),
        ("nb201{skip>avg3", "reads"),
        ("nb202{skip>avg3}", "unknown space"),
        ("darts{sep3x3>dil3x3}", "takes no composed operators"),
    ],
)
def test_a_space_that_cannot_be_is_refused(name: str, message: str) -> None:
    """Unknown operations or bases, repetitions, broken spellings, fixed fan-in."""
    with pytest.raises(ArchitectureError, match=message):
        space_named(name)


def test_a_cell_with_operators_survives_its_text_and_costs_what_is_built() -> None:
    """Forty random cells: read back as written; formula, parts and built network have equal parameters."""
    space = space_named(SPACE)
    for row in space.draw(np.random.default_rng(0), 40):
        architecture = space.decode(row, macro=MACRO)
        assert parse_architecture(str(architecture)) == architecture
        assert np.array_equal(space.encode(architecture), row)
        network = build_network(architecture, SHAPE, seed=0)
        assert parameter_count(network) == costs(architecture, SHAPE).params
        macs = sum(kernel.macs * count for part, count in parts(architecture, SHAPE).items() for kernel in part.kernels)
        assert macs == costs(architecture, SHAPE).macs
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_a_cell_is_spelled_in_another_space_where_that_has_its_operators() -> None:
    """Plain cells go everywhere, cells with an operator only where it is in force, at whatever place."""
    plain = parse_architecture("nb201/c4n1r8:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|")
    moved = respelled(plain, space_named(SPACE))
    assert moved is not None
    assert moved.digest == plain.digest
    carrying = parse_architecture("nb201{conv3x3>avg3}/c4n1r8:|conv3x3>avg3~0|+|none~0|none~1|+|skip~0|none~1|none~2|")
    assert respelled(carrying, space_named(SPACE)) is not None
    assert respelled(carrying, space_named("nb201{avg3>conv3x3,conv3x3>avg3}")) is not None
    assert respelled(carrying, space_named("nb201{avg3>conv3x3}")) is None
    assert respelled(carrying, space_named("nb201")) is None
    assert respelled(plain, space_named("transnas-micro")) is None
