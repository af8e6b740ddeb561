"""Which gates no network can pass on so few examples, however good it is: told before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audits.catalogue.registry import audit_named
from audits.contract.audit import Audit, Measurement, Statistic
from audits.contract.data import FEWEST_ALONE, AuditData
from audits.contract.finding import Bound, Finding, decide
from audits.contract.plants import with_plants
from audits.verdicts.spending import paid_interval
from audits.verdicts.suite import Suite, SuiteEntry
from selfnas.training import intervals

__all__ = ["power", "undecidable", "wants_cross_fitting"]

_MOST = 100_000  # audit examples; a gate that needs more is not decided by examples


def power(bound: Bound, threshold: float, n: int, share: float) -> tuple[float, float]:
    """Probabilities that a counted share passes and that it fails, where the true share is known.

    Example:
        >>> tuple(round(each, 2) for each in power("ceiling", 0.1, 140, 0.04))
        (0.67, 0.0)
    """
    from scipy.special import bdtr, bdtrc

    told = [decide(bound, count / n, *intervals.binomial(count, n), threshold) for count in range(n + 1)]
    good = [count for count, one in enumerate(told) if one == "pass"]
    bad = [count for count, one in enumerate(told) if one == "fail"]
    low, high = (good, bad) if bound == "ceiling" else (bad, good)
    below = float(bdtr(low[-1], n, share)) if low else 0.0  # counts that are small enough are those up to the largest
    above = 1.0 if 0 in high else float(bdtrc(high[0] - 1, n, share)) if high else 0.0
    return (below, above) if bound == "ceiling" else (above, below)


def wants_cross_fitting(findings: Sequence[Finding], data: AuditData, *, at_hand: bool = False) -> bool:
    """Whether answers of networks made alike may decide what findings on the audit split leave open.

    Not where a gate failed, for then nothing else counts.

    Args:
        findings: on the audit split alone.
        data: that they are of.
        at_hand: whether there are such answers already; else networks are trained for them, for small splits alone.
    """
    gates = [finding for finding in findings if finding.role == "gate"]
    if (len(data.x) >= FEWEST_ALONE and not at_hand) or any(finding.decision == "fail" for finding in gates):
        return False
    return any(finding.decision == "inconclusive" and audit_named(finding.audit).pools for finding in gates)


def undecidable(data: AuditData, suite: Suite, *, cross: int = 0) -> tuple[str, ...]:
    """A sentence for each statistic that keeps every network out, however good it is, on these data.

    Either a gate that a faultless network could not pass on so few examples, or a gate or alarm that measures the data
    alone, and fails on them.

    Args:
        data: of the task.
        suite: whose plants are laid first.
        cross: training examples that networks made alike will answer without having seen them.

    Raises:
        InputError: what the suite plants does not fit the data.
    """
    planted = with_plants(data, suite.plants)
    paid = suite.attempts == "paid"
    told: list[str] = []
    for entry in suite.entries:
        audit = audit_named(entry.audit)
        if entry.role == "gate":
            told += _of_audit(planted, entry, audit, cross, paid=paid)
        if entry.role in ("gate", "alarm") and audit.before is not None and data.target.kind in audit.kinds:
            told += _of_data(planted, entry, audit)
    return tuple(told)


def _of_data(data: AuditData, entry: SuiteEntry, audit: Audit) -> Iterator[str]:
    """Where data alone decide, whatever the network is."""
    assert audit.before is not None  # noqa: S101 - the caller looked
    for found in audit.before(data, audit.filled(entry.settings)):
        statistic, threshold = audit.statistic(found.statistic), entry.thresholds.get(found.statistic)
        if statistic is None or threshold is None or found.estimate is None:
            continue
        if decide(statistic.bound, found.estimate, found.low, found.high, threshold) == "fail":
            limit = "at most" if statistic.bound == "ceiling" else "at least"
            yield (
                f"{entry.role} {audit.name}.{found.statistic} will refuse every network: {found.estimate:.2f} of its "
                f"{found.n} audit examples [{found.low:.2f}, {found.high:.2f}] are {statistic.meaning}, "
                f"{limit} {threshold:.2f} may be; {audit.remedy}"
            )


def _of_audit(data: AuditData, entry: SuiteEntry, audit: Audit, cross: int, *, paid: bool) -> Iterator[str]:
    if audit.best_case is None or data.target.kind not in audit.kinds or not audit.subjects(data):
        return
    n = len(data.x)
    for found in _missed(data, entry, audit, n, cross, paid=paid):
        needed = _needed(data, entry, audit, found.statistic, cross, paid=paid)
        enough = f"it needs {needed:,}" if needed else "no number of them would do"
        yield (
            f"gate {audit.name}.{found.statistic} cannot be passed on {n} audit examples, not even by a faultless "
            f"network: {enough}"
        )


def _passes(statistic: Statistic, found: Measurement, entry: SuiteEntry, *, paid: bool) -> bool:
    """Whether a measurement passes, as that of the first network audited where attempts are paid for."""
    threshold, bound = entry.thresholds[found.statistic], statistic.bound
    if decide(bound, found.estimate, found.low, found.high, threshold) != "pass" or found.estimate is None:
        return False
    if not paid:
        return True
    low, high = paid_interval(found, 1, counted=statistic.counted)
    return decide(bound, found.estimate, low, high, threshold) == "pass"


def _missed(data: AuditData, entry: SuiteEntry, audit: Audit, n: int, cross: int, *, paid: bool) -> list[Measurement]:
    """What a faultless network would not pass."""
    assert audit.best_case is not None  # noqa: S101 - the caller looked
    return [
        found
        for found in audit.best_case(data, audit.filled(entry.settings), n, cross)
        for statistic in audit.statistics
        if statistic.name == found.statistic and not _passes(statistic, found, entry, paid=paid)
    ]


def _needed(data: AuditData, entry: SuiteEntry, audit: Audit, statistic: str, cross: int, *, paid: bool) -> int | None:
    """The least number of audit examples; None where none is enough, as where a suite looks at too few of them."""

    def short(n: int) -> bool:
        return any(found.statistic == statistic for found in _missed(data, entry, audit, n, cross, paid=paid))

    low, high = len(data.x), 2 * len(data.x)
    while short(high):
        if high > _MOST:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return high
