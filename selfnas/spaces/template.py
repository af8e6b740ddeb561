"""The cells of one kind that a space allows: every edge that may be, as one small integer each.

A template lists every edge a cell may have (its *slots*); a cell is then one small integer per slot: 0 for no
operation, k for the k-th operation of the template. That vector is what surrogates, the NumPy engine, Z3 and the
decision diagram all work on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ArchitectureError, suggestion
from selfnas.spaces.cell import NONE, Cell, Edge
from selfnas.spaces.operation import Operation
from selfnas.spaces.operations import OPERATIONS

__all__ = ["CellTemplate", "Vector"]

Vector = NDArray[np.int8]

_OWN = {word: one for one in OPERATIONS.values() for word in (one.name, *one.aliases)}
_MOST_OPERATIONS = 127  # numbers of operations are kept in one byte each


@dataclass(frozen=True, kw_only=True)
class CellTemplate:
    """The cells of one kind that a space allows.

    Attributes:
        name: `cell`, or `normal` and `reduce`.
        operations: what an edge may carry, without `none`; the k-th has number k in vectors.
        in_degree: exactly so many edges run into each node that is not an input; None allows any number.
        reduces: whether edges from inputs halve the resolution.

    Raises:
        ArchitectureError: operations that share a name or an alias, or one that takes a name of ours.
    """

    name: str
    inputs: int
    nodes: int
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]
    in_degree: int | None = None
    reduces: bool = False

    def __post_init__(self) -> None:
        for operation in self.operations:
            for spelling in (operation.name, *operation.aliases):
                if _OWN.get(spelling, operation) != operation:
                    raise ArchitectureError(f"{spelling!r} is an operation of our own: choose another name for yours")
        spellings = [spelling for one in self.operations for spelling in (one.name, *one.aliases)]
        if len(set(spellings)) < len(spellings) or not 1 <= len(self.operations) <= _MOST_OPERATIONS:
            raise ArchitectureError(
                f"a template has 1 to {_MOST_OPERATIONS} operations, no two of one name, not {', '.join(spellings)}"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the operations, in their order."""
        return tuple(operation.name for operation in self.operations)

    @cached_property
    def identities(self) -> tuple[int, ...]:
        """Numbers of the operations that hand on their input as it is."""
        return tuple(number for number, one in enumerate(self.operations, start=1) if one.identity)

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        """The name that each spelling stands for, `none` included."""
        return {NONE: NONE} | {word: one.name for one in self.operations for word in (one.name, *one.aliases)}

    @cached_property
    def _places(self) -> tuple[Mapping[tuple[int, int], int], Mapping[str, int]]:
        """The position of each slot, and the number of each operation."""
        return (
            {slot: position for position, slot in enumerate(self.slots)},
            {name: number for number, name in enumerate(self.names, start=1)},
        )

    @cached_property
    def slots(self) -> tuple[tuple[int, int], ...]:
        """Every possible edge as (source, target), ascending by target, then source."""
        return tuple((s, t) for t in range(self.inputs, self.nodes) for s in range(t))

    def count(self) -> int:
        """Number of distinct spellings."""
        total = 1
        for target in range(self.inputs, self.nodes):
            if self.in_degree is None:
                total *= (len(self.operations) + 1) ** target
            else:
                total *= math.comb(target, self.in_degree) * len(self.operations) ** self.in_degree
        return total

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` exactly uniform, independent cells as slot vectors."""
        kinds = len(self.operations)
        if self.in_degree is None:
            return rng.integers(0, kinds + 1, size=(count, len(self.slots)), dtype=np.int8)
        columns = []
        for target in range(self.inputs, self.nodes):
            order = np.argsort(rng.random((count, target)), axis=1)
            chosen = np.argsort(order, axis=1) < self.in_degree
            columns.append(
                np.where(chosen, rng.integers(1, kinds + 1, size=(count, target), dtype=np.int8), np.int8(0))
            )
        return np.concatenate(columns, axis=1).astype(np.int8)

    def fits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row of `(n, slots)` is a cell of this template."""
        good = np.asarray(((vectors >= 0) & (vectors <= len(self.operations))).all(axis=1))
        if self.in_degree is not None:
            start = 0
            for target in range(self.inputs, self.nodes):
                good = good & ((vectors[:, start : start + target] > 0).sum(axis=1) == self.in_degree)
                start += target
        return good

    def neighbours(self, vector: Vector) -> Iterator[Vector]:
        """Every cell one edit away: another operation on an edge, or (fixed in-degree) another source for it."""
        kinds = len(self.operations)
        for slot, (_, target) in enumerate(self.slots):
            old = int(vector[slot])
            if self.in_degree is None or old:
                for new in range(0 if self.in_degree is None else 1, kinds + 1):
                    if new != old:
                        changed = vector.copy()
                        changed[slot] = new
                        yield changed
            if self.in_degree is not None and old:
                for other, (_, other_target) in enumerate(self.slots):
                    if other_target == target and not vector[other]:
                        moved = vector.copy()
                        moved[slot], moved[other] = 0, old
                        yield moved

    def effective(self, vectors: Vector) -> Vector:
        """`(n, slots)` the same cells without their dead edges, which are on no path from an input to an output."""
        shape = (len(vectors), self.nodes)
        reached, useful = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        reached[:, : self.inputs], useful[:, list(self.outputs)] = True, True
        slots = list(enumerate(self.slots))
        for column, (source, target) in slots:
            reached[:, target] |= reached[:, source] & (vectors[:, column] > 0)
        for column, (source, target) in reversed(slots):
            useful[:, source] |= useful[:, target] & (vectors[:, column] > 0)
        live = np.stack([reached[:, source] & useful[:, target] for source, target in self.slots], axis=1)
        return np.where(live, vectors, np.int8(0))

    def cell(self, vector: Vector) -> Cell:
        """The cell that a `(slots,)` vector spells."""
        edges = tuple(
            Edge(target=t, source=s, operation=self.names[value - 1])
            for (s, t), value in zip(self.slots, vector.tolist(), strict=True)
            if value
        )
        return Cell(inputs=self.inputs, nodes=self.nodes, outputs=self.outputs, edges=edges)

    def vector(self, cell: Cell) -> Vector:
        """`(slots,)` int8 of a cell.

        Raises:
            ArchitectureError: the cell is not of this template.
        """
        if (cell.inputs, cell.nodes, cell.outputs) != (self.inputs, self.nodes, self.outputs):
            raise ArchitectureError(
                f"a {self.name} cell has {self.inputs} inputs, {self.nodes} nodes and outputs {self.outputs}, "
                f"not {cell.inputs}, {cell.nodes} and {cell.outputs}"
            )
        positions, numbers = self._places
        vector = np.zeros(len(positions), dtype=np.int8)
        for edge in cell.edges:
            if edge.operation not in numbers:
                raise ArchitectureError(f"unknown operation {edge.operation!r}{suggestion(edge.operation, self.names)}")
            position = positions[edge.source, edge.target]
            if vector[position]:
                raise ArchitectureError(f"two operations on edge {edge.source}->{edge.target}")
            vector[position] = numbers[edge.operation]
        if not self.fits(vector[None])[0]:
            raise ArchitectureError(
                f"each inner node of a {self.name} cell needs exactly {self.in_degree} incoming edges"
            )
        return vector

    def format(self, cell: Cell) -> str:
        """`|op~source|…|+|…|`, one group per node; `none` is written only where any number of edges is allowed."""
        operation = {(edge.source, edge.target): edge.operation for edge in cell.edges}
        groups = []
        for target in range(self.inputs, self.nodes):
            words = [
                f"{operation.get((source, target), NONE)}~{source}"
                for source in range(target)
                if self.in_degree is None or (source, target) in operation
            ]
            groups.append("|" + "|".join(words) + "|")
        return "+".join(groups)

    def parse(self, text: str) -> Cell:
        """Read what `format` wrote, or an official benchmark string.

        Raises:
            ArchitectureError: not such a text, or not a cell of this template.
        """
        groups = text.strip().split("+")
        if len(groups) != self.nodes - self.inputs:
            raise ArchitectureError(
                f"a {self.name} cell has {self.nodes - self.inputs} groups joined by '+', not {len(groups)}: {text!r}"
            )
        edges = []
        for target, group in enumerate(groups, start=self.inputs):
            for word in group.strip("|").split("|"):
                operation, tilde, source = word.partition("~")
                if not tilde or not source.isdecimal():
                    raise ArchitectureError(f"an edge reads 'operation~source', not {word!r}")
                name = self._spellings.get(operation)
                if name is None:
                    known = suggestion(operation, (NONE, *self.names))
                    raise ArchitectureError(f"unknown operation {operation!r}{known}")
                if not int(source) < target:
                    raise ArchitectureError(f"edge {source}->{target} must come from an earlier node")
                if name != NONE:
                    edges.append(Edge(target=target, source=int(source), operation=name))
        cell = Cell(inputs=self.inputs, nodes=self.nodes, outputs=self.outputs, edges=tuple(sorted(edges)))
        self.vector(cell)
        return cell
