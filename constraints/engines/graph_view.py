"""A cell as the referee sees it: a networkx graph, its paths listed one by one, and what is live.

A composed operator is written out by new nodes with numbers above the cell's own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networkx as nx

from constraints.language.syntax import End
from selfnas.spaces.cell import Cell, Edge

__all__ = ["GraphView", "Path"]


@dataclass(frozen=True, slots=True)
class Path:
    """One path: its nodes in order, and the operations on its edges."""

    nodes: tuple[int, ...]
    operations: tuple[str, ...]


class GraphView:
    """Questions about one cell, answered by looking."""

    def __init__(self, cell: Cell) -> None:
        self.graph: nx.DiGraph[int] = nx.DiGraph()
        self.graph.add_nodes_from(range(cell.nodes))
        self.last = cell.nodes - 1
        self.inputs = frozenset(range(cell.inputs))
        self.outputs = frozenset(cell.outputs)
        self._operations: dict[tuple[int, int], str] = {}
        self._origins: dict[tuple[int, int], Edge] = {}
        for edge in cell.edges:
            self._lay(edge)
        self._paths: dict[int, list[Path]] = {}

    def _lay(self, edge: Edge) -> None:
        """Add what an edge stands for: the steps of its chain, and the operation beside it."""
        chain, _, beside = edge.operation.partition("&")
        *steps, last = chain.split(">")
        here = edge.source
        for step in steps:
            between = len(self.graph)
            self._operations[here, between] = step
            here = between
            self.graph.add_node(between)
        self._operations[here, edge.target] = last
        if beside:
            self._operations[edge.source, edge.target] = beside
        for pair in [pair for pair in self._operations if pair not in self._origins]:
            self.graph.add_edge(*pair)
            self._origins[pair] = edge

    @functools.cached_property
    def live_edges(self) -> frozenset[Edge]:
        """The cell's own edges of which something is live."""
        return frozenset(self._origins[pair] for pair in self.live)

    def operation(self, source: int, target: int) -> str:
        """What a present edge carries."""
        return self._operations[source, target]

    def ends(self, end: End) -> frozenset[int]:
        """The nodes that an end stands for."""
        if end.kind == "node":
            return frozenset({end.number})
        return self.inputs if end.kind == "input" else self.outputs

    def between(self, starts: Iterable[int], stops: Iterable[int]) -> Iterator[Path]:
        """Every path from one of some nodes to one of others; a node reaches itself by a path of no edges."""
        wanted = set(stops)
        for start in starts:
            for path in self._from(start):
                if path.nodes[-1] in wanted:
                    yield path

    @functools.cached_property
    def live(self) -> frozenset[tuple[int, int]]:
        """The edges on some path from an input to an output."""
        return frozenset(
            edge
            for path in self.between(self.inputs, self.outputs)
            for edge in zip(path.nodes[:-1], path.nodes[1:], strict=True)
        )

    def _from(self, start: int) -> list[Path]:
        """Every path that starts at a node."""
        if start not in self._paths:
            found = [Path((start,), ())]
            for path in found:  # grows while it is read
                last = path.nodes[-1]
                found += [
                    Path((*path.nodes, following), (*path.operations, self._operations[last, following]))
                    for following in self.graph.successors(last)
                ]
            self._paths[start] = found
        return self._paths[start]
