"""How well repeated scores of the same architectures agree: whether a search can tell them apart at all.

The repeats of cross-validation are scores of their own, each with other folds and other draws. So the rank correlation
between the first and the second half of them, over the architectures, says how repeatable half a score is; the formula
of Spearman and Brown makes that the repeatability of a whole one.

Source: Spearman 1910, Brown 1910 (British Journal of Psychology 3).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import numpy as np
from msgspec import UnsetType
from msgspec.structs import replace

from agent.ledger.events import UNSET, Agreement, Evaluated

__all__ = [
    "ENOUGH",
    "FEWEST",
    "LOW",
    "RAISED",
    "agreement_sentence",
    "as_recorded",
    "measured_agreement",
    "rank_agreement",
    "score_noise",
]

# Names of the fidelity at which candidates are scored, and of what takes its place where repeated scores do not agree.
LOW, RAISED = "low", "raised1"
FEWEST = 6  # architectures; fewer say nothing
ENOUGH = 0.6  # below it, ranks are made by chance as much as by architectures
_LITTLE = 0.01  # of the best score; where chance moves scores by less, a wrong choice costs next to nothing


def rank_agreement(repeats: Sequence[Sequence[float]]) -> float | None:
    """Rank correlation to be expected between two whole scores of the same architectures.

    Args:
        repeats: by architecture the scores of its repeats; equally many, at least two.

    Returns:
        In [-1, 1], rounded to six digits; None with fewer than `FEWEST` architectures. 0 where all scored alike.

    Example:
        >>> rank_agreement([[0.1, 0.2], [0.2, 0.1], [0.3, 0.4], [0.4, 0.3], [0.5, 0.6], [0.6, 0.5]])
        0.90625
    """
    from scipy.stats import spearmanr

    if len(repeats) < FEWEST:
        return None
    scores = np.array(repeats, dtype=np.float64)
    half = scores.shape[1] // 2
    first, second = scores[:, :half].mean(1), scores[:, half:].mean(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all are equal there are no ranks
        found = float(spearmanr(first, second).statistic)
    if not np.isfinite(found):
        return 0.0
    return round(2 * found / (1 + found) if found > 0 else found, 6)


def score_noise(repeats: Sequence[Sequence[float]]) -> float:
    """Standard deviation of a whole score of one architecture, from how far the halves of its repeats lie apart.

    Args:
        repeats: by architecture the scores of its repeats; equally many, at least two.

    Example:
        >>> score_noise([[0.5, 0.7], [0.9, 0.7]])
        0.1
    """
    scores = np.array(repeats, dtype=np.float64)
    half = scores.shape[1] // 2
    apart = scores[:, :half].mean(1) - scores[:, half:].mean(1)
    return round(float(np.sqrt(np.mean(apart**2))) / 2, 6)


def measured_agreement(evaluations: Sequence[Evaluated], known: Collection[Agreement]) -> Agreement | UnsetType:
    """What is measured at the end of a round: once a fidelity, as soon as it has enough architectures.

    Args:
        evaluations: of the task so far, those of the round last.
        known: what earlier rounds measured.
    """
    found = _agreement(evaluations)
    return UNSET if found is None or found.fidelity in {one.fidelity for one in known} else found


def agreement_sentence(found: Agreement) -> str:
    """For people."""
    told = f"repeated scores of {found.architectures} architectures agree with rank correlation {found.correlation:.2f}"
    if found.raised:
        return f"{told}: too little to choose by, so later ones are scored with twice the repeats"
    if found.correlation >= ENOUGH:
        return told
    if found.noise is not UNSET and found.fidelity == LOW:
        return f"{told}: they are nearly equal, for chance moves a score by {found.noise:.1g} alone"
    return f"{told}: its architectures are hardly told apart"


def as_recorded(measured: Agreement | UnsetType, recorded: Agreement | UnsetType) -> Agreement | UnsetType:
    """What was measured as a life of an earlier release tells it, which had no noise and so raised whatever it was."""
    if measured is UNSET or recorded is UNSET or recorded.noise is not UNSET:
        return measured
    raised = measured.fidelity == LOW and measured.correlation < ENOUGH
    return replace(measured, noise=UNSET, raised=raised)


def _agreement(evaluations: Sequence[Evaluated]) -> Agreement | None:
    """How well the repeats of the latest evaluation's fidelity agree; None where they do not tell."""
    if not evaluations:
        return None
    fidelity = evaluations[-1].fidelity
    repeats = [
        [float(score) for score in one.repeats]
        for one in evaluations
        if one.fidelity == fidelity and one.repeats is not UNSET and len(one.repeats) > 1
    ]
    if len({len(scores) for scores in repeats}) > 1:
        return None
    correlation = rank_agreement(repeats)
    if correlation is None:
        return None
    noise, best = score_noise(repeats), max(float(np.mean(scores)) for scores in repeats)
    raised = fidelity == LOW and correlation < ENOUGH and noise > _LITTLE * abs(best)
    return Agreement(fidelity=fidelity, architectures=len(repeats), correlation=correlation, noise=noise, raised=raised)
