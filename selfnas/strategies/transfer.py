"""Search that knows earlier tasks: a Gaussian process whose prior mean is a fitted mix of what they taught.

Each past task becomes a model of its own over cells. On a new task a score is taken to be a weighted sum of these
models, plus an offset, plus a rough function of the cell alone; the weights are normal variables, so they are
integrated out rather than fitted, and a task that misleads loses its say as evidence comes in. How much past tasks
are believed at the outset is chosen by marginal likelihood at every step, among settings that include not at all.
Without past tasks this is the `Surrogate`. Sources: Rasmussen and Williams 2006, section 2.7 (explicit basis
functions); Feurer, Letham, Hutter, Bakshy 2018 (a ranking-weighted ensemble of past models) for the idea of one model
a task.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfnas.architecture import Architecture
from selfnas.domain import Domain, Proposals, encoded, neighbours
from selfnas.history import Trial
from selfnas.space import Space, Vector, space_named
from selfnas.strategies.gaussian_process import GaussianProcess, distances, expected_improvement, normal_scores
from selfnas.strategies.path_encoding import cell_features
from selfnas.strategies.strategy import Strategy
from selfnas.strategies.surrogate import TOP, Surrogate, remembered, untried

__all__ = ["PastTask", "Transfer", "experienced"]

Matrix = NDArray[np.float64]

# (mean of each weight times the number of tasks, variance likewise, variance of what the cell alone explains).
_BELIEFS = ((0.0, 1.0, 0.5), (0.5, 0.3, 0.5), (1.0, 0.3, 0.25), (1.0, 0.05, 0.1))
_SCALES = (1.0, 2.0, 4.0)  # in multiples of the observations' median distance
_NOISES = (0.01, 0.1)
_OFFSET = 1.0  # variance of a constant: the cells tried are not a fair sample of the space
_REMEMBERED = 200  # trials of a past task that enter its model: half of them the best, half the latest


@dataclass(frozen=True, kw_only=True)
class PastTask:
    """What one earlier task taught.

    Attributes:
        name: of the task.
        trials: scored on it, in order, at one fidelity; all of one space.
    """

    name: str
    trials: tuple[Trial, ...]

    @property
    def space(self) -> Space:
        """The space searched then."""
        return space_named(self.trials[0].architecture.space)

    @cached_property
    def _kept(self) -> tuple[Vector, Matrix]:
        """`(n, slots)` and `(n,)` scores of the trials that enter the model."""
        values = np.array([trial.value for trial in self.trials])
        kept = remembered(values, _REMEMBERED // 2)
        codes = b"".join(self.trials[index].code for index in kept)
        return np.frombuffer(codes, dtype=np.int8).reshape(len(kept), -1), values[kept]

    @cached_property
    def model(self) -> GaussianProcess:
        """Fitted to the normal scores of the trials."""
        vectors, values = self._kept
        return GaussianProcess.fit(cell_features(self.space, vectors), normal_scores(values))

    @cached_property
    def best(self) -> Vector:
        """`(n, slots)` of the trials, best first."""
        vectors, values = self._kept
        return vectors[np.argsort(-values, kind="stable")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """See `Strategy`; draws and neighbours come from the domain, so everything proposed is admitted.

    Attributes:
        past: earlier tasks; those of other spaces are passed over.
        initial: first proposals by past models alone, before scores of this task are modelled.
        pool: candidates drawn for each batch, besides neighbours of the best trials of this and of past tasks.
        memory: the latest so many trials, and as many of the best, enter the model.
    """

    past: tuple[PastTask, ...] = ()
    initial: int = 3
    pool: int = 500
    memory: int = 200

    def __post_init__(self) -> None:
        if self.initial < 1 or self.pool < 1 or self.memory < 2:
            raise ValueError(f"need initial >= 1, pool >= 1 and memory >= 2, not {self}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then what past tasks agree on, then what each would choose, then expected improvement."""
        past = tuple(task for task in self.past if len(task.trials) > 1 and task.space.name == domain.space.name)
        if not past:
            return Surrogate(pool=self.pool, memory=self.memory)(history, domain, count, rng, warm=warm)
        batch = Proposals(history, domain, count, warm=warm)
        if batch.missing > 0:
            trials, vectors = encoded(history, domain)
            values = np.array([trial.value for trial in trials])
            candidates = self._candidates(past, values, vectors, domain, rng)
            if len(candidates):
                told = _told(past, domain.space, candidates)
                self._open(batch, candidates, told, used=len(history))
                if batch.missing > 0 and len(values) > 1 and np.isfinite(values).any():
                    kept = remembered(values, self.memory)
                    _propose(batch, domain.space, past, vectors[kept], values[kept], candidates, told)
        batch.fill(rng)
        return batch.chosen

    def _candidates(
        self,
        past: tuple[PastTask, ...],
        values: Matrix,
        vectors: Vector,
        domain: Domain,
        rng: np.random.Generator,
    ) -> Vector:
        """`(k, slots)` admitted spellings not tried: draws, what won before, and neighbours of the best."""
        best = [index for index in np.argsort(-values, kind="stable")[:TOP] if np.isfinite(values[index])]
        won = np.concatenate([task.best[:TOP] for task in past])
        near = [neighbours(domain, vectors[index]) for index in best]
        near += [neighbours(domain, task.best[0]) for task in past]
        found = [won[domain.admits(won)], *near, domain.draw(rng, self.pool)]
        rows = np.unique(np.concatenate(found), axis=0)
        return untried(rows, vectors)

    def _open(self, batch: Proposals, candidates: Vector, told: Matrix, *, used: int) -> None:
        """The first proposals: what past tasks agree on, then what each of them would choose."""
        views = [told.mean(axis=1), *told.T]
        for place in range(used, min(self.initial, len(views))):
            if batch.missing <= 0:
                return
            for index in np.argsort(-views[place], kind="stable"):
                if batch.offer(candidates[index][None]):
                    break


