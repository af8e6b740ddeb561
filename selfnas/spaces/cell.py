"""A cell: a topologically ordered directed acyclic graph whose edges carry operations.

Absent edges and `none` are the same thing: a cell stores only edges that do something. Templates (`template.py`) say
which cells exist; `canonical.py` says when two cells are one network.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfnas.errors import ArchitectureError

__all__ = ["NONE", "Cell", "Edge"]

NONE = "none"  # how an absent edge is spelled


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One operation from node `source` to node `target`."""

    target: int
    source: int
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Nodes 0..inputs-1 are inputs; every other node sums its incoming edges; the outputs are concatenated.

    Attributes:
        inputs: number of input nodes, at least 1.
        outputs: nodes whose values leave the cell, ascending; one node means no concatenation.
        edges: ascending by (target, source, operation), none of them `none`.

    Raises:
        ArchitectureError: an edge that runs backwards, out of range, into an input, or twice.
    """

    inputs: int
    nodes: int
    outputs: tuple[int, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.inputs < self.nodes:
            raise ArchitectureError(f"a cell of {self.nodes} nodes cannot have {self.inputs} inputs")
        if not self.outputs or any(not 0 <= node < self.nodes for node in self.outputs):
            raise ArchitectureError(f"outputs {self.outputs} are not nodes of a cell of {self.nodes} nodes")
        for edge in self.edges:
            if not 0 <= edge.source < edge.target < self.nodes:
                raise ArchitectureError(
                    f"edge {edge.source}->{edge.target} does not fit a cell of {self.nodes} nodes: "
                    f"need 0 <= source < target < {self.nodes}"
                )
            if edge.target < self.inputs:
                raise ArchitectureError(f"edge {edge.source}->{edge.target} runs into input node {edge.target}")
            if edge.operation == NONE:
                raise ArchitectureError(f"edge {edge.source}->{edge.target} is 'none': leave it out")
        if list(self.edges) != sorted(set(self.edges)):
            raise ArchitectureError("edges must be sorted by (target, source, operation), each once")

    def live_edges(self) -> tuple[Edge, ...]:
        """Edges on some path from an input to an output: those that can influence what the cell returns."""
        reached = set(range(self.inputs))
        for edge in self.edges:
            if edge.source in reached:
                reached.add(edge.target)
        useful = set(self.outputs)
        for edge in reversed(self.edges):
            if edge.target in useful:
                useful.add(edge.source)
        return tuple(edge for edge in self.edges if edge.source in reached and edge.target in useful)
