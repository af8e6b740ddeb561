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
    best: dict[int, int] = {}
    for index, climb in enumerate(_connected(vectors, space).tolist()):
        if climb not in best or trials[index].value > trials[best[climb]].value:
            best[climb] = index
    tops = [top for top in best.values() if not trials[top].failed]
    return sorted(tops, key=lambda top: (-trials[top].value, top))


def _connected(vectors: Vector, space: Space) -> NDArray[np.int32]:
    """`(n,)` a number for each trial, equal for trials that a chain of edits between trials connects.

    Trials that differ in one slot only agree when that slot is blanked out, so each blanking is a hub that joins them:
    no pair is ever compared. Where a node has a fixed number of edges an edit may move an edge, so the node is blanked.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hubs, start = [], len(vectors)
    for part in _parts(space):
        blanked = vectors.copy()
        blanked[:, part] = 0
        rows = np.ascontiguousarray(blanked).view(np.dtype((np.void, vectors.shape[1]))).reshape(-1)
        hub = np.unique(rows, return_inverse=True)[1].reshape(-1)
        hubs.append(start + hub)
        start += len(vectors)
    trials = np.tile(np.arange(len(vectors)), len(hubs))
    joined = coo_array((np.ones(len(trials), dtype=np.int8), (trials, np.concatenate(hubs))), shape=(start, start))
    labels: NDArray[np.int32] = connected_components(joined, directed=False)[1][: len(vectors)]
    return labels


def _parts(space: Space) -> list[list[int]]:
    """The sets of slots that one edit can change."""
    by_node: dict[tuple[int, int], list[int]] = {}
    for position, (template, _, target) in enumerate(space.slots):
        by_node.setdefault((template, target), []).append(position)
    parts = []
    for (template, _), positions in by_node.items():
        free = space.templates[template].in_degree is None
        parts += [[position] for position in positions] if free else [positions]
    return parts