def experienced(strategy: Strategy, past: Sequence[PastTask]) -> Strategy:
    """The strategy with earlier tasks to learn from, if it is one that can; otherwise as it is."""
    return replace(strategy, past=tuple(past)) if isinstance(strategy, Transfer) else strategy


def _told(past: tuple[PastTask, ...], space: Space, vectors: Vector) -> Matrix:
    """`(n, tasks)` what each past task's model expects, in its own normal scores."""
    points = cell_features(space, vectors)
    return np.stack([task.model.predict(points)[0] for task in past], axis=1)


def _propose(
    batch: Proposals,
    space: Space,
    past: tuple[PastTask, ...],
    vectors: Vector,
    values: Matrix,
    candidates: Vector,
    told: Matrix,
) -> None:
    """Fill the batch by expected improvement; after each proposal the model believes its own mean there."""
    points, asked = cell_features(space, vectors), cell_features(space, candidates)
    mix, scores = _told(past, space, vectors), normal_scores(values)
    model = _Mixture.fit(points, mix, scores)
    left = np.ones(len(candidates), dtype=bool)
    while batch.missing > 0 and left.any():
        mean, spread = model.predict(asked, told)
        gain = np.where(left, expected_improvement(mean, spread, float(scores.max())), -np.inf)
        for index in np.argsort(-gain, kind="stable")[: int(left.sum())]:
            left[index] = False
            if batch.offer(candidates[index][None]):
                points = np.concatenate([points, asked[index][None]])
                mix = np.concatenate([mix, told[index][None]])
                scores = np.append(scores, mean[index])
                if batch.missing > 0:
                    model = model.again(points, mix, scores)
                break


@dataclass(frozen=True, slots=True)
class _Mixture:
    """score = weights . past models + offset + rough function of the cell, everything normal.

    Attributes:
        points: `(n, f)` observed cells.
        mix: `(n, tasks)` past models there.
        scale, noise: of the rough function, and of the observations.
        belief: (mean of the weights, their variance, variance of the rough function).
        factor: `(n, n)` Cholesky factor of the covariance.
        solved: `(n,)` inverse covariance times centred scores.
        evidence: log marginal likelihood, up to a constant.
    """

    points: Matrix
    mix: Matrix
    scale: float
    noise: float
    belief: tuple[float, float, float]
    factor: Matrix
    solved: Matrix
    evidence: float

    @staticmethod
    def fit(points: Matrix, mix: Matrix, scores: Matrix) -> _Mixture:
        apart = distances(points, points)
        typical = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
        beliefs = (*_BELIEFS, (0.0, 0.0, 1.0))
        fitted = (
            _Mixture._at(points, mix, scores, apart, scale * typical, noise, belief)
            for scale, noise, belief in itertools.product(_SCALES, _NOISES, beliefs)
        )
        return max(fitted, key=lambda model: model.evidence)

    @staticmethod
    def _at(
        points: Matrix,
        mix: Matrix,
        scores: Matrix,
        apart: Matrix,
        scale: float,
        noise: float,
        belief: tuple[float, float, float],
    ) -> _Mixture:
        weight, variance, rough = belief
        covariance = rough * np.exp(-apart / scale) + _OFFSET + variance / mix.shape[1] * mix @ mix.T
        factor = np.linalg.cholesky(covariance + noise * np.eye(len(points)))
        centred = scores - weight * mix.mean(axis=1)
        half = np.linalg.solve(factor, centred)
        evidence = -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())
        solved = np.linalg.solve(factor.T, half)
        return _Mixture(points, mix, scale, noise, belief, factor, solved, evidence)

    def again(self, points: Matrix, mix: Matrix, scores: Matrix) -> _Mixture:
        """The same settings with other observations."""
        return self._at(points, mix, scores, distances(points, points), self.scale, self.noise, self.belief)

    def predict(self, points: Matrix, mix: Matrix) -> tuple[Matrix, Matrix]:
        """`(k,)` means and standard deviations at `(k, f)` cells where past models say `(k, tasks)`."""
        weight, variance, rough = self.belief
        tasks = mix.shape[1]
        cross = rough * np.exp(-distances(points, self.points) / self.scale) + _OFFSET
        cross = cross + variance / tasks * mix @ self.mix.T
        own = rough + _OFFSET + variance / tasks * (mix**2).sum(axis=1)
        half = np.linalg.solve(self.factor, cross.T)
        spread = np.sqrt(np.maximum(own - (half**2).sum(axis=0), 1e-12))
        return weight * mix.mean(axis=1) + cross @ self.solved, spread
