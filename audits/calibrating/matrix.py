"""What audits caught of what was planted: counts with intervals, thresholds that would have told best, directions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from audits.catalogue.registry import audit_named, audit_names
from audits.contract.finding import Bound, Finding, decide
from audits.verdicts.suite import Suite
from audits.verdicts.verdict import UNTESTED, bound_of, judge, settle
from selfnas.data.targets import TargetKind
from selfnas.training import intervals

__all__ = [
    "BATTERY",
    "CALIBRATED_KIND",
    "HEALTHY",
    "ROWS_BESIDE_AUDITS",
    "Direction",
    "Observation",
    "Separation",
    "Tally",
    "directions",
    "kill_matrix",
    "redecided",
    "separations",
]

CALIBRATED_KIND: TargetKind = "classification"  # of every specimen; nothing is known of other kinds
HEALTHY = "healthy"  # the control that has no defect

# What a usual interpretability battery looks at; any failure rejects. The calibration error stands last.
BATTERY = (
    ("completeness", "error"),
    ("faithfulness", "deletion"),
    ("faithfulness", "insertion"),
    ("randomisation", "similarity"),
    ("sensitivity", "change"),
    ("confidence", "error"),
)
ROWS_BESIDE_AUDITS = ("gates reject", "gates keep out", "usual battery rejects", "same without calibration error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The findings on one specimen."""

    task: str  # its name
    control: str  # a name in `audits.calibrating.controls.CONTROLS`
    seed: int  # of the specimen
    held_out: bool  # whether it is reported on; thresholds are chosen on the others
    findings: tuple[Finding, ...]  # of the whole suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """So many of n, with the exact 95 % interval of the share."""

    caught: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share."""
        return intervals.binomial(self.caught, self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """A statistic by which a bad control looks better than healthy networks."""

    statistic: str  # `audit.statistic`
    control: str  # which one
    better: int  # pairs of one task and seed in which the control looked better than the healthy network
    n: int  # pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How well a statistic tells an audit's controls from healthy networks on the seeds for choosing."""

    statistic: str  # `audit.statistic`
    healthy: float  # the limit of a healthy network nearest to the controls
    controls: float  # the limit of a control nearest to the healthy networks
    threshold: float  # half-way between them, or where errors are fewest if they overlap
    errors: int  # specimens on the wrong side of it, or astride


def redecided(findings: Sequence[Finding], suite: Suite) -> tuple[Finding, ...]:
    """Findings held against a suite's thresholds and roles, whatever they were held against before."""
    found = []
    for finding in findings:
        entry, bound = suite.entry(finding.audit), bound_of(finding)
        if entry is not None:
            finding = replace(finding, role=entry.role) if bound is not None else finding
            threshold = entry.thresholds.get(finding.statistic)
            if bound is not None and threshold is not None:
                decision = decide(bound, finding.estimate, finding.low, finding.high, threshold)
                finding = replace(finding, threshold=threshold, decision=decision)
        found.append(finding)
    return settle(found)


def kill_matrix(observations: Sequence[Observation], suite: Suite) -> dict[str, dict[str, Tally]]:
    """For every audit, and for the suite and the usual battery as a whole: of each control, how many were caught.

    An audit catches a network by a failed finding; the gates by the verdict. What is caught of the healthy is a false
    alarm.
    """
    made: dict[str, list[tuple[Finding, ...]]] = {}
    for observation in observations:
        made.setdefault(observation.control, []).append(observation.findings)
    rows = (*(entry.audit for entry in suite.entries), *ROWS_BESIDE_AUDITS)
    return {
        row: {
            control: Tally(caught=sum(_is_caught(row, findings, suite) for findings in each), n=len(each))
            for control, each in made.items()
        }
        for row in rows
    }


def directions(observations: Sequence[Observation]) -> tuple[Direction, ...]:
    """Statistics that must not become objectives: the pairs, and the statistic's direction, come from the same seeds.

    Listed when the exact interval of the share of pairs in which the control looks better lies above one half.
    """
    healthy = {(each.task, each.seed): each for each in observations if each.control == HEALTHY}
    counts: dict[tuple[str, str], list[int]] = {}
    for observation in observations:
        twin = healthy.get((observation.task, observation.seed))
        if observation.control == HEALTHY or twin is None:
            continue
        values = {finding.label: finding for finding in twin.findings}
        for finding in observation.findings:
            other = values.get(finding.label)
            bound = bound_of(finding) if finding.statistic != UNTESTED else None
            if other is None or bound is None or finding.estimate is None or other.estimate is None:
                continue
            sign = 1.0 if bound == "floor" else -1.0
            tally = counts.setdefault((f"{finding.audit}.{finding.statistic}", observation.control), [0, 0])
            tally[0] += sign * finding.estimate > sign * other.estimate
            tally[1] += 1
    return tuple(
        Direction(statistic=statistic, control=control, better=better, n=n)
        for (statistic, control), (better, n) in counts.items()
        if intervals.binomial(better, n)[0] > 0.5
    )


def separations(observations: Sequence[Observation]) -> tuple[Separation, ...]:
    """For every audit that aims at controls, each of its statistics' best thresholds on these observations."""
    result = []
    for audit in map(audit_named, audit_names()):
        for statistic in audit.statistics:
            good = list(_limits(observations, (HEALTHY,), audit.name, statistic.name))
            bad = list(_limits(observations, audit.aims, audit.name, statistic.name))
            if good and bad:
                result.append(_separation(f"{audit.name}.{statistic.name}", statistic.bound, good, bad))
    return tuple(result)


def _separation(
    name: str, bound: Bound, good: Sequence[tuple[float, float]], bad: Sequence[tuple[float, float]]
) -> Separation:
    if bound == "floor":
        good, bad = ([(-high, -low) for low, high in limits] for limits in (good, bad))
    healthy, controls = max(high for _, high in good), min(low for low, _ in bad)
    candidates = sorted({value for limits in (*good, *bad) for value in limits})
    cuts = [(first + second) / 2 for first, second in itertools.pairwise(candidates)] or candidates
    if healthy < controls:
        cuts = [(healthy + controls) / 2]

    def errors(cut: float) -> int:
        return sum(high > cut for _, high in good) + sum(low <= cut for low, _ in bad)

    best = min(cuts, key=errors)
    sign = -1.0 if bound == "floor" else 1.0
    return Separation(
        statistic=name, healthy=sign * healthy, controls=sign * controls, threshold=sign * best, errors=errors(best)
    )


def _limits(
    observations: Sequence[Observation], controls: Sequence[str], audit: str, statistic: str
) -> Iterator[tuple[float, float]]:
    for observation in observations:
        if observation.control in controls:
            for finding in observation.findings:
                named = finding.audit == audit and finding.statistic == statistic
                if named and finding.low is not None and finding.high is not None:
                    yield finding.low, finding.high


def _is_caught(row: str, findings: Sequence[Finding], suite: Suite) -> bool:
    if row == "gates reject":
        return judge(findings, suite).decision == "reject"
    if row == "gates keep out":
        return judge(findings, suite).decision != "admit"
    if row in ROWS_BESIDE_AUDITS:
        battery = BATTERY if row == "usual battery rejects" else BATTERY[:-1]
        return any(finding.decision == "fail" and (finding.audit, finding.statistic) in battery for finding in findings)
    return any(finding.audit == row and finding.decision == "fail" for finding in findings)
