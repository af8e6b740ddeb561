"""Rehearsal: simulated searches on surrogate worlds made from an agent's own past, to compare search policies.

A world is a model of one past task, fitted to a random part of its trials, with noise as large as the model finds. A
policy searches it for as many evaluations as the stream's budget gives; its worth is the mean over evaluations of the
best it has reached, in units of the world's own scores. Two policies are compared on the same worlds with the same
seeds, so their difference is paired. What the worlds cannot show (proxies, recalled winners, training time) is not
tuned on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.stream.policy import SearchPolicy
from selfnas import seeding
from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import GaussianProcess
from selfnas.search.domain import Domain
from selfnas.search.history import Trial
from selfnas.spaces.template import Vector
from selfnas.strategies import make_strategy
from selfnas.strategies.progressive import Progressive
from selfnas.strategies.transfer import PastTask, with_budget, with_past_tasks

__all__ = ["Comparison", "Rehearsal", "compare"]

_SHARE = 0.8  # of a task's trials that a world is fitted to: worlds of one task differ
_FEWEST = 8  # trials that a task needs to be a world


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Paired differences of worth, new minus old; made by `of`, so that what is recorded can be recomputed.

    Attributes:
        p: one-sided p-value of the t-test that the mean is at most 0; 1 when nothing varies and nothing is gained.
        new: worth of the new policy in each search; None where it proposed nothing.
        old: of the old one, likewise.
    """

    count: int
    mean: float
    p: float
    new: tuple[float | None, ...]
    old: tuple[float | None, ...]

    @staticmethod
    def of(new: Sequence[float | None], old: Sequence[float | None]) -> Comparison:
        """What pairs of worths come to.

        Raises:
            ValueError: not as many of one policy as of the other, or none.

        Example:
            >>> Comparison.of([1.0, 3.0, 2.0], [0.0, 0.0, None]).p
            1.0
        """
        from scipy.stats import ttest_1samp

        if len(new) != len(old) or not new:
            raise ValueError(f"{len(new)} worths cannot be paired with {len(old)}")
        sides = [[float("-inf") if worth is None else worth for worth in side] for side in (new, old)]
        with np.errstate(invalid="ignore"):  # where both proposed nothing there is no difference
            gains = np.array(sides[0]) - np.array(sides[1])
        if not np.isfinite(gains).all() or gains.std() < 1e-12:
            sure = bool(np.isfinite(gains).all() and gains.mean() > 1e-9 and len(gains) > 1)
            p = 0.0 if sure else 1.0
        else:
            p = float(ttest_1samp(gains, 0.0, alternative="greater").pvalue)
        mean = float(np.nan_to_num(gains.mean()))
        return Comparison(count=len(gains), mean=mean, p=p, new=tuple(new), old=tuple(old))


class Rehearsal:
    """Simulates searches; equal arguments give equal worth.

    Args:
        past: tasks to make worlds of; those with fewer than eight trials only teach.
        seed: decides worlds and searches.
    """

    def __init__(self, past: Sequence[PastTask], domain: Domain, *, budget: int, seed: int) -> None:
        self._past, self._domain, self._budget, self._seed = tuple(past), domain, budget, seed
        self._usable = [index for index, task in enumerate(self._past) if len(task.trials) >= _FEWEST]
        self._known: dict[tuple[str, int], float] = {}

    @property
    def possible(self) -> bool:
        """Whether there is anything to make a world of."""
        return bool(self._usable)

    def worth(self, policy: SearchPolicy, number: int) -> float:
        """Of a policy in the search of that number, which fixes the world and every seed."""
        # Settings that the strategy does not read make no other search.
        strategy = make_strategy(policy.strategy, policy.strategy_settings())
        key = (f"{strategy!r} {policy.batch} {policy.progressive}", number)
        if key not in self._known:
            self._known[key] = self._search(policy, number)
        return self._known[key]

    def _search(self, policy: SearchPolicy, number: int) -> float:
        index = self._usable[number % len(self._usable)]
        world = _World.of(self._past[index], seed=seeding.derive(self._seed, "world", number))
        others = tuple(task for place, task in enumerate(self._past) if place != index)
        made = with_budget(make_strategy(policy.strategy, policy.strategy_settings()), self._budget)
        strategy = with_past_tasks(made, others)
        if policy.progressive:
            strategy = Progressive(strategy=strategy, patience=policy.progressive)
        space = self._domain.space
        trials: list[Trial] = []
        reached: list[float] = []
        while len(trials) < self._budget:
            rng = seeding.generator(self._seed, "rehearsal", number, len(trials))
            proposed = strategy(trials, self._domain, min(policy.batch, self._budget - len(trials)), rng)
            if not proposed:
                break
            truth, seen = world.scores(np.stack([space.encode(architecture) for architecture in proposed]), rng)
            for architecture, true, score in zip(proposed, truth, seen, strict=True):
                trials.append(Trial(architecture=architecture, score=float(score), fidelity="low"))
                reached.append(max(float(true), reached[-1] if reached else -np.inf))
        if not reached:
            return float("-inf")
        reached += [reached[-1]] * (self._budget - len(reached))
        return float(np.mean(reached))


@dataclass(frozen=True, slots=True)
class _World:
    task: PastTask
    model: GaussianProcess

    @staticmethod
    def of(task: PastTask, *, seed: int) -> _World:
        rng = np.random.default_rng(seed)
        count = len(task.trials)
        kept = np.sort(rng.permutation(count)[: max(2, round(_SHARE * count))])
        part = replace(task, trials=tuple(task.trials[index] for index in kept))
        return _World(part, part.model)

    def scores(self, vectors: Vector, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`(n,)` true scores and `(n,)` measured ones."""
        truth, _ = self.model.predict(cell_features(self.task.space, vectors))
        return truth, truth + np.sqrt(self.model.noise) * rng.normal(size=len(truth))


def compare(rehearsal: Rehearsal, new: SearchPolicy, old: SearchPolicy, numbers: Sequence[int]) -> Comparison:
    """Two policies on the searches of these numbers."""
    sides = [[_finite(rehearsal.worth(policy, number)) for number in numbers] for policy in (new, old)]
    return Comparison.of(*sides)


def _finite(worth: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return worth if math.isfinite(worth) else None
