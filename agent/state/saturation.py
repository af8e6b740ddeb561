"""Whether a search has nothing left to tell apart: enough candidates are right about everything they were asked."""

from __future__ import annotations

from collections.abc import Sequence

from agent.ledger.events import Evaluated

__all__ = ["saturated", "saturation_sentence"]

_ENOUGH = 2  # faultless candidates for each finalist that is wanted, so that some may be refused
_FAULTLESS = 1.0


def saturated(evaluations: Sequence[Evaluated], finalists: int) -> bool:
    """Whether more scores cannot change which candidates are best.

    Scores are shares of what is right, at most 1, or fall short of 0 by an error, and then no score is faultless.

    Args:
        evaluations: of the task so far, of networks that were trained.
        finalists: how many are wanted.
    """
    faultless = {one.digest for one in evaluations if one.score is not None and one.score >= _FAULTLESS}
    return len(faultless) >= _ENOUGH * finalists


def saturation_sentence(evaluations: Sequence[Evaluated], budget: int) -> str:
    """Why a search ended before its budget was spent."""
    faultless = sum(one.score is not None and one.score >= _FAULTLESS for one in evaluations)
    return (
        f"the search ended after {len(evaluations)} of {budget} evaluations: {faultless} candidates were right about "
        "all that they were asked, and no score can tell them apart"
    )
