"""What may explain the scores of a task: past tasks in several ways, or nothing but the cell; weighed by likelihood.

Where past tasks say something, a score is a weighted sum of what their models say, plus an offset, plus a rough
function of the cell. The weights are normal variables, so they are integrated out rather than fitted, and may well be
negative: a past task that says the opposite says something. Where past tasks say nothing, the score is what the
Gaussian process of a search without memory makes of it. All of these foretell, each with its posterior probability, so
nothing has to be decided before scores decide it.

Sources: Rasmussen and Williams 2006, section 2.7 (explicit basis functions); Hoeting, Madigan, Raftery, Volinsky 1999
(averaging over models).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.models.gaussian_process import (
    GaussianProcess,
    averaged,
    distances,
    expected_improvement,
    factored,
    halved,
)

__all__ = ["PRIOR", "Mixture"]

Matrix = NDArray[np.float64]

PRIOR = 0.75  # of the ways that past tasks have a part in, before any score is seen

# (mean of each weight times the number of tasks, variance likewise, variance of what the cell alone explains).
_BELIEFS = ((1.0, 0.3, 0.5), (1.0, 0.3, 0.25), (0.5, 0.3, 0.7), (0.0, 1.0, 0.5))
_SCALES = (0.5, 1.0, 2.0)  # in multiples of the observations' median distance
_NOISES = (0.05, 0.2)
_OFFSET = 1.0  # variance of a constant: the cells tried are not a fair sample of the space
_MOST = 6  # settings that foretell by past tasks; what the others would say is left to these
_LEAST = 0.02  # probability of a setting below which it foretells nothing


@dataclass(frozen=True, slots=True)
class _Settings:
    """One way to explain scores.

    Attributes:
        scale, noise: of the rough function, and of the observations.
        weight, variance: of past models.
        rough, offset: variances of the rough function and of the constant.
    """

    scale: float
    noise: float
    weight: float = 0.0
    variance: float = 0.0
    rough: float = 1.0
    offset: float = 0.0

    def covariance(self, apart: Matrix, shared: Matrix) -> Matrix:
        """`(n, k)` of cells so far apart, of whose past models `shared` is the mean product."""
        found: Matrix = self.rough * np.exp(-apart / self.scale) + self.offset
        return found + self.variance * shared if self.variance else found


@dataclass(frozen=True, slots=True)
class _Part:
    """A way to explain scores, its probability, and what it makes of the scores seen.

    Attributes:
        factor: `(n, n)` Cholesky factor of their covariance.
        solved: `(n,)` inverse covariance times centred scores.
    """

    share: float
    settings: _Settings
    factor: Matrix
    solved: Matrix


@dataclass(frozen=True, slots=True)
class Mixture:
    """The likeliest ways to explain the scores by past tasks, and the one without them.

    Attributes:
        points: `(n, f)` observed cells.
        mix: `(n, tasks)` past models there.
        told: probability of the ways that past tasks have a part in.
        parts: with probabilities that sum to one.
    """

    points: Matrix
    mix: Matrix
    told: float
    parts: tuple[_Part, ...]

    @staticmethod
    def fit(points: Matrix, mix: Matrix, scores: Matrix) -> Mixture:
        """All ways of a grid, weighed by the likelihood of the scores.

        Args:
            points: `(n, f)` features of the cells tried, n >= 1.
            mix: `(n, tasks)` what past models expect of them, tasks >= 1.
            scores: `(n,)` normal scores.
        """
        apart = distances(points, points)
        typical = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
        shared, mean = mix @ mix.T / mix.shape[1], mix.mean(axis=1)
        ways: list[tuple[float, _Settings, Matrix, Matrix]] = []
        for scale, noise, belief in itertools.product(_SCALES, _NOISES, _BELIEFS):
            settings = _Settings(scale * typical, noise, *belief, _OFFSET)
            factor = factored(settings.covariance(apart, shared) + noise * np.eye(len(points)))
            half = halved(factor, scores - settings.weight * mean)
            evidence = -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())
            ways.append((evidence, settings, factor, half))
        cold = GaussianProcess.fit(points, scores)
        warm = averaged([evidence for evidence, *_ in ways])
        lead = cold.evidence - warm + math.log(1.0 / PRIOR - 1.0)
        told = float(1.0 / (1.0 + np.exp(np.clip(lead, -500.0, 500.0))))
        parts = [_Part(1.0 - told, _Settings(cold.scale, cold.noise), cold.factor, cold.weights)]
        ways.sort(key=lambda way: -way[0])
        likely = np.exp(np.array([evidence - ways[0][0] for evidence, *_ in ways[:_MOST]]))
        for share, (_, settings, factor, half) in zip(told * likely / likely.sum(), ways[:_MOST], strict=True):
            parts.append(_Part(float(share), settings, factor, halved(factor, half, transposed=True)))
        return Mixture(points, mix, told, _shared_out(parts))

    def again(self, points: Matrix, mix: Matrix, scores: Matrix) -> Mixture:
        """The same ways with the same probabilities and other observations."""
        apart, shared, mean = distances(points, points), mix @ mix.T / mix.shape[1], mix.mean(axis=1)
        parts = []
        for part in self.parts:
            own = part.settings
            factor = factored(own.covariance(apart, shared) + own.noise * np.eye(len(points)))
            solved = halved(factor, halved(factor, scores - own.weight * mean), transposed=True)
            parts.append(_Part(part.share, own, factor, solved))
        return Mixture(points, mix, self.told, tuple(parts))

    def mean(self, points: Matrix, mix: Matrix) -> Matrix:
        """`(k,)` means at `(k, f)` cells where past models say `(k, tasks)`."""
        means: Matrix = np.zeros(len(points))
        for part, cross in self._crossed(points, mix):
            means += part.share * (part.settings.weight * mix.mean(axis=1) + cross @ part.solved)
        return means

    def improvement(self, points: Matrix, mix: Matrix, best: float) -> Matrix:
        """`(k,)` how much each is expected to exceed `best`, likewise."""
        gains: Matrix = np.zeros(len(points))
        for share, mean, deviation in self._foretold(points, mix):
            gains += share * expected_improvement(mean, deviation, best)
        return gains

    def predict(self, points: Matrix, mix: Matrix) -> tuple[Matrix, Matrix]:
        """`(k,)` means and `(k,)` standard deviations over all ways together, likewise."""
        means, seconds = np.zeros(len(points)), np.zeros(len(points))
        for share, mean, deviation in self._foretold(points, mix):
            means += share * mean
            seconds += share * (deviation**2 + mean**2)
        return means, np.sqrt(np.maximum(seconds - means**2, 1e-12))

    def _foretold(self, points: Matrix, mix: Matrix) -> Iterator[tuple[float, Matrix, Matrix]]:
        """Of each way its probability, and `(k,)` means and deviations."""
        squares = (mix**2).mean(axis=1)
        for part, cross in self._crossed(points, mix):
            own = part.settings
            half = halved(part.factor, cross.T)
            deviation = np.sqrt(
                np.maximum(own.rough + own.offset + own.variance * squares - (half**2).sum(axis=0), 1e-12)
            )
            yield part.share, own.weight * mix.mean(axis=1) + cross @ part.solved, deviation

    def _crossed(self, points: Matrix, mix: Matrix) -> Iterator[tuple[_Part, Matrix]]:
        """Each way with its `(k, n)` covariances with what was observed."""
        apart, shared = distances(points, self.points), mix @ self.mix.T / mix.shape[1]
        for part in self.parts:
            yield part, part.settings.covariance(apart, shared)


def _shared_out(parts: list[_Part]) -> tuple[_Part, ...]:
    """Those that are likely enough, with probabilities that sum to one."""
    kept = [part for part in parts if part.share >= _LEAST]
    total = sum(part.share for part in kept)
    return tuple(_Part(part.share / total, part.settings, part.factor, part.solved) for part in kept)
