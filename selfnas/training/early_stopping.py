"""When to give up a training by its curve: once no finished training ever caught up from so far behind.

For each validation, the most that any finished curve still gained from there to its best is added to the present
score; a training that would not reach the best known even so is stopped. Nothing is assumed about the shape of curves,
and with few finished ones nothing is stopped. Compare Domhan, Springenberg, Hutter 2015 (IJCAI), who extrapolate
parametric curves, and the median rule of Golovin et al. 2017 (KDD).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["FEWEST", "least_accuracies"]

FEWEST = 6  # finished trainings before any is stopped


def least_accuracies(finished: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Score that a training must have at each of its validations but the last, or be stopped.

    Args:
        finished: score at each validation, of trainings of one fidelity; those that were stopped, whose curves are
            shorter than the longest, are passed over.

    Returns:
        One number fewer than the longest curve has; none where fewer than `FEWEST` finished.

    Example:
        >>> least_accuracies([[0.2, 0.5, 0.6]] * 5 + [[0.5, 0.7, 0.8]])
        (0.4, 0.7)
    """
    parts = max(map(len, finished), default=0)
    whole = [curve for curve in finished if len(curve) == parts]
    if len(whole) < FEWEST or parts < 2:
        return ()
    curves = np.array(whole, dtype=np.float64)
    best = np.maximum.accumulate(curves, axis=1)
    gains = (best[:, -1:] - best[:, :-1]).max(axis=0)
    return tuple(round(float(best[:, -1].max() - gain), 9) for gain in gains)
