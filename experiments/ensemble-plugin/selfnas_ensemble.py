"""An alternative to the Gaussian process: an ensemble of randomised trees, with Thompson sampling.

Members disagree where little was tried, which is what their spread is used for. Each proposal maximises one independent
draw of every candidate's score (Thompson sampling), so a batch spreads by itself. Under a constraint set candidates are
drawn from the admitted part and its neighbours, so masking is never needed.

Sources: Hutter, Hoos, Leyton-Brown 2011 (LION) for forests as surrogates; Geurts, Ernst, Wehenkel 2006 (Machine
Learning) for the trees; White, Neiswanger, Savani 2021 (AAAI) for ensembles with independent Thompson sampling on
cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import normal_scores
from selfnas.models.observed import Observed
from selfnas.search.domain import Domain, Proposals
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["Ensemble"]

_LEAST_SPREAD = 1e-3  # of standardised scores; keeps draws apart where all trees agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """See `Strategy`.

    Attributes:
        initial: random architectures before the first model; warm ones count.
        pool: candidates drawn for each batch, besides the neighbours of the best trials.
        memory: the latest so many trials, and as many of the best, enter the model, which bounds its cost.
        trees: members of the ensemble.
    """

    initial: int = 8
    pool: int = 500
    memory: int = 200
    trees: int = 30

    def __post_init__(self) -> None:
        if self.initial < 2 or self.pool < 1 or self.memory < 2 or self.trees < 2:
            raise ValueError(f"need initial, memory and trees >= 2 and pool >= 1, not {self}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones, then the best of one draw of beliefs each."""
        batch = Proposals(history, domain, count, warm=warm)
        observed = Observed.of(history, domain)
        if batch.missing > 0 and observed.teaches(least=self.initial):
            candidates = observed.around(domain, rng, pool=self.pool)
            if len(candidates):
                mean, spread = self._beliefs(domain, observed.kept(self.memory), candidates, rng)
                left = np.ones(len(candidates), dtype=bool)
                while batch.missing > 0 and left.any():
                    drawn = np.where(left, mean + spread * rng.normal(size=len(mean)), -np.inf)
                    chosen = int(drawn.argmax())
                    left[chosen] = False
                    batch.offer(candidates[chosen][None])
        batch.fill(rng)
        return batch.chosen

    def _beliefs(
        self,
        domain: Domain,
        kept: Observed,
        candidates: Vector,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`(k,)` mean and spread over the trees at each candidate."""
        from sklearn.ensemble import ExtraTreesRegressor

        forest = ExtraTreesRegressor(
            self.trees, bootstrap=True, max_features=0.5, random_state=int(rng.integers(2**31)), n_jobs=1
        )
        forest.fit(cell_features(domain.space, kept.vectors), normal_scores(kept.values))
        points = cell_features(domain.space, candidates).astype(np.float32)
        members = np.stack([tree.predict(points, check_input=False) for tree in forest.estimators_])
        return members.mean(axis=0), np.maximum(members.std(axis=0), _LEAST_SPREAD)
