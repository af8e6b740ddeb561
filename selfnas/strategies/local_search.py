"""Local search: climb from neighbour to better neighbour, start afresh at a summit.

Source: White, Nolen, Savani 2021 (UAI), who found it hard to beat on tabular benchmarks. Ours moves at the first
improvement, never repeats a network, and reads off the history which climbs there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.architecture import Architecture
from selfnas.domain import Domain, Proposals, encoded, neighbours
from selfnas.history import Trial
from selfnas.space import Space, Vector

__all__ = ["LocalSearch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSearch:
    """See `Strategy`.

    Attributes:
        starts: random architectures to compare before the first climb; warm ones count.
    """

    starts: int = 1

    def __post_init__(self) -> None:
        if self.starts < 1:
            raise ValueError(f"need starts >= 1, not {self.starts}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then new neighbours of the best summit that has any left, then random ones."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        if len(trials) >= self.starts:
            for top in _tops(trials, vectors, domain.space):
                if batch.missing <= 0:
                    break
                around = neighbours(domain, vectors[top])
                batch.offer(around[rng.permutation(len(around))])
        batch.fill(rng)
        return batch.chosen


def _tops(trials: Sequence[Trial], vectors: Vector, space: Space) -> list[int]:
    """The best trial of every climb, best first; a climb is a set of trials connected by single edits."""
    climbs = _connected(vectors, space)
    tops = []
    for climb in np.unique(climbs):
        members: list[int] = np.flatnonzero(climbs == climb).tolist()
        top = max(members, key=lambda member: trials[member].value)
        if not trials[top].failed:
            tops.append(top)
    return sorted(tops, key=lambda top: (-trials[top].value, top))


def _connected(vectors: Vector, space: Space) -> NDArray[np.intp]:
    """`(n,)` a number for each trial, equal for trials that a chain of single edits between trials connects."""
    near = _adjacent(vectors, space)
    labels = np.arange(len(vectors))
    while True:
        # Each takes the smallest label around it, until nothing changes.
        smallest = np.where(near, labels, len(vectors)).min(axis=1, initial=len(vectors))
        if (smallest == labels).all():
            return labels
        labels = smallest


def _adjacent(vectors: Vector, space: Space) -> NDArray[np.bool_]:
    """`(n, n)` whether two architectures are one edit apart, or the same.

    Where a node has a fixed number of edges, an edit may move an edge: two slots of one node differ.
    """
    differs = vectors[:, None] != vectors[None]
    apart = differs.sum(axis=2)
    near: NDArray[np.bool_] = apart <= 1
    slots = space.slots
    for index, target in sorted({(template, target) for template, _, target in slots}):
        if space.templates[index].in_degree is not None:
            here = [slot[0] == index and slot[2] == target for slot in slots]
            near |= (apart == 2) & (differs[:, :, here].sum(axis=2) == 2)
    return near
