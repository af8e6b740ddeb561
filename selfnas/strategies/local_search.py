"""Local search: try the neighbours of the best there is; where it has none left, those of the next best.

Source: White, Nolen, Savani 2021 (UAI), who found it hard to beat on tabular benchmarks. Like their published code ours
moves at the first improvement and leaves a summit for the best architecture whose neighbours were not all tried,
rather than for a new random one. It never repeats a network and reads all of that off the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfnas.search.domain import Domain, Proposals, encoded, neighbours
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["LocalSearch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSearch:
    """See `Strategy`.

    Attributes:
        starts: random architectures to compare before the first move; warm ones count.
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
        """Warm ones, random ones up to `starts`, then new neighbours of the best that has any, then random ones."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        if batch.missing > 0 and len(trials) >= self.starts:
            for around in _untried(trials, vectors, domain):
                batch.offer(around[rng.permutation(len(around))])
                if batch.missing <= 0:
                    break
        batch.fill(rng)
        return batch.chosen


def _untried(trials: Sequence[Trial], vectors: Vector, domain: Domain) -> Iterator[Vector]:
    """The neighbours of each trial in spellings not tried yet, those of the best trial first."""
    tried = {vector.tobytes() for vector in vectors}
    usable = [index for index, trial in enumerate(trials) if not trial.failed]
    for index in sorted(usable, key=lambda index: -trials[index].value):
        around = neighbours(domain, vectors[index])
        new = [row for row, neighbour in enumerate(around) if neighbour.tobytes() not in tried]
        if new:
            yield around[new]
