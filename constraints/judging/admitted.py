"""The admitted part of a space: how large it is, uniform draws from it, its members nearest to an architecture.

Exact where the diagram of all rules fits. Where it does not, the diagram of the rules that do fit is drawn from and the
others reject: still exactly uniform, but the count becomes an estimate with an interval.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from constraints.engines.counting import SlotTable
from constraints.engines.diagram import MAX_NODES, Diagram, Overgrown
from constraints.engines.encoding import Encoding
from constraints.engines.vectorised import evaluate
from selfnas.errors import SelfnasError
from selfnas.spaces.template import Vector

__all__ = ["Admitted", "CountInterval"]

_ESTIMATE_DRAWS = 200_000  # half-width of the interval under 0.3 % of the proposal's size
_BATCH = 65_536
_MAX_TRIES = 2_000  # batches without a single admitted draw before giving up: a share under 1e-8
_Z = 3.29  # 99.9 % two-sided


@dataclass(frozen=True, slots=True, kw_only=True)
class CountInterval:
    """How many architectures a set admits, as spelled (dead edges and node numbers included).

    Attributes:
        value: the count, or the best estimate.
        low: certainly at least so many (an estimate: with 99.9 % confidence).
        high: certainly at most so many (an estimate: with 99.9 % confidence).
        exact: whether `value` is the count.
    """

    value: int
    low: int
    high: int
    exact: bool

    @staticmethod
    def known(value: int) -> CountInterval:
        """A count that is no estimate."""
        return CountInterval(value=value, low=value, high=value, exact=True)


class Admitted:
    """Members of the admitted part; a diagram is given up at a size of `max_nodes`."""

    def __init__(self, encoding: Encoding, *, max_nodes: int = MAX_NODES) -> None:
        self.encoding = encoding
        self.diagram = Diagram(encoding.circuit, encoding.space, max_nodes=max_nodes)

    @functools.cached_property
    def partial(self) -> tuple[Any, tuple[int, ...]]:
        """The diagram of the rules that fit, within the space, and the roots of those that do not."""
        roots = sorted({root for root in self.encoding.roots if root is not None})
        total, functions, left = self.diagram.domain, [], []
        for root in roots:
            try:
                functions.append((root, self.diagram.function(root)))
            except Overgrown:
                left.append(root)
        for root, function in sorted(functions, key=lambda item: item[1].dag_size):
            try:
                total = self.diagram.conjoin((total, function))
            except Overgrown:
                left.append(root)
        return total, tuple(left)

    @functools.cached_property
    def _parts(self) -> tuple[SlotTable, tuple[int, ...]]:
        """The table that is drawn from, and the rules that must still reject."""
        total, left = self.partial
        return SlotTable(self.diagram, total), left

    @property
    def table(self) -> SlotTable | None:
        """Every member in order; None when the diagram does not fit."""
        table, left = self._parts
        return None if left else table

    @functools.cached_property
    def count(self) -> CountInterval:
        """How many members there are."""
        table, left = self._parts
        if not left or not table.count:
            return CountInterval.known(table.count)
        draws = table.draw(np.random.default_rng(0), _ESTIMATE_DRAWS)  # a fixed seed: the same estimate every time
        hits = int(evaluate(self.encoding.circuit, left, draws).all(axis=1).sum())
        low, high = _wilson(hits, _ESTIMATE_DRAWS)
        return CountInterval(
            value=round(table.count * hits / _ESTIMATE_DRAWS),
            low=math.floor(table.count * low),
            high=math.ceil(table.count * high),
            exact=False,
        )

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` independent and exactly uniform members.

        Raises:
            SelfnasError: there are none, or they are too rare to be found.
        """
        table, left = self._parts
        if not left:
            return table.draw(rng, count)
        found: list[Vector] = []
        missing, barren = count, 0
        while missing:
            batch = table.draw(rng, _BATCH)
            batch = batch[evaluate(self.encoding.circuit, left, batch).all(axis=1)][:missing]
            found.append(batch)
            missing -= len(batch)
            barren = 0 if len(batch) else barren + 1
            if barren == _MAX_TRIES:
                raise SelfnasError(
                    f"no admitted architecture among {_MAX_TRIES * _BATCH:,} draws: the rules admit too few"
                )
        return np.concatenate(found) if found else np.empty((0, len(self.encoding.circuit.widths)), dtype=np.int8)

    def nearest(self, vector: Vector, *, limit: int = 3) -> tuple[int, Vector]:
        """How many edges must change before a `(slots,)` vector is admitted, and up to `limit` members that near.

        The distance is -1 and there are no members when none is known.
        """
        table = self.table
        if table is not None:
            return table.nearest(vector, self._prices(vector), limit=limit)
        return self._search(vector, limit)

    def _prices(self, vector: Vector) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """One per changed slot; with a fixed number of edges per node, one per edge that is new or changed."""
        widths = self.encoding.circuit.widths
        prices = np.ones((len(widths), max(widths)), dtype=np.int64)
        prices[np.arange(len(widths)), vector] = 0
        fixed = [t.in_degree is not None for t in self.encoding.space.templates for _ in t.slots]
        prices[np.array(fixed), 0] = 0
        return prices

    def _search(self, vector: Vector, limit: int) -> tuple[int, Vector]:
        """Breadth first over single edits, as far as a fixed budget goes."""
        roots = [root for root in self.encoding.roots if root is not None]
        seen, frontier = {vector.tobytes()}, [vector]
        for distance in range(1, 4):
            around = [row for centre in frontier[:400] for row in self.encoding.space.neighbours(centre)]
            fresh = {row.tobytes(): row for row in around if row.tobytes() not in seen}
            seen.update(fresh)
            frontier = list(fresh.values())
            good = evaluate(self.encoding.circuit, roots, np.stack(frontier)).all(axis=1)
            if good.any():
                return distance, np.stack(frontier)[good][:limit]
        return -1, np.empty((0, len(vector)), dtype=np.int8)


def _wilson(hits: int, draws: int) -> tuple[float, float]:
    """Wilson's score interval for a share.

    Source: Wilson 1927 (JASA).
    """
    share, spread = hits / draws, _Z**2 / draws
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / draws + spread / (4 * draws))
    return max(0.0, centre - half), min(1.0, centre + half)
