"""A finished diagram as a table over slots: exact counts, exactly uniform draws, nearest members.

Each row is a set of completions from one slot on; its columns say which row follows each value. So a member is a path
through the table, and its rank among all members is a sum of counts: drawing a rank uniformly draws a member uniformly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from constraints.diagram import Diagram
from selfnas.errors import SelfnasError
from selfnas.space import Vector

__all__ = ["SlotTable"]

_DEAD = 0  # row of the empty set at every level
_MAX_COUNT = 2**63 - 1


class SlotTable:
    """The members of a set of slot vectors, ordered lexicographically.

    Args:
        diagram: where the function lives.
        function: a function inside the diagram's domain.

    Attributes:
        count: how many members there are.
    """

    def __init__(self, diagram: Diagram, function: Any) -> None:
        self.widths = diagram.circuit.widths
        self.following: list[NDArray[np.int64]] = []  # per level (rows, width): row at the next level
        rows: list[Any] = [diagram.manager.false, function]
        for slot, width in enumerate(self.widths):
            after: dict[int, int] = {int(diagram.manager.false): _DEAD}
            next_rows: list[Any] = [diagram.manager.false]
            table = np.zeros((len(rows), width), dtype=np.int64)
            for row, state in enumerate(rows[1:], start=1):
                for value, following in enumerate(_branches(diagram, state, slot, width)):
                    key = int(following)
                    if key not in after:
                        after[key] = len(next_rows)
                        next_rows.append(following)
                    table[row, value] = after[key]
            self.following.append(table)
            rows = next_rows
        last = np.array([int(state == diagram.manager.true) for state in rows], dtype=object)
        self.members: list[NDArray[np.object_]] = [last]  # per level (rows,): completions of each row, Python integers
        for table in reversed(self.following):
            self.members.append(self.members[-1][table].sum(axis=1))
        self.members.reverse()
        self.count = int(self.members[0][1]) if function != diagram.manager.false else 0

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
            before = self._before(level)[row]  # (n, width): members with a smaller value here
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

    def _before(self, level: int) -> NDArray[np.int64]:
        table = self.following[level]
        counts = self.members[level + 1][table].astype(np.int64)
        return np.concatenate([np.zeros((len(table), 1), dtype=np.int64), np.cumsum(counts, axis=1)], axis=1)[:, :-1]


def _branches(diagram: Diagram, state: Any, slot: int, width: int) -> list[Any]:
    """The function after each value of a slot."""
    names = diagram.names[slot]
    parts = [(state, 0)]
    for bit, name in enumerate(names):
        split = []
        for function, value in parts:
            low, high = _cofactors(function, name)
            split += [(low, value), (high, value | 1 << bit)]
        parts = split
    by_value = {value: function for function, value in parts}
    return [by_value[value] for value in range(width)]


def _cofactors(function: Any, name: str) -> tuple[Any, Any]:
    """Both halves of a function that does not depend on earlier variables."""
    if function.var != name:
        return function, function
    if function.negated:
        return ~function.low, ~function.high
    return function.low, function.high
