"""Bayesian optimisation: a Gaussian process over paths and live operations says where improvement is to be expected.

Under a constraint set it draws candidates from the admitted part and climbs through admitted neighbours, so masking is
never needed. Sources: Jones, Schonlau, Welch 1998 (expected improvement); Ru, Wan, Dong, Osborne 2021 (ICLR) and White
et al. 2021 (AAAI) for cells; Ginsbourger et al. 2010 for batches (the model believes its own mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.architecture import Architecture
from selfnas.domain import Domain, Proposals, encoded, neighbours
from selfnas.history import Trial
from selfnas.space import Vector
from selfnas.strategies.gaussian_process import GaussianProcess, expected_improvement, normal_scores
from selfnas.strategies.path_encoding import cell_features
from selfnas.strategies.small_space import every_vector, is_small, place

__all__ = ["TOP", "Surrogate", "all_untried", "promising", "remembered", "untried"]

_CONSIDERED = 500
TOP = 5  # trials whose neighbours join the candidates


def remembered(values: NDArray[np.float64], memory: int) -> NDArray[np.intp]:
    """Indices of the best `memory` of `(n,)` values and of the latest as many, ascending."""
    best = np.argsort(-values, kind="stable")[:memory]
    return np.union1d(best, np.arange(max(0, len(values) - memory), len(values)))


def untried(rows: Vector, vectors: Vector) -> Vector:
    """The rows of `(k, slots)` that are not among `(n, slots)` vectors, as they are spelled."""
    tried = {vector.tobytes() for vector in vectors}
    return rows[[row.tobytes() not in tried for row in rows]] if len(rows) else rows


def all_untried(domain: Domain, vectors: Vector) -> Vector:
    """`(k, slots)` everything admitted of a small space except `(n, slots)` vectors."""
    rows = every_vector(domain.space)
    free = domain.admits(rows)
    free[place(domain.space, vectors)] = False
    return rows[free]


def promising(means: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Which of `(k,)` candidates are worth an expected improvement: those of highest mean, and as many at random."""
    if len(means) <= 2 * _CONSIDERED:
        return np.arange(len(means))
    best = np.argsort(-means, kind="stable")[:_CONSIDERED]
    return np.union1d(best, rng.permutation(len(means))[:_CONSIDERED])


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """See `Strategy`.

    Attributes:
        initial: random architectures before the first model; warm ones count.
        pool: candidates drawn for each batch, besides neighbours of the best; a small space is taken whole.
        memory: the latest so many trials, and as many of the best, enter the model, which bounds its cost.
    """

    initial: int = 8
    pool: int = 500
    memory: int = 200

    def __post_init__(self) -> None:
        if self.initial < 2 or self.pool < 1 or self.memory < 2:
            raise ValueError(f"need initial >= 2, pool >= 1 and memory >= 2, not {self}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones, then those of highest expected improvement."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        values = np.array([trial.value for trial in trials])
        if batch.missing > 0 and len(trials) >= self.initial and np.isfinite(values).any():
            candidates = self._candidates(values, vectors, domain, rng)
            kept = remembered(values, self.memory)
            self._propose(batch, candidates, vectors[kept], values[kept], domain, rng)
        batch.fill(rng)
        return batch.chosen

    def _candidates(
        self,
        values: np.ndarray[tuple[int], np.dtype[np.float64]],
        vectors: Vector,
        domain: Domain,
        rng: np.random.Generator,
    ) -> Vector:
        """Admitted spellings not tried before: all of a small space, else uniform draws and neighbours of the best."""
        if is_small(domain.space):
            return all_untried(domain, vectors)
        best = np.argsort(-values, kind="stable")[:TOP]
        found = [neighbours(domain, vectors[index]) for index in best if np.isfinite(values[index])]
        rows = np.unique(np.concatenate([*found, domain.draw(rng, self.pool)]), axis=0)
        return untried(rows, vectors)

    def _propose(
        self,
        batch: Proposals,
        candidates: Vector,
        vectors: Vector,
        values: np.ndarray[tuple[int], np.dtype[np.float64]],
        domain: Domain,
        rng: np.random.Generator,
    ) -> None:
        scores = normal_scores(values)
        model = GaussianProcess.fit(cell_features(domain.space, vectors), scores)
        asked = cell_features(domain.space, candidates)
        chosen = promising(model.mean(asked), rng)
        candidates, asked = candidates[chosen], asked[chosen]
        left = np.ones(len(candidates), dtype=bool)
        while batch.missing > 0 and left.any():
            mean, spread = model.predict(asked)
            improvement = np.where(left, expected_improvement(mean, spread, float(scores.max())), -np.inf)
            for index in np.argsort(-improvement, kind="stable")[: int(left.sum())]:
                left[index] = False
                if batch.offer(candidates[index][None]):
                    if batch.missing > 0:
                        model, scores = model.believe(asked[index], scores)
                    break
