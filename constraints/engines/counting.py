"""A finished diagram as a table over slots: exact counts, exactly uniform draws, nearest members.

Each row is a set of completions from one slot on; its columns say which row follows each value. So a member is a path
through the table, and its rank among all members is a sum of counts: drawing a rank uniformly draws a member uniformly.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constraints.engines.diagram import Diagram
from selfnas.errors import SelfnasError
from selfnas.spaces.template import Vector

__all__ = ["SlotTable"]

_DEAD = 0  # row of the empty set at every level
_MAX_COUNT = 2**63 - 1


class SlotTable:
    """The `count` members of a function inside a diagram's domain, slot vectors in lexicographic order."""

    def __init__(self, diagram: Diagram, function: Any) -> None:
        self.widths = diagram.circuit.widths
        self.following = diagram.tables(function)  # per level (rows, width): row at the next level
        # per level (rows,): completions of each row, as Python integers where 64 bits might not do
        kind = np.int64 if diagram.space.count() <= _MAX_COUNT else object
        self.members = [np.array([0, 1], dtype=kind)]
        for table in reversed(self.following):
            self.members.append(self.members[-1][table].sum(axis=1))
        self.members.reverse()
        self.count = int(self.members[0][1])

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` independent and exactly uniform members.

        Raises:
            SelfnasError: there are no members.
        """
        if not self.count:
            raise SelfnasError("there is nothing to draw from: the rules admit nothing")
        if self.count > _MAX_COUNT:
            raise SelfnasError(f"cannot rank {self.count:,} members in 63 bits")
        return self.at(rng.integers(0, self.count, size=count, dtype=np.int64))

    def at(self, ranks: NDArray[np.int64]) -> Vector:
        """`(n, slots)` the members of given ranks in lexicographic order."""
        ranks = ranks.copy()
        row = np.ones(len(ranks), dtype=np.int64)
        result = np.empty((len(self.widths), len(ranks)), dtype=np.int8)
        for level, table in enumerate(self.following):
            before = self._before[level][row]  # (n, width): members with a smaller value here
            value = (ranks[:, None] >= before[:, 1:]).sum(axis=1)
            ranks -= before[np.arange(len(ranks)), value]
            row = table[row, value]
            result[level] = value
        return np.ascontiguousarray(result.T)

    def nearest(self, vector: Vector, prices: NDArray[np.int64], *, limit: int) -> tuple[int, Vector]:
        """The least price at which a vector becomes a member, and up to `limit` members at that price.

        Args:
            vector: `(slots,)`.
            prices: `(slots, widest)` price of each value of each slot.
            limit: how many members to return, in lexicographic order.
        """
        far = np.iinfo(np.int64).max // 4
        price = np.where(np.array([int(bool(m)) for m in self.members[-1]]), 0, far)
        cheapest = [price]
        for level in range(len(self.widths) - 1, -1, -1):
            table = self.following[level]
            price = (price[table] + prices[level, : table.shape[1]]).min(axis=1)
            price[_DEAD] = far
            cheapest.append(np.minimum(price, far))
        cheapest.reverse()
        best = int(cheapest[0][1]) if self.count else far
        if best >= far:
            return -1, np.empty((0, len(vector)), dtype=np.int8)
        partial: list[tuple[int, int, list[int]]] = [(1, best, [])]
        for level, table in enumerate(self.following):
            longer = []
            for row, budget, values in partial:
                for value in range(table.shape[1]):
                    left, following = budget - int(prices[level, value]), int(table[row, value])
                    if left >= 0 and cheapest[level + 1][following] <= left:
                        longer.append((following, left, [*values, value]))
            partial = longer[:limit]
        return best, np.array([values for _, _, values in partial], dtype=np.int8)

    @functools.cached_property
    def _before(self) -> list[NDArray[np.int64]]:
        """Per level `(rows, width)`: members of a row with a smaller value at this slot."""
        counts = [after[table].astype(np.int64) for table, after in zip(self.following, self.members[1:], strict=True)]
        return [np.cumsum(count, axis=1) - count for count in counts]
