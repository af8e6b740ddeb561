"""Bayesian optimisation: a Gaussian process over traits of cells says where improvement is to be expected.

Under a constraint set it draws candidates from the admitted part and climbs through admitted neighbours, so masking is
never needed. Sources: Jones, Schonlau, Welch 1998 (expected improvement); Ru, Wan, Dong, Osborne 2021 (ICLR) and White
et al. 2021 (AAAI) for cells; Ginsbourger et al. 2010 for batches (the model believes its own mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.models.acquired import Acquired, checked
from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import GaussianProcess, expected_improvement, normal_scores
from selfnas.models.observed import Observed, promising
from selfnas.search.domain import Domain, Proposals
from selfnas.search.history import Trial
from selfnas.search.small_space import is_small
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["Surrogate"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """See `Strategy`.

    Attributes:
        initial: random architectures before the first model; warm ones count.
        pool: candidates drawn for each batch, besides neighbours of the best; a small space is taken whole.
        memory: the latest so many trials, and as many of the best, enter the model, which bounds its cost.
        acquisition: a program (`selfnas.acquisition`) that orders candidates; None: expected improvement.
        budget: evaluations of the whole search, of which such a program may read the share that is spent.
    """

    initial: int = 8
    pool: int = 500
    memory: int = 200
    acquisition: str | None = None
    budget: int = 100

    def __post_init__(self) -> None:
        if self.initial < 2 or self.pool < 1 or self.memory < 2:
            raise ValueError(f"need initial >= 2, pool >= 1 and memory >= 2, not {self}")
        checked(self.acquisition, self.budget)

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones, then those of highest expected improvement, or as the program orders them."""
        batch = Proposals(history, domain, count, warm=warm)
        observed = Observed.of(history, domain)
        if batch.missing > 0 and observed.teaches(least=self.initial):
            small = is_small(domain.space)
            candidates = observed.whole(domain) if small else observed.around(domain, rng, pool=self.pool)
            self._propose(batch, candidates, observed, domain, rng)
        batch.fill(rng)
        return batch.chosen

    def program(self, *, share: float, tried: Matrix) -> Acquired | None:
        """What orders candidates of one proposal; None for expected improvement."""
        return None if self.acquisition is None else Acquired(program=self.acquisition, share=share, tried=tried)

    def _propose(
        self,
        batch: Proposals,
        candidates: Vector,
        observed: Observed,
        domain: Domain,
        rng: np.random.Generator,
    ) -> None:
        kept = observed.kept(self.memory)
        scores = normal_scores(kept.values)
        model = GaussianProcess.fit(cell_features(domain.space, kept.vectors), scores)
        asked = cell_features(domain.space, candidates)
        chosen = promising(model.mean(asked), rng)
        candidates, asked = candidates[chosen], asked[chosen]
        program = self.program(share=len(observed.values) / self.budget, tried=model.points)
        left = np.ones(len(candidates), dtype=bool)
        taken: list[Matrix] = []
        while batch.missing > 0 and left.any():
            mean, deviation = model.predict(asked)
            best = float(scores.max())
            gain = (
                expected_improvement(mean, deviation, best)
                if program is None
                else program.values(mean, deviation, best, asked, taken)
            )
            for index in np.argsort(-np.where(left, gain, -np.inf), kind="stable")[: int(left.sum())]:
                left[index] = False
                if batch.offer(candidates[index][None]):
                    taken.append(asked[index])
                    if batch.missing > 0:
                        model, scores = model.fantasize(asked[index], scores)
                    break
