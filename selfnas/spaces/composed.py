"""Operators composed of operations: one edge that stands for a small graph between its two ends.

`a>b` and `a>b>c` are chains, `a>b&c` is a chain with an edge beside it: every graph of two or three operations between
one source and one target in which each operation lies on a path. Written out, such a cell is a plain cell with more
nodes, and that is what is built, digested and judged.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from selfnas.errors import ArchitectureError
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.operation import Kernel, Operation, halved

__all__ = ["Composed", "WrittenOut", "compose", "is_composed", "write_out", "written_out"]


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """What an edge stands for; node 0 is the edge's source, the last one its target.

    Attributes:
        nodes: both ends included.
        edges: (source, target, operation) each, ascending by target.
    """

    nodes: int
    edges: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Composed:
    """The formulas of a composed operator.

    Attributes:
        steps: (source, target, operation) of each of its edges, as `WrittenOut` has them.
    """

    steps: tuple[tuple[int, int, Operation], ...]

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Those of all its operations; the ones at the source work at the stride, later ones on what is left."""
        out = halved(size, stride)
        each = (
            step.kernels(channels, size=out) if source else step.kernels(channels, size=size, stride=stride)
            for source, _, step in self.steps
        )
        return tuple(itertools.chain.from_iterable(each))

    def reach(self, stride: int) -> int:
        """Along its farthest path."""
        farthest: dict[int, int] = {0: 0}
        for source, target, step in self.steps:
            far = farthest[source] + (stride * step.reach() if source else step.reach(stride=stride))
            farthest[target] = max(far, farthest.get(target, far))
        return farthest[max(farthest)]


def compose(name: str, known: Mapping[str, Operation]) -> Operation:
    """The record of a composed operator; it has no builder, since cells are written out before they are built.

    Raises:
        ArchitectureError: the name does not spell one, or with an operation that is not known.

    Example:
        >>> from selfnas.spaces.operations import OPERATIONS
        >>> compose("conv3x3>avg3&skip", OPERATIONS).reach(stride=2)
        6
    """
    graph = written_out(name)
    if not is_composed(name) or not all(step in known for _, _, step in graph.edges):
        raise ArchitectureError(f"{name!r} is not composed of operations at hand, which are {', '.join(known)}")
    steps = tuple((source, target, known[step]) for source, target, step in graph.edges)
    dimensions = tuple(count for count in (0, 1, 2) if all(count in step.dimensions for _, _, step in steps))
    return Operation(name=name, form=Composed(steps), builder="", dimensions=dimensions)


def is_composed(operation: str) -> bool:
    """Whether a name spells a composed operator."""
    return ">" in operation


@functools.lru_cache(maxsize=1024)
def written_out(operation: str) -> WrittenOut:
    """The graph of an operation; one edge where it is not composed.

    Raises:
        ArchitectureError: the name is not one of the three forms.

    Example:
        >>> written_out("conv3x3>avg3&skip").edges
        ((0, 1, 'conv3x3'), (0, 2, 'skip'), (1, 2, 'avg3'))
    """
    chain, also, beside = operation.partition("&")
    steps = chain.split(">")
    edges = [(place, place + 1, step) for place, step in enumerate(steps)]
    if also:
        edges.append((0, len(steps), beside))
    if len(edges) > 3 or (also and len(steps) != 2) or not all(step.isalnum() for _, _, step in edges):
        raise ArchitectureError(f"an operator reads 'a>b', 'a>b>c' or 'a>b&c', not {operation!r}")
    return WrittenOut(len(steps) + 1, tuple(sorted(edges, key=lambda edge: (edge[1], edge[0]))))


@functools.lru_cache(maxsize=65536)
def write_out(cell: Cell) -> Cell:
    """The plain cell that a cell with composed operators stands for; inner nodes come right before their target."""
    if not any(is_composed(edge.operation) for edge in cell.edges):
        return cell
    place = {node: node for node in range(cell.inputs)}
    numbers = itertools.count(cell.inputs)
    edges = []
    for target in range(cell.inputs, cell.nodes):
        graphs = [(edge.source, written_out(edge.operation)) for edge in cell.edges if edge.target == target]
        inner = [list(itertools.islice(numbers, graph.nodes - 2)) for _, graph in graphs]
        place[target] = next(numbers)
        for (source, graph), between in zip(graphs, inner, strict=True):
            where = [place[source], *between, place[target]]
            edges += [Edge(target=where[t], source=where[s], operation=name) for s, t, name in graph.edges]
    return Cell(
        inputs=cell.inputs,
        nodes=next(numbers),
        outputs=tuple(place[node] for node in cell.outputs),
        edges=tuple(sorted(edges)),
    )
