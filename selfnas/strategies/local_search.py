"""Local search: climb from neighbour to better neighbour, start afresh at a summit.

Source: White, Nolen, Savani 2021 (UAI), who found it hard to beat on tabular benchmarks. Ours moves at the first
improvement, never repeats a network, and reads off the history which climbs there were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

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
        if batch.missing > 0 and len(trials) >= self.starts:
            for top in _tops(trials, vectors, domain.space):
                if batch.missing <= 0:
                    break
                around = neighbours(domain, vectors[top])
                batch.offer(around[rng.permutation(len(around))])
        batch.fill(rng)
        return batch.chosen


def _tops(trials: Sequence[Trial], vectors: Vector, space: Space) -> list[int]:
    """The highest trial of every climb, best first.

    A trial belongs to the latest climb that one of its *steps* is one edit away from, or begins a climb; it is a step
    when it is the best of its climb so far. Climbs are not joined where trials that were no steps touch: in a small
    space they soon do, and a new climb would be over before it had begun.
    """
    climb_at: dict[bytes, int] = {}  # by what is left of a step when one part is blanked out
    best: list[int] = []
    for index, hubs in enumerate(_hubs(vectors, space)):
        climb = max((climb_at[hub] for hub in hubs if hub in climb_at), default=len(best))
        if climb == len(best):
            best.append(index)
        elif trials[index].value > trials[best[climb]].value:
            best[climb] = index
        if best[climb] == index:
            climb_at.update(dict.fromkeys(hubs, climb))
    tops = [top for top in best if not trials[top].failed]
    return sorted(tops, key=lambda top: (-trials[top].value, top))


def _hubs(vectors: Vector, space: Space) -> Iterator[tuple[bytes, ...]]:
    """What is left of each trial with one part blanked out, for every part that one edit can change.

    Trials one edit apart share one of these, so that no pair is ever compared. Where a node has a fixed number of edges
    an edit may move an edge, so the node is the part.
    """
    columns = []
    for number, part in enumerate(_parts(space)):
        blanked = vectors.copy()
        blanked[:, part] = 0
        named = np.concatenate([np.full((len(vectors), 1), number, dtype=np.int8), blanked], axis=1)
        content, width = named.tobytes(), named.shape[1]
        columns.append([content[start : start + width] for start in range(0, len(content), width)])
    return zip(*columns, strict=True)


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
