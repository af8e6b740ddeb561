"""What repeated use of one audit split costs: the error that adds up, and a level that pays for it.

A gate that a bad network passes by chance in one of forty cases is passed by one of many. A suite may let each further
network on the same audit examples show more, so that all of them together err no more often than one alone.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from audits.contract.finding import Bound, Finding, decide
from selfnas.documents import load_yaml
from selfnas.training import intervals

if TYPE_CHECKING:  # which loads PyTorch, and the desk shows what was spent
    from audits.contract.audit import Measurement

__all__ = ["familywise_error", "paid_interval", "paid_level", "pays", "unpaid"]

_ERROR: Final = 1 - intervals.LEVEL  # of a two-sided interval; a gate errs on one side, by half of it


@lru_cache(maxsize=64)
def pays(suite: str) -> bool:
    """Whether a suite has attempts paid for, by the text of its file; no audit is loaded for it.

    Raises:
        InputError: the text is no YAML that is read.

    Example:
        >>> pays("{suite: mine, attempts: paid}"), pays("suite: mine")
        (True, False)
    """
    told = load_yaml(suite, "suite")
    return isinstance(told, dict) and str(told.get("attempts")) == "paid"


def paid_level(attempt: int) -> float:
    """Level of the two-sided interval by which the so-many-eth network audited on one split must pass its gates.

    The error spent on attempt `k` is 5 % / (k (k + 1)), so that all attempts together, however many there will be,
    spend 5 %: 2.5 % on the side of letting in.

    Raises:
        ValueError: attempts are counted from 1.

    Example:
        >>> [round(paid_level(attempt), 4) for attempt in (1, 2, 10)]
        [0.975, 0.9917, 0.9995]

    Source: Foster and Stine 2008 (J. R. Statist. Soc. B 70), spending of a fixed error by a convergent series.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return 1 - _ERROR / (attempt * (attempt + 1))


def familywise_error(attempts: int, *, paid: bool) -> float:
    """Most that can be the chance, in [0, 1], that one of so many bad networks passed all gates.

    A bad network has one gate at its limit or beyond. That it passes this gate has probability 2.5 % at most, and it
    has to pass all. The sum over attempts bounds the chance for any of them, however alike their answers are.

    Example:
        >>> familywise_error(4, paid=False), round(familywise_error(4, paid=True), 4)
        (0.1, 0.02)
    """
    side = round(_ERROR / 2, 12)
    return side * attempts / (attempts + 1) if paid else min(1.0, side * attempts)


def paid_interval(found: Finding | Measurement, attempt: int, *, counted: bool) -> tuple[float, float]:
    """An interval at the level of an attempt, from what was measured at 95 %.

    Of a counted share it is the exact one. Of others each side is lengthened by the ratio of the logarithms of the two
    errors: by more than of a normal estimate, and by as much as of an exponential tail, which an exact share has at
    its end.

    Args:
        found: with an estimate and an interval.
        attempt: from 1.
        counted: whether the estimate is a share of `n`.

    Raises:
        ValueError: it has no estimate or no interval.
    """
    estimate, low, high = found.estimate, found.low, found.high
    if estimate is None or low is None or high is None:
        raise ValueError(f"{found.statistic} has no interval")
    level = paid_level(attempt)
    if counted and found.n and 0 <= estimate <= 1:
        return intervals.binomial(round(estimate * found.n), found.n, level=level)
    longer = math.log(2 / (1 - level)) / math.log(2 / _ERROR)
    return estimate - longer * (estimate - low), estimate + longer * (high - estimate)


def unpaid(finding: Finding, bound: Bound, attempt: int, *, counted: bool) -> str:
    """Why a gate's finding that passes at 95 % does not at the level of the attempt; empty where it does.

    Args:
        finding: of a gate, that passed.
        bound: of its statistic.
        attempt: from 1.
        counted: as of `paid_interval`.
    """
    if finding.estimate is None or finding.low is None or finding.high is None:
        return ""
    low, high = paid_interval(finding, attempt, counted=counted)
    if decide(bound, finding.estimate, low, high, finding.threshold) == "pass":
        return ""
    side = "at least" if bound == "floor" else "at most"
    return (
        f"{finding.label} passes at 95 %, not at the {100 * paid_level(attempt):.4g} % asked of network number "
        f"{attempt} on one audit split: {finding.estimate:.3f} [{low:.3f}, {high:.3f}], need {side} "
        f"{finding.threshold:g} (n = {finding.n})"
    )
