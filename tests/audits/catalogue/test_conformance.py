"""What every audit promises, whatever it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import nn

from audits import AUDITS, AuditData, Finding, Suite, judge, load_suite, run_suite
from audits.contract.audit import Measurement
from audits.contract.examinee import Examinee
from audits.testing import BROKEN, Broken, check_audit
from audits.verdicts.suite import SuiteEntry
from audits.verdicts.verdict import UNTESTED
from selfnas.testing.promises import ConformanceError


@pytest.fixture(params=sorted(AUDITS))
def entry(request: pytest.FixtureRequest, suite: Suite) -> SuiteEntry:
    """Each audit as a shipped suite uses it."""
    found = suite.entry(request.param) or load_suite("safety-critical").entry(request.param)
    assert found is not None, "the shipped suites use every audit"
    return found


def findings_of(entry: SuiteEntry, network: nn.Module, data: AuditData, seed: int = 0) -> tuple[Finding, ...]:
    """One audit alone."""
    return run_suite(network, data, Suite(name="one", approval="none", entries=(entry,)), seed=seed)


def test_registry_names_audits_by_their_own_name() -> None:
    """The table's key is the audit's name."""
    assert {name: audit.name for name, audit in AUDITS.items()} == {name: name for name in AUDITS}


def test_every_audit_keeps_the_promises_of_audits(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """With the settings of the shipped suite."""
    check_audit(AUDITS[entry.audit], healthy, data, settings=dict(entry.settings))


def _skill(examinee: Examinee, settings: Mapping[str, float]) -> list[Measurement]:
    return [*AUDITS["skill"].measure(examinee, settings)]


def _drawn(examinee: Examinee, settings: Mapping[str, float]) -> list[Measurement]:
    return [replace(each, n=each.n + int(torch.randint(1_000_000, ()))) for each in _skill(examinee, settings)]


def _sure(examinee: Examinee, settings: Mapping[str, float]) -> list[Measurement]:
    return [Measurement(statistic=one.name, estimate=0.5, low=0.4, high=0.6, n=9) for one in AUDITS["skill"].statistics]


def _altering(examinee: Examinee, settings: Mapping[str, float]) -> list[Measurement]:
    found = _skill(examinee, settings)
    for parameter in examinee.network.parameters():
        parameter.data.mul_(1.5)
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"catches": ""}, "says what it catches"),
        ({"measure": lambda examinee, settings: []}, "each statistic of each subject once"),
        ({"measure": _drawn}, "equal seeds"),
        ({"measure": _sure}, "show nothing, yet"),
        ({"measure": _altering}, "come back as they were"),
    ],
)
def test_an_audit_that_breaks_a_promise_is_found_out(
    changes: dict[str, object], message: str, healthy: nn.Module, data: AuditData, suite: Suite
) -> None:
    """Each promise by a planted breach."""
    entry = suite.entry("skill")
    assert entry is not None
    with pytest.raises(ConformanceError, match=message):
        check_audit(replace(AUDITS["skill"], **changes), healthy, data, settings=dict(entry.settings))


def test_sound_network_is_not_accused(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """Every gate and validity audit passes a network that learned the task, and no alarm fails."""
    if entry.audit in ("proof", "assault"):
        pytest.skip("a network that was trained as usual is not sound to these; test_robustness.py has one that is")
    findings = findings_of(entry, healthy, data)
    assert findings
    if entry.role == "alarm":
        assert {finding.decision for finding in findings} <= {"pass", "inconclusive"}, findings
    elif entry.role != "advisory":
        assert {finding.decision for finding in findings} == {"pass"}, findings


def test_same_seed_same_findings(entry: SuiteEntry, healthy: nn.Module, data: AuditData) -> None:
    """Findings repeat to the last bit, and so do their records."""
    first, second = (findings_of(entry, healthy, data, seed=5) for _ in range(2))
    assert first == second
    assert [Finding.from_record(finding.to_record()) for finding in first] == list(first)


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_broken_network_yields_void(entry: SuiteEntry, kind: str, data: AuditData) -> None:
    """Outputs that are not finite, raise or have the wrong shape show nothing, and say why."""
    findings = findings_of(entry, Broken(BROKEN[kind], classes=data.classes), data)
    measured = [finding for finding in findings if finding.statistic != UNTESTED]
    assert measured
    assert {finding.decision for finding in measured} == {"void"}
    assert all("could not measure" in finding.note and "\n" not in finding.note for finding in measured)
    if entry.role in ("gate", "alarm"):
        verdict = judge(findings, Suite(name="one", approval="none", entries=(entry,)))
        assert (verdict.decision, verdict.void, verdict.failed) == ("undecided", (entry.audit,), ())


def test_constant_network_is_survived(entry: SuiteEntry, data: AuditData) -> None:
    """A network that says the same to everything gives findings, never an exception."""
    for finding in findings_of(entry, Broken(0.0, classes=data.classes), data):
        assert finding.decision in ("pass", "fail", "inconclusive", "void")  # measured, so not untested
