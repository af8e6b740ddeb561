"""From findings to the verdict: the one place that says admit, reject or undecided, from stored records alone.

Whether findings speak of all that a task and its suite name is told from names alone too, without data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from audits.catalogue.registry import audit_named, find_audit
from audits.contract.finding import INAPPLICABLE, UNTESTED, Bound, Decision, Finding, decide
from audits.verdicts.spending import unpaid
from audits.verdicts.suite import Suite, SuiteEntry
from selfnas.data.targets import TargetKind

__all__ = ["INAPPLICABLE", "UNTESTED", "AuditVerdict", "absent", "bound_of", "judge", "settle", "stops", "uncovered"]

_COUNTED: Final = (UNTESTED, INAPPLICABLE)  # what is said of a whole audit; against 0
_VOIDED: Final = "voided: the attribution method did not prove valid on this network"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """What follows from the findings of one network.

    Attributes:
        decision: admit only when every gate of the suite that had something to test passed, and no alarm failed.
        failed: names of gate audits and alarms with a failed finding.
        inconclusive: names of gate audits whose interval straddles a threshold, at the level that a suite wants.
        void: names of gate audits and alarms that could not say anything.
        reasons: a sentence each, for people; empty when admitted.
        untested: names of gate audits and alarms that do not apply to the task's kind, or had no subject, since nothing
            was named; so nothing is known of what they catch.
    """

    decision: Literal["admit", "reject", "undecided"]
    failed: tuple[str, ...] = ()
    inconclusive: tuple[str, ...] = ()
    void: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()


def judge(
    findings: Sequence[Finding], suite: Suite, *, kind: TargetKind = "classification", attempt: int = 1
) -> AuditVerdict:
    """The verdict of a suite on findings, fresh or read back from a record.

    Trusts no stored decision: each is worked out again from its numbers and the suite's threshold. Findings that are
    missing, repeated, foreign to the suite or altered leave the verdict undecided, whatever the others say. Otherwise
    one failed gate or alarm rejects; one inconclusive or void gate leaves it undecided, and so does an attribution
    method that could not be tested at all: a method that was tested and failed voids evidence, but does not stop a
    network. An alarm that is inconclusive saw nothing clear, which does not stop a network either; one that could not
    measure does, unless it was voided by its method.

    An audit that is not for the task's kind is left out of this, and named; where no gate is left, nothing is admitted.
    So is one about named things where nothing is named, unless the suite demands that nothing goes untested.

    Under a suite whose attempts are paid for, a gate that passes at 95 % must pass at the level of the attempt too
    (`audits.verdicts.spending`); else it is inconclusive. Findings stay as they were measured.

    Args:
        findings: of one network.
        suite: that they are of.
        kind: of the task's target.
        attempt: which network it is, from 1, of those audited on the same audit examples.
    """
    defects = [*_foreign(findings, suite), *absent(findings, suite, kind=kind)]
    if not defects:
        defects.extend(_altered(findings))
    skipped = tuple(name for name in suite.gates if not _applies(name, kind))
    if len(skipped) == len(suite.gates):
        defects.append(f"no gate of suite {suite.name} applies to {kind}")
    deciding = [finding for finding in findings if finding.role in ("gate", "alarm")]
    idle = tuple(dict.fromkeys(finding.audit for finding in deciding if finding.idle))
    if suite.untested == "refused" and idle:
        defects.append(f"not tested: {', '.join(idle)}; suite {suite.name} demands that nothing is")
    stopping = [finding for finding in deciding if stops(finding)]
    owed = dict(_owed(deciding, attempt)) if suite.attempts == "paid" else {}
    named: dict[Decision, tuple[str, ...]] = {
        decision: tuple(dict.fromkeys(finding.audit for finding in stopping if finding.decision == decision))
        for decision in ("fail", "inconclusive", "void")
    }
    untested = [finding for finding in findings if finding.role == "validity" and stops(finding)]
    reasons = (*(_reason(finding) for finding in [*stopping, *untested]), *owed.values())
    decision: Literal["admit", "reject", "undecided"]
    if defects:
        decision = "undecided"
    elif named["fail"]:
        decision = "reject"
    else:
        decision = "undecided" if reasons else "admit"
    return AuditVerdict(
        decision=decision,
        failed=named["fail"],
        inconclusive=tuple(dict.fromkeys([*named["inconclusive"], *(finding.audit for finding in owed)])),
        void=named["void"],
        reasons=(*defects, *reasons),
        untested=idle,
    )


def _owed(findings: Sequence[Finding], attempt: int) -> Iterator[tuple[Finding, str]]:
    """Findings of gates that pass at 95 % and not at the level of the attempt, each with a sentence."""
    for finding in findings:
        bound, audit = bound_of(finding), find_audit(finding.audit)
        if finding.role != "gate" or finding.decision != "pass" or finding.statistic in _COUNTED:
            continue
        if bound is not None and audit is not None:
            statistic = audit.statistic(finding.statistic)
            if sentence := unpaid(finding, bound, attempt, counted=statistic is not None and statistic.counted):
                yield finding, sentence


def stops(finding: Finding) -> bool:
    """Whether a finding keeps its network out: what a gate does not pass, what an alarm finds or cannot measure.

    Of an attribution method, that it could not be tested.
    """
    if finding.idle or finding.decision == "pass":
        return False
    if finding.role == "alarm":
        unmeasured = finding.decision == "void" and finding.estimate is None  # what a method voided keeps its numbers
        return finding.decision == "fail" or unmeasured
    return finding.role == "gate" or (finding.role == "validity" and finding.decision == "void")


def settle(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Void every finding that rests on an attribution method whose validity audits did not all pass."""
    invalid = {
        audit_named(finding.audit).validates
        for finding in findings
        if finding.role == "validity" and finding.decision != "pass"
    }
    return tuple(
        replace(finding, decision="void", note=f"{_VOIDED}; {finding.note.removeprefix(f'{_VOIDED}; ')}")
        if finding.statistic not in _COUNTED
        and finding.role != "validity"
        and audit_named(finding.audit).relies_on in invalid - {""}
        and finding.decision != "void"
        else finding
        for finding in findings
    )


