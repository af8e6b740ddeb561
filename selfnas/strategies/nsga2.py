"""NSGA-II: evolution towards a front of several objectives.

Source: Deb, Pratap, Agarwal, Meyarivan 2002 (IEEE TEC); ranks by moocore, crowding distances by pymoo. Ours reads the
population off the history, never repeats a network, and moves by crossover of whole nodes and single edits. With one
objective it is a plain elitist evolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ShapeError
from selfnas.search.domain import Domain, Proposals, crossover, encoded, mutate
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["Nsga2", "front_numbers"]

_ATTEMPTS = 20  # children tried for one proposal before it is drawn at random


@dataclass(frozen=True, slots=True, kw_only=True)
class Nsga2:
    """See `Strategy`; reads `Trial.objectives`.

    Attributes:
        population: how many of the best trials are alive; also how many random ones come first, warm ones counted in.
        crossover_percent: how often a child has two parents before it is mutated.
    """

    population: int = 20
    crossover_percent: int = 50

    def __post_init__(self) -> None:
        if self.population < 2 or not 0 <= self.crossover_percent <= 100:
            raise ValueError(f"need population >= 2 and crossover_percent in 0..100, not {self}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones until the population is full, then children of tournament winners."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        usable = [
            index for index, trial in enumerate(trials) if not trial.failed and np.isfinite(trial.objectives).all()
        ]
        if batch.missing > 0 and len(trials) >= self.population and usable:
            ranked = self._survivors(_points([trials[index] for index in usable]))
            parents = vectors[np.array(usable)[ranked]]
            while batch.missing > 0 and batch.offer_first(self._children(parents, domain, rng)):
                pass
        batch.fill(rng)
        return batch.chosen

    def _survivors(self, points: NDArray[np.float64]) -> NDArray[np.intp]:
        """Indices of the best, best first: by front, and by crowding within a front."""
        fronts = front_numbers(points)
        apart = np.empty(len(points))
        for front in np.unique(fronts):
            apart[fronts == front] = _crowding(points[fronts == front])
        return np.lexsort((-apart, fronts))[: self.population]

    def _children(self, parents: Vector, domain: Domain, rng: np.random.Generator) -> Iterator[Vector | None]:
        """A few children of `parents`, which stand best first."""

        def winner() -> Vector:
            chosen: Vector = parents[rng.integers(len(parents), size=2).min()]
            return chosen

        for attempt in range(_ATTEMPTS):
            parent = winner()
            if rng.integers(100) < self.crossover_percent:
                crossed = crossover(domain, parent, winner(), rng)
                parent = parent if crossed is None else crossed
            yield mutate(domain, parent, rng, edits=1 + 3 * attempt // _ATTEMPTS)


def front_numbers(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """`(n,)` 0 for rows of `(n, m)` that no other dominates (maximisation), 1 for those that only they do, and so on.

    Example:
        >>> front_numbers(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [0.0, 0.0]])).tolist()
        [0, 0, 1, 2]
    """
    import moocore

    return np.asarray(moocore.pareto_rank(-points), dtype=np.intp)


def _crowding(front: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n,)` distance of each row of one front to its neighbours; infinite at the ends, 0 for twins."""
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

    return np.asarray(calc_crowding_distance(-front), dtype=np.float64)


def _points(trials: Sequence[Trial]) -> NDArray[np.float64]:
    """`(n, m)` what the trials achieved."""
    rows = [trial.objectives or (trial.value,) for trial in trials]
    if len({len(row) for row in rows}) > 1:
        raise ShapeError(f"trials have {sorted({len(row) for row in rows})} objectives: need the same number in all")
    return np.array(rows, dtype=np.float64)
