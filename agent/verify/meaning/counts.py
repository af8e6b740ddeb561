"""What numbers of a finding say of themselves: a share is a count of its examples, a skill that of right answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from audits import Finding
from audits.catalogue.registry import find_audit
from selfnas.training import intervals

__all__ = ["NOTED_SKILL", "ROUNDING", "is_interval", "near", "right_answers", "wrong_numbers"]

ROUNDING = 1e-6
NOTED_SKILL = re.compile(r"(\d+) of (\d+) right;")
_SHARES = (("corruption", "accuracy"),)  # of their `n`, with an interval that is not the exact one


def wrong_numbers(findings: Sequence[Finding]) -> Iterator[str]:
    """Shares that are no count of their examples, or have another interval than the exact one of that count."""
    for finding in findings:
        audit = find_audit(finding.audit)
        statistic = None if audit is None else audit.statistic(finding.statistic)
        exact = statistic is not None and statistic.counted
        share = exact or (finding.audit, finding.statistic) in _SHARES
        if not share or finding.estimate is None or not finding.n:
            continue
        count = round(finding.estimate * finding.n)
        if not 0 <= count <= finding.n or abs(count / finding.n - finding.estimate) > ROUNDING:
            yield f"{finding.label} {finding.estimate:g} is that of no number of {finding.n} examples"
        elif exact and not is_interval(finding, intervals.binomial(count, finding.n)):
            yield f"the interval of {finding.label} is not that of {count} of {finding.n} examples"


def right_answers(findings: Sequence[Finding]) -> tuple[int, int] | None:
    """How many examples a classifier answered rightly, and of how many, as the finding `skill.above_chance` implies.

    Of estimate, limits and number there is one count at most that gives all of them, whatever chance is. None where
    there is no such finding, or no count gives it.
    """
    for finding in findings:
        if (finding.audit, finding.statistic) == ("skill", "above_chance"):
            count = _implied(finding)
            return None if count is None else (count, finding.n)
    return None


def _implied(finding: Finding) -> int | None:
    estimate, low, high, n = finding.estimate, finding.low, finding.high, finding.n
    if estimate is None or low is None or high is None or not n or high <= low:
        return None
    noted = NOTED_SKILL.match(finding.note)
    likely = [int(noted[1])] if noted and int(noted[1]) <= n else []
    for count in (*likely, *range(n + 1)):
        limits = intervals.binomial(count, n)
        scale = (high - low) / (limits[1] - limits[0])  # one over what is left above chance
        chance = 1 - 1 / scale
        pairs = zip((count / n, *limits), (estimate, low, high), strict=True)
        if 0 < chance < 1 and all(abs((value - chance) * scale - told) <= ROUNDING for value, told in pairs):
            return int(count)
    return None


def is_interval(finding: Finding, limits: tuple[float, float]) -> bool:
    """Whether these are the limits of a finding."""
    return near(finding.low, limits[0], ROUNDING) and near(finding.high, limits[1], ROUNDING)


def near(one: float | None, other: float | None, most: float) -> bool:
    """Whether two numbers are so near, or both absent."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= most
