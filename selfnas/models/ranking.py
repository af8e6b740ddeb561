"""A learned combination of proxies: which of them predict scores is learned from the trials so far.

Scores and proxies of a task become normal scores of their ranks, so units, outliers and infinities do not matter. A
ridge regression joins them; what it is drawn towards is the regression over earlier tasks, and that in turn is drawn
towards equal weights. Without any trial the combination is the mean rank; proxies that mislead on a task lose their
weight, or turn it around, as its trials come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ShapeError
from selfnas.models.gaussian_process import normal_scores

__all__ = ["ProxyTrials", "combined"]

_RIDGE = 10.0  # in observations: what is known beforehand counts like so many; 3 and 30 do much the same on tables


@dataclass(frozen=True, slots=True, eq=False)
class ProxyTrials:
    """What was seen on one task.

    Attributes:
        proxies: `(n, k)`, the same k proxies in the same order everywhere; NaN and infinities are allowed.
        scores: `(n,)`, higher is better; minus infinity for failures.

    Raises:
        ShapeError: the two are not of one length.
    """

    proxies: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.proxies.ndim != 2 or self.scores.shape != (len(self.proxies),):
            raise ShapeError(f"need (n, k) proxies and (n,) scores, not {self.proxies.shape} and {self.scores.shape}")


def combined(
    candidates: NDArray[np.float64], own: ProxyTrials, past: Sequence[ProxyTrials] = ()
) -> NDArray[np.float64]:
    """`(m,)` the higher, the better each row of `(m, k)` candidate proxies should be.

    Args:
        candidates: proxies of what is to be ranked.
        own: trials of this task; candidates are ranked among them.
        past: trials of earlier tasks, each ranked within itself.

    Example:
        >>> seen = np.stack([np.arange(40.0), np.random.default_rng(0).permutation(40)], axis=1)
        >>> misleading = ProxyTrials(seen, -np.arange(40.0))  # the first proxy says the opposite of what is true
        >>> int(combined(np.array([[1.0, 5.0], [30.0, 5.0]]), misleading).argmax())
        0
    """
    kinds = candidates.shape[1]
    weights: NDArray[np.float64] = np.full(kinds, 1 / kinds)
    taught = [task for task in past if len(task.scores) > 1]
    if taught:
        weights = _ridge(
            np.concatenate([_ranks(task.proxies) for task in taught]),
            np.concatenate([normal_scores(task.scores) for task in taught]),
            weights,
        )
    features = _ranks(np.concatenate([own.proxies, candidates]))
    if len(own.scores) > 1:
        weights = _ridge(features[: len(own.scores)], normal_scores(own.scores), weights)
    return np.asarray(features[len(own.scores) :] @ weights)


def _ranks(proxies: NDArray[np.float64]) -> NDArray[np.float64]:
    usable = np.where(np.isnan(proxies), -np.inf, proxies)
    return np.stack([normal_scores(column) for column in usable.T], axis=1)


def _ridge(
    features: NDArray[np.float64], targets: NDArray[np.float64], towards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of least squared error and least squared distance from `towards`."""
    gram = features.T @ features + _RIDGE * np.eye(len(towards))
    return np.asarray(np.linalg.solve(gram, features.T @ targets + _RIDGE * towards), dtype=np.float64)
