"""The decision diagram as tables: one order of variables for all spaces, one answer however it is read out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from constraints import Guard, load_set
from constraints.engines.circuit import Circuit
from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Diagram, _Nodes
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, space_named

SMALL = Macro(channels=8, depth=1, resolution=16)
SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)


def _guard(space: str) -> Guard:
    return Guard(load_set("baseline"), space=space_named(space), macro=SMALL, shape=SHAPE)


def test_a_space_of_narrow_slots_first_changes_no_count() -> None:
    """In a new process, a space whose slots need two bits comes before one that needs three; both counts are right."""
    code = (
        "from tests.constraints.engines.test_diagram import _guard\n"
        "for name in ('transnas-micro', 'nb201'):\n"
        "    guard = _guard(name)\n"
        "    print(guard.count().value, int(guard.admits(guard.space.enumerate()).sum()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    counts = [line.split() for line in done.stdout.splitlines()]
    assert [counted == enumerated for counted, enumerated in counts] == [True, True]
    assert counts[1][0] != "0"


def test_variables_of_every_space_stand_in_the_order_of_its_slots() -> None:
    """Tables are read slot by slot, so the levels must ascend with slots and bits in each space."""
    for name in ("transnas-micro", "nb201", "darts"):
        widths = [len(template.operations) + 1 for template in SPACES[name].templates for _ in template.slots]
        diagram = Diagram(Circuit(widths), SPACES[name])
        levels = [diagram.manager.level_of_var(bit) for names in diagram.names for bit in names]
        assert levels == sorted(set(levels))


def test_both_ways_of_reading_nodes_agree() -> None:
    """CUDD's text form and the walk over nodes give one function, negated or not; what never holds has no member."""
    guard = _guard("nb201")
    diagram = guard.admitted.diagram
    total, _ = guard.admitted.partial
    for function in (total, diagram.domain & ~total, diagram.domain):
        count = SlotTable(diagram, function).count
        for nodes in (_Nodes._walked(function, diagram.manager), _Nodes.of(function, diagram.manager)):
            assert _members(nodes, diagram) == count > 0
    assert SlotTable(diagram, diagram.manager.false).count == 0


def _members(nodes: _Nodes, diagram: Diagram) -> int:
    """How many slot vectors satisfy a function, by following the bits of each through the nodes."""
    bits = np.array(
        [[value >> bit & 1 for value in range(width) for bit in range(4)] for width in diagram.circuit.widths]
    ).reshape(len(diagram.circuit.widths), -1, 4)
    vectors = diagram.space.enumerate().astype(int)
    reached = np.full(len(vectors), nodes.root)
    for slot in range(vectors.shape[1]):
        for bit in range(4):
            node, sign = np.abs(reached), np.sign(reached)
            chosen = np.where(bits[slot, vectors[:, slot], bit] == 1, nodes.high[node], nodes.low[node])
            reached = np.where(nodes.level[node] == slot * 4 + bit, sign * chosen, reached)
    return int((reached == 1).sum())
