"""A small exact Gaussian process for a few hundred observations; settings chosen by marginal likelihood on a grid.

Written out because a search fits it at every step: scikit-learn's optimiser takes a hundred times as long.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GaussianProcess", "averaged", "distances", "expected_improvement", "factored", "halved", "normal_scores"]

Matrix = NDArray[np.float64]

_SCALES = (1.0, 2.0, 4.0, 8.0)  # in multiples of the observations' median distance, halved
_NOISES = (0.01, 0.05, 0.2)  # share of the variance


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Zero mean, unit variance, kernel exp(-distance / scale): rough functions, as scores over discrete cells are.

    Attributes:
        points: `(n, f)` observed features.
        weights: `(n,)` inverse covariance times observed values.
        factor: `(n, n)` Cholesky factor of the covariance.
        evidence: log of the likelihood of the values, averaged over the grid, up to a constant that depends on n alone.
    """

    points: Matrix
    scale: float
    noise: float
    weights: Matrix
    factor: Matrix
    evidence: float

    @staticmethod
    def fit(points: Matrix, values: Matrix) -> GaussianProcess:
        """Fit `(n, f)` points with `(n,)` values; the scale and noise of the grid that explain them best."""
        apart = distances(points, points)
        typical = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
        best: tuple[float, float, float, Matrix, Matrix] | None = None
        found: list[float] = []
        for scale, noise in itertools.product(_SCALES, _NOISES):
            length = scale * typical / 2
            factor = factored(np.exp(-apart / length) + noise * np.eye(len(points)))
            weights = _solve(factor, values)
            evidence = -0.5 * float(values @ weights) - float(np.log(np.diag(factor)).sum())
            found.append(evidence)
            if best is None or evidence > best[0]:
                best = (evidence, length, noise, weights, factor)
        assert best is not None  # noqa: S101 - the grid is not empty
        return GaussianProcess(points, best[1], best[2], best[3], best[4], averaged(found))

    def mean(self, points: Matrix) -> Matrix:
        """`(k,)` means of the function at `(k, f)` points."""
        means: Matrix = np.exp(-distances(points, self.points) / self.scale) @ self.weights
        return means

    def predict(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """`(k,)` means and `(k,)` standard deviations of the noiseless function at `(k, f)` points."""
        cross = np.exp(-distances(points, self.points) / self.scale)
        half = halved(self.factor, cross.T)
        deviation = np.sqrt(np.maximum(1.0 - (half**2).sum(axis=0), 1e-12))
        return cross @ self.weights, deviation

    def fantasize(self, point: Matrix, values: Matrix) -> tuple[GaussianProcess, Matrix]:
        """The process as if `(f,)` had been observed at its mean, and the `(n,)` values with that mean at the end.

        For batches: what is already proposed no longer attracts.
        """
        mean, _ = self.predict(point[None])
        points, known = np.concatenate([self.points, point[None]]), np.concatenate([values, mean])
        kernel = np.exp(-distances(points, points) / self.scale) + self.noise * np.eye(len(points))
        factor = factored(kernel)
        return GaussianProcess(points, self.scale, self.noise, _solve(factor, known), factor, self.evidence), known


def averaged(evidences: Sequence[float]) -> float:
    """Log of the mean of likelihoods, of which the logarithms are given."""
    from scipy.special import logsumexp

    return float(logsumexp(evidences)) - math.log(len(evidences))


def expected_improvement(mean: Matrix, deviation: Matrix, best: float) -> Matrix:
    """`(k,)` how much a normal variable is expected to exceed `best`."""
    from scipy.special import ndtr

    z = (mean - best) / deviation
    improvement: Matrix = (mean - best) * ndtr(z) + deviation * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return improvement


def normal_scores(values: Matrix) -> Matrix:
    """`(n,)` what a normal sample of that size would show at each rank; ties share.

    Scores of architectures have a long tail of failures, which ranks tame. Minus infinity is a value like others.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores: Matrix = ndtri((rankdata(values) - 0.5) / len(values))
    return scores


def distances(one: Matrix, other: Matrix) -> Matrix:
    """`(n, k)` Euclidean distances between `(n, f)` and `(k, f)` points."""
    squared = np.einsum("ij,ij->i", one, one)[:, None] + np.einsum("ij,ij->i", other, other)[None] - 2 * one @ other.T
    apart: Matrix = np.sqrt(np.maximum(squared, 0.0))
    return apart


def factored(covariance: Matrix) -> Matrix:
    """`(n, n)` lower Cholesky factor of a covariance.

    Raises:
        LinAlgError: it is not positive definite.
    """
    from scipy.linalg import cholesky

    return np.asarray(cholesky(covariance, lower=True, check_finite=False), dtype=np.float64)


def halved(factor: Matrix, values: Matrix, *, transposed: bool = False) -> Matrix:
    """Inverse of an `(n, n)` lower factor, or of its transpose, times `(n,)` or `(n, k)` values."""
    from scipy.linalg import solve_triangular

    solved = solve_triangular(factor, values, lower=True, trans=int(transposed), check_finite=False)
    return np.asarray(solved, dtype=np.float64)


def _solve(factor: Matrix, values: Matrix) -> Matrix:
    return halved(factor, halved(factor, values), transposed=True)
