"""Reinforcement learning: a recurrent controller writes the architecture token by token and is rewarded by its score.

Source: Zoph & Le 2017 (ICLR), with a moving-average baseline and the entropy bonus of Bello et al. 2017. Ours reads the
whole training off the history, so that there is no state to save, and scales rewards by rank: each trial is rewarded by
its rank among all up to the end of its chunk. So what a controller has learnt from a beginning of the history does not
depend on what comes after; it is kept for the next call, which goes on from there if its history begins alike, and does
all of it again if not. Constraints are met by projection: a written architecture that is not admitted is replaced by
an admitted neighbour, or dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, Proposals, encoded, neighbours
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector

if TYPE_CHECKING:
    from selfnas.models.controller import Learner

__all__ = ["Reinforce"]

_ATTEMPTS = 12  # sampled architectures for each one wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinforce:
    """See `Strategy`.

    Attributes:
        initial: random architectures before the controller writes; warm ones count.
        hidden: width of the recurrent cell.
        learning_rate: of Adam.
        entropy_percent: weight of the entropy bonus, in hundredths.
        replays: gradient steps for each five consecutive trials.
    """

    initial: int = 10
    hidden: int = 32
    learning_rate: float = 0.02
    entropy_percent: int = 5
    replays: int = 3
    _kept: list[Learner] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.initial < 1 or self.hidden < 1 or self.replays < 1 or not 0 < self.learning_rate <= 1:
            raise ValueError(f"need initial, hidden, replays >= 1 and 0 < learning_rate <= 1, not {self}")
        if not 0 <= self.entropy_percent <= 100:
            raise ValueError(f"need entropy_percent in 0..100, not {self.entropy_percent}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones, then what the controller writes."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        values = np.array([trial.value for trial in trials])
        if batch.missing > 0 and len(trials) >= self.initial and np.isfinite(values).any():
            written = self._learner(domain.space, vectors, values).controller.write(rng, _ATTEMPTS * batch.missing)
            for vector, admitted in zip(written, domain.admits(written), strict=True):
                if batch.missing <= 0:
                    break
                if admitted:
                    batch.offer(vector[None])
                else:
                    near = neighbours(domain, vector)
                    batch.offer(near[rng.permutation(len(near))[:1]])
        batch.fill(rng)
        return batch.chosen

    def _learner(self, space: Space, vectors: Vector, values: NDArray[np.float64]) -> Learner:
        """One that has seen the trials in their order: the latest, taken further, if what it saw is how they begin."""
        from selfnas.models.controller import Learner  # here alone: naming the strategies must not load torch

        if not (self._kept and self._kept[0].began(space, vectors, values)):
            self._kept[:] = [Learner(space, hidden=self.hidden, learning_rate=self.learning_rate)]
        self._kept[0].learn(vectors, values, replays=self.replays, bonus=self.entropy_percent / 100)
        return self._kept[0]
