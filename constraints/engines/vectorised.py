"""The NumPy engine: a circuit evaluated over many slot vectors at once.

Truth values of eight rows share a byte, so connectives cost an eighth of a byte operation per row; only weighted sums
look at rows one by one. Work goes in chunks that stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from constraints.engines.circuit import FALSE, TRUE, AtMost, Choice, Circuit, NodeId
from selfnas.spaces.template import Vector

__all__ = ["evaluate"]

Bools = NDArray[np.bool_]
_Packed = NDArray[np.uint8]
_CHUNK = 16_384  # rows; measured fastest of 2**12..2**18 on nb201 and darts


def evaluate(circuit: Circuit, roots: Sequence[NodeId], vectors: Vector) -> Bools:
    """`(n, roots)` the value of each root for each row of `(n, slots)`."""
    result = np.empty((len(roots), len(vectors)), dtype=bool)
    order = circuit.reachable(roots)
    for start in range(0, len(vectors), _CHUNK):
        chunk = np.ascontiguousarray(vectors[start : start + _CHUNK].T)
        values = _Chunk(circuit, chunk).run(order)
        for row, root in enumerate(roots):
            result[row, start : start + _CHUNK] = _unpack(values[root], chunk.shape[1])
    return result.T


def _unpack(packed: _Packed, rows: int) -> NDArray[np.uint8]:
    return np.unpackbits(packed, count=rows)


class _Chunk:
    """One chunk of rows, one `(rows / 8,)` array per node."""

    def __init__(self, circuit: Circuit, columns: Vector) -> None:
        self.circuit, self.columns = circuit, columns
        self.equal: dict[tuple[int, int], _Packed] = {}

    def run(self, order: Sequence[NodeId]) -> dict[NodeId, _Packed]:
        width = -(-self.columns.shape[1] // 8)
        values = {FALSE: np.zeros(width, dtype=np.uint8), TRUE: np.full(width, 255, dtype=np.uint8)}
        for node in order:
            definition = self.circuit.nodes[node]
            if isinstance(definition, bool):
                continue
            if isinstance(definition, Choice):
                values[node] = self.choice(definition)
            elif isinstance(definition, AtMost):
                values[node] = self.at_most(definition, values)
            elif definition.operator == "not":
                values[node] = np.invert(values[definition.items[0]])
            else:
                combine = np.bitwise_and if definition.operator == "and" else np.bitwise_or
                total = combine(values[definition.items[0]], values[definition.items[1]])
                for item in definition.items[2:]:
                    combine(total, values[item], out=total)
                values[node] = total
        return values

    def choice(self, definition: Choice) -> _Packed:
        others = self.circuit.widths[definition.slot] - len(definition.values)
        if others < len(definition.values):
            rest = frozenset(range(self.circuit.widths[definition.slot])) - definition.values
            return np.invert(self.choice(Choice(definition.slot, rest)))
        first, *more = (self.equals(definition.slot, value) for value in sorted(definition.values))
        for packed in more:
            first = first | packed
        return first

    def equals(self, slot: int, value: int) -> _Packed:
        if (slot, value) not in self.equal:
            self.equal[slot, value] = np.packbits(self.columns[slot] == value)
        return self.equal[slot, value]

    def at_most(self, definition: AtMost, values: dict[NodeId, _Packed]) -> _Packed:
        rows = self.columns.shape[1]
        total = np.zeros(rows, dtype=np.int64)
        for item, weight in zip(definition.items, definition.weights, strict=True):
            total += _unpack(values[item], rows) * np.int64(weight)
        return np.packbits(total <= definition.bound)
