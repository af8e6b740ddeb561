"""Scores as a weighted sum of what past tasks' models say, plus an offset, plus a rough function of the cell.

The weights are normal variables, so they are integrated out rather than fitted, and a task that misleads loses its say
as evidence comes in. Source: Rasmussen and Williams 2006, section 2.7 (explicit basis functions).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfnas.models.gaussian_process import averaged, distances, factored, halved

__all__ = ["Mixture"]

Matrix = NDArray[np.float64]

# (mean of each weight times the number of tasks, variance likewise, variance of what the cell alone explains).
_BELIEFS = ((0.0, 1.0, 0.5), (0.5, 0.3, 0.5), (1.0, 0.3, 0.25), (1.0, 0.05, 0.1))
_SILENT = (0.0, 0.0, 1.0)  # that past tasks say nothing: weighed against the others, never used
_SCALES = (1.0, 2.0, 4.0)  # in multiples of the observations' median distance
_NOISES = (0.01, 0.1)
_OFFSET = 1.0  # variance of a constant: the cells tried are not a fair sample of the space


@dataclass(frozen=True, slots=True)
class Mixture:
    """score = weights . past models + offset + rough function of the cell, everything normal.

    Attributes:
        points: `(n, f)` observed cells.
        mix: `(n, tasks)` past models there.
        scale, noise: of the rough function, and of the observations.
        belief: (mean of the weights, their variance, variance of the rough function).
        factor: `(n, n)` Cholesky factor of the covariance.
        solved: `(n,)` inverse covariance times centred scores.
        evidence: log of the likelihood of the scores, averaged over the grid, up to a constant that depends on n alone.
        silent: the same where past tasks say nothing.
    """

    points: Matrix
    mix: Matrix
    scale: float
    noise: float
    belief: tuple[float, float, float]
    factor: Matrix
    solved: Matrix
    evidence: float
    silent: float

    @staticmethod
    def fit(points: Matrix, mix: Matrix, scores: Matrix) -> Mixture:
        """The likeliest of a grid of settings.

        Args:
            points: `(n, f)` features of the cells tried, n >= 1.
            mix: `(n, tasks)` what past models expect of them, tasks >= 1.
            scores: `(n,)` normal scores.
        """
        apart = distances(points, points)
        typical = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
        shared, mean = mix @ mix.T / mix.shape[1], mix.mean(axis=1)
        best: Mixture | None = None
        likeliest = -np.inf
        found: list[float] = []
        silent: list[float] = []
        for scale in _SCALES:
            rough = np.exp(-apart / (scale * typical))
            for belief, noise in itertools.product((*_BELIEFS, _SILENT), _NOISES):
                covariance = belief[2] * rough + _OFFSET + belief[1] * shared
                factor, half, evidence = _weighed(covariance, noise, scores - belief[0] * mean)
                if belief == _SILENT:
                    silent.append(evidence)
                    continue
                found.append(evidence)
                if evidence > likeliest:
                    likeliest, solved = evidence, halved(factor, half, transposed=True)
                    best = Mixture(points, mix, scale * typical, noise, belief, factor, solved, evidence, evidence)
        assert best is not None  # noqa: S101 - the grid is not empty
        return replace(best, evidence=averaged(found), silent=averaged(silent))

    def again(self, points: Matrix, mix: Matrix, scores: Matrix) -> Mixture:
        """The same settings with other observations."""
        weight, variance, rough = self.belief
        covariance = rough * np.exp(-distances(points, points) / self.scale) + _OFFSET
        covariance += variance / mix.shape[1] * mix @ mix.T
        factor, half, _ = _weighed(covariance, self.noise, scores - weight * mix.mean(axis=1))
        solved = halved(factor, half, transposed=True)
        return Mixture(points, mix, self.scale, self.noise, self.belief, factor, solved, self.evidence, self.silent)

    def mean(self, points: Matrix, mix: Matrix) -> Matrix:
        """`(k,)` means at `(k, f)` cells where past models say `(k, tasks)`."""
        means: Matrix = self.belief[0] * mix.mean(axis=1) + self._cross(points, mix) @ self.solved
        return means

    def predict(self, points: Matrix, mix: Matrix) -> tuple[Matrix, Matrix]:
        """`(k,)` means and standard deviations, likewise."""
        weight, variance, rough = self.belief
        cross = self._cross(points, mix)
        own = rough + _OFFSET + variance / mix.shape[1] * (mix**2).sum(axis=1)
        half = halved(self.factor, cross.T)
        deviation = np.sqrt(np.maximum(own - (half**2).sum(axis=0), 1e-12))
        return weight * mix.mean(axis=1) + cross @ self.solved, deviation

    def _cross(self, points: Matrix, mix: Matrix) -> Matrix:
        """`(k, n)` covariances with what was observed."""
        _, variance, rough = self.belief
        alike = np.exp(-distances(points, self.points) / self.scale)
        cross: Matrix = rough * alike + _OFFSET + variance / mix.shape[1] * mix @ self.mix.T
        return cross


def _weighed(covariance: Matrix, noise: float, centred: Matrix) -> tuple[Matrix, Matrix, float]:
    """Cholesky factor, its inverse times the `(n,)` centred scores, and their log likelihood up to a constant."""
    factor = factored(covariance + noise * np.eye(len(covariance)))
    half = halved(factor, centred)
    return factor, half, -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())
