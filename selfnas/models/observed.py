"""What a strategy that fits a model has seen of a task, and what it may propose next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, encoded, neighbours
from selfnas.search.history import Trial
from selfnas.search.small_space import every_vector
from selfnas.spaces.template import Vector

__all__ = ["TOP", "Observed", "promising", "remembered"]

TOP = 5  # trials whose neighbours join the candidates
_CONSIDERED = 500


@dataclass(frozen=True, slots=True)
class Observed:
    """The scored trials of a task.

    Attributes:
        values: `(n,)` scores; minus infinity for a failed training.
        vectors: `(n, slots)` the architectures, as they were spelled.
    """

    values: NDArray[np.float64]
    vectors: Vector

    @staticmethod
    def of(history: Sequence[Trial], domain: Domain) -> Observed:
        """All trials of the domain's space."""
        trials, vectors = encoded(history, domain)
        return Observed(np.array([trial.value for trial in trials]), vectors)

    def teaches(self, *, least: int) -> bool:
        """Whether there are at least so many trials, one of which did not fail."""
        return len(self.values) >= least and bool(np.isfinite(self.values).any())

    def kept(self, memory: int) -> Observed:
        """The latest `memory` trials and as many of the best, which bounds what a model costs."""
        rows = remembered(self.values, memory)
        return Observed(self.values[rows], self.vectors[rows])

    def whole(self, domain: Domain) -> Vector:
        """`(k, slots)` everything admitted of a small space that was not tried in this spelling."""
        rows = every_vector(domain.space)
        free = domain.admits(rows)
        free[domain.space.place(self.vectors)] = False
        return rows[free]

    def around(self, domain: Domain, rng: np.random.Generator, *, pool: int, also: Sequence[Vector] = ()) -> Vector:
        """`(k, slots)` admitted, in spellings not tried: `pool` uniform draws, neighbours of the best, and `also`."""
        best = np.argsort(-self.values, kind="stable")[:TOP]
        near = [neighbours(domain, self.vectors[index]) for index in best if np.isfinite(self.values[index])]
        rows = np.unique(np.concatenate([*also, *near, domain.draw(rng, pool)]), axis=0)
        tried = {vector.tobytes() for vector in self.vectors}
        return rows[[row.tobytes() not in tried for row in rows]] if len(rows) else rows


def remembered(values: NDArray[np.float64], memory: int) -> NDArray[np.intp]:
    """Indices of the best `memory` of `(n,)` values and of the latest as many, ascending."""
    best = np.argsort(-values, kind="stable")[:memory]
    return np.union1d(best, np.arange(max(0, len(values) - memory), len(values)))


def promising(means: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Which of `(k,)` candidates are worth an expected improvement: those of highest mean, and as many at random."""
    if len(means) <= 2 * _CONSIDERED:
        return np.arange(len(means))
    best = np.argsort(-means, kind="stable")[:_CONSIDERED]
    return np.union1d(best, rng.permutation(len(means))[:_CONSIDERED])
