"""The receptive field of a whole network as a circuit: the longest reach over paths through the unrolled stack.

All cells of one template are the same, so the field depends only on the longest reach through each *port*: from one
input of a template to its outputs. A block adds that reach times its jump, the product of the strides before it. The
field grows with each port's reach, so it is at least a limit exactly above a staircase in the space of reaches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from constraints.engines.cell_circuit import CellCircuit
from constraints.engines.circuit import FALSE, TRUE, NodeId
from selfnas.errors import InputError
from selfnas.networks.stack import Stack

__all__ = ["field_at_least"]

_MAX_GRID = 4_000_000  # combinations of reaches; darts has 0.4 million
_NO_PATH = -(2**40)  # reach of a port that no path leads through

_Port = tuple[int, int, int]  # template, input node, stride of the block


def field_at_least(cells: Sequence[CellCircuit], plan: Stack, pixels: int) -> NodeId:
    """Some path from the network's input to its head looks at least so many pixels of the task's input far."""
    ports = list(
        dict.fromkeys(
            (block.template, port, block.stride)
            for block in plan.blocks
            if block.template is not None
            for port in range(len(block.inputs))
        )
    )
    totals = [_totals(cells[template], port, stride) for template, port, stride in ports]
    if math.prod(len(values) + 1 for values in totals) > _MAX_GRID:
        raise InputError(f"a receptive field has more than {_MAX_GRID:,} combinations of reaches in this space")
    gathers = [
        [TRUE, *_gathers(cells[template], port, stride, values)]
        for (template, port, stride), values in zip(ports, totals, strict=True)
    ]
    grid = np.meshgrid(*[np.array([_NO_PATH, *values]) for values in totals], indexing="ij", sparse=True)
    far = _longest(plan, dict(zip(ports, grid, strict=True))) + 1 >= max(pixels, 0)
    known: dict[tuple[int, bytes], NodeId] = {}

    def staircase(axis: int, inside: NDArray[np.bool_]) -> NodeId:
        """The reaches of the ports from `axis` on lie inside a set that only grows with them."""
        if axis == len(ports):
            return TRUE if inside else FALSE
        key = (axis, inside.tobytes())
        if key not in known:
            circuit, options = cells[0].circuit, []
            for index, slice_ in enumerate(inside):
                if index == 0 or (slice_ != inside[index - 1]).any():
                    options.append(circuit.conjunction((gathers[axis][index], staircase(axis + 1, slice_))))
            known[key] = circuit.disjunction(options)
        return known[key]

    return staircase(0, np.broadcast_to(far, [len(values) + 1 for values in totals]))


def _longest(plan: Stack, through: dict[_Port, NDArray[np.int64]]) -> NDArray[np.int64]:
    """The reach of the longest path that leaves the last block, given the reach through every port.

    Negative where there is no path.
    """
    longest: dict[int, NDArray[np.int64]] = {-1: np.array(plan.stem_kernel - 1)}
    jumps: dict[int, int] = {-1: plan.stem_stride}  # between neighbours of what leaves a block, in pixels
    for index, block in enumerate(plan.blocks):
        jump = jumps[block.inputs[-1]] * block.strides[-1]
        jumps[index] = jump * block.stride
        if block.template is None:  # two 3x3 convolutions, the first with the block's stride
            longest[index] = longest[block.inputs[0]] + 2 * jump + 2 * jump * block.stride
            continue
        arriving = [
            longest[source] + jump * through[block.template, port, block.stride]
            for port, source in enumerate(block.inputs)
        ]
        total = arriving[0]
        for other in arriving[1:]:
            total = np.maximum(total, other)
        longest[index] = np.maximum(total, _NO_PATH)
    return longest[len(plan.blocks) - 1]


def _step(cell: CellCircuit, slot: tuple[int, int], name: str, stride: int) -> int:
    """Reach that one edge adds, in pixels at the cell's own input resolution."""
    operation = cell.template.operations[cell.operations.index(name)]
    if slot[0] in cell.inputs:
        return operation.reach(stride=stride)
    return operation.reach() * stride  # inner nodes of a reducing cell lie twice as far apart


def _totals(cell: CellCircuit, port: int, stride: int) -> list[int]:
    """Every reach that some path from an input to an output may have, ascending."""
    totals: list[set[int]] = [set() for _ in range(cell.nodes)]
    totals[port].add(0)
    for slot in cell.index:
        for operation in cell.operations:
            totals[slot[1]].update([total + _step(cell, slot, operation, stride) for total in totals[slot[0]]])
    return sorted(set().union(*(totals[node] for node in cell.outputs)))


def _gathers(cell: CellCircuit, port: int, stride: int, totals: Sequence[int]) -> list[NodeId]:
    """For each total whether some path from an input to an output of the cell has at least this reach."""
    circuit = cell.circuit
    known: dict[tuple[int, int], NodeId] = {}
    steps = {
        slot: [(value, _step(cell, slot, name, stride)) for value, name in enumerate(cell.operations, start=1)]
        for slot in cell.index
    }

    def arrives(node: int, need: int) -> NodeId:
        if (node, need) not in known:
            options = [TRUE if need == 0 else FALSE] if node == port else []
            for slot in cell.into(node):
                groups: dict[int, list[int]] = {}
                for value, step_reach in steps[slot]:
                    groups.setdefault(max(0, need - step_reach), []).append(value)
                for rest, values in groups.items():
                    step = circuit.conjunction((cell.carries_value(slot, values), arrives(slot[0], rest)))
                    options.append(step)
            known[node, need] = circuit.disjunction(options)
        return known[node, need]

    return [circuit.disjunction(arrives(node, total) for node in sorted(cell.outputs)) for total in totals]