def _foreign(findings: Sequence[Finding], suite: Suite) -> Iterator[str]:
    seen: set[str] = set()
    for finding in findings:
        entry = suite.entry(finding.audit)
        if finding.label in seen:
            yield f"{finding.label} is recorded twice"
        seen.add(finding.label)
        if entry is None or bound_of(finding) is None:
            yield f"{finding.label} is not of suite {suite.name}"
        elif finding.role != entry.role:
            yield f"{finding.label} is recorded as {finding.role}, the suite says {entry.role}"
        elif finding.threshold != _threshold(finding, entry):
            yield f"{finding.label} was held against {finding.threshold:g}, the suite says {_threshold(finding, entry)}"


def absent(
    findings: Sequence[Finding], suite: Suite, *, kind: TargetKind = "classification", advisory: bool = False
) -> Iterator[str]:
    """Statistics that the suite asks for and the findings lack, in sentences.

    Every statistic must be there for as many subjects as were counted; of an audit that is not for the task's kind, the
    one finding that says so, and nothing else.

    Args:
        kind: of the task's target.
        advisory: look at advisory audits, whose lack changes no verdict; else at gates and validity audits.
    """
    for entry in suite.entries:
        if (entry.role == "advisory") != advisory:
            continue
        audit = audit_named(entry.audit)
        own = [finding for finding in findings if finding.audit == entry.audit]
        told = sum(finding.statistic == INAPPLICABLE for finding in own)
        if not _applies(entry.audit, kind):
            if told != 1 or len(own) != 1:
                yield f"{entry.audit} does not apply to {kind}, which is told by {told} of {len(own)} findings"
            continue
        if told:
            yield f"{entry.audit} applies to {kind}, but is recorded as if it did not"
            continue
        counts = [finding.n for finding in own if finding.statistic == UNTESTED]
        if audit.about and not counts:
            yield f"{entry.audit} does not record how many subjects it had"
            continue
        expected = counts[0] if audit.about else 1
        for statistic in audit.statistics:
            found = sum(finding.statistic == statistic.name for finding in own)
            if found != expected:
                yield f"{entry.audit}.{statistic.name} is recorded for {found} of {expected}"


def uncovered(
    findings: Sequence[Finding],
    suite: Suite,
    *,
    task: str,
    nuisances: Collection[str],
    kind: TargetKind = "classification",
) -> Iterator[str]:
    """A sentence for each audit whose findings are about others than it had to test.

    Args:
        task: as the suite calls it (`selfnas.data.tasks.Task.known_as`).
        nuisances: names of those that the task itself has.
        kind: of the task's target.
    """
    plants = [plants for plants in suite.plants if task and plants.task == task]
    named = {
        "nuisance": {*nuisances, *(one.name for each in plants for one in each.nuisances)},
        "trigger": {one.name for each in plants for one in each.triggers},
    }
    for entry in suite.entries:
        about = audit_named(entry.audit).about
        if not about or not _applies(entry.audit, kind):
            continue
        own = [finding for finding in findings if finding.audit == entry.audit]
        tested = {finding.subject for finding in own if finding.statistic != UNTESTED}
        if tested != named[about]:
            yield f"{entry.audit} is about {_list(tested)}, the task and its suite name {_list(named[about])}"
        for finding in own:
            if finding.statistic == UNTESTED and finding.n != len(named[about]):
                yield f"{finding.label} counts {finding.n}, the task and its suite name {len(named[about])}"


def _applies(audit: str, kind: TargetKind) -> bool:
    return kind in audit_named(audit).kinds


def _altered(findings: Sequence[Finding]) -> Iterator[str]:
    again = []
    for each in findings:
        bound = bound_of(each)
        decision = "void" if bound is None else decide(bound, each.estimate, each.low, each.high, each.threshold)
        decision = "untested" if each.idle else decision
        again.append(replace(each, decision=decision))
    for finding, expected in zip(findings, settle(again), strict=True):
        if finding.decision != expected.decision:
            yield f"{finding.label} is recorded as {finding.decision}, its numbers say {expected.decision}"


def bound_of(finding: Finding) -> Bound | None:
    """Which side of its threshold a finding must lie on; None where it is of no known statistic."""
    audit = find_audit(finding.audit)
    if audit is None:
        return None
    if finding.statistic == INAPPLICABLE:
        return "ceiling"
    if finding.statistic == UNTESTED:
        return "ceiling" if audit.about else None
    statistic = audit.statistic(finding.statistic)
    return statistic.bound if statistic else None


def _threshold(finding: Finding, entry: SuiteEntry) -> float | None:
    return 0.0 if finding.statistic in _COUNTED else entry.thresholds.get(finding.statistic)


def _reason(finding: Finding) -> str:
    if finding.estimate is None or finding.low is None or finding.high is None:
        return f"{finding.label} is {finding.decision}: {finding.note or 'no estimate'}"
    side = "at least" if bound_of(finding) == "floor" else "at most"
    return (
        f"{finding.label} is {finding.decision}: {finding.estimate:.3f} [{finding.low:.3f}, {finding.high:.3f}], "
        f"need {side} {finding.threshold:g} (n = {finding.n})"
    )


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
