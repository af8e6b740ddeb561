"""Bayesian optimisation: a Gaussian process over traits of cells says where improvement is to be expected.

Under a constraint set it draws candidates from the admitted part and climbs through admitted neighbours, so masking is
never needed. Sources: Jones, Schonlau, Welch 1998 (expected improvement); Ru, Wan, Dong, Osborne 2021 (ICLR) and White
et al. 2021 (AAAI) for cells; Ginsbourger et al. 2010 for batches (the model believes its own mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import GaussianProcess, expected_improvement, normal_scores
from selfnas.models.observed import Observed, promising
from selfnas.search.domain import Domain, Proposals
from selfnas.search.history import Trial
from selfnas.search.small_space import is_small
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["Surrogate"]


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
        observed = Observed.of(history, domain)
        if batch.missing > 0 and observed.teaches(least=self.initial):
            small = is_small(domain.space)
            candidates = observed.whole(domain) if small else observed.around(domain, rng, pool=self.pool)
            self._propose(batch, candidates, observed.kept(self.memory), domain, rng)
        batch.fill(rng)
        return batch.chosen

    def _propose(
        self,
        batch: Proposals,
        candidates: Vector,
        kept: Observed,
        domain: Domain,
        rng: np.random.Generator,
    ) -> None:
        scores = normal_scores(kept.values)
        model = GaussianProcess.fit(cell_features(domain.space, kept.vectors), scores)
        asked = cell_features(domain.space, candidates)
        chosen = promising(model.mean(asked), rng)
        candidates, asked = candidates[chosen], asked[chosen]
        left = np.ones(len(candidates), dtype=bool)
        while batch.missing > 0 and left.any():
            mean, deviation = model.predict(asked)
            improvement = np.where(left, expected_improvement(mean, deviation, float(scores.max())), -np.inf)
            for index in np.argsort(-improvement, kind="stable")[: int(left.sum())]:
                left[index] = False
                if batch.offer(candidates[index][None]):
                    if batch.missing > 0:
                        model, scores = model.fantasize(asked[index], scores)
                    break
