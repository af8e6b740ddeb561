"""The verdict follows from records alone, and from records that were tampered with follows no admission."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from audits import AuditData, Finding, Suite, judge, run_suite
from audits.contract.finding import decide
from audits.verdicts.verdict import settle
from selfnas.errors import InputError

ALARMING = {"estimate": 0.9, "low": 0.8, "high": 1.0, "decision": "fail"}


@pytest.fixture(scope="module")
def findings(healthy: nn.Module, data: AuditData, suite: Suite) -> tuple[Finding, ...]:
    """Of an admitted network."""
    return run_suite(healthy, data, suite, seed=0)


def edited(findings: tuple[Finding, ...], label: str, **changes: object) -> list[Finding]:
    """The findings with one of them changed."""
    assert any(finding.label.startswith(label) for finding in findings)
    return [
        replace(finding, **changes) if finding.label.startswith(label) else finding  # type: ignore[arg-type]
        for finding in findings
    ]


def test_verdict_from_stored_records(findings: tuple[Finding, ...], suite: Suite) -> None:
    """Through JSON and back the verdict is the same."""
    text = json.dumps([finding.to_record() for finding in findings], allow_nan=False)
    restored = [Finding.from_record(record) for record in json.loads(text)]
    assert judge(restored, suite) == judge(findings, suite)
    assert judge(restored, suite).decision == "admit"


@pytest.mark.parametrize(
    ("tamper", "word"),
    [
        (lambda f: f[1:], "recorded for 0 of 1"),
        (lambda f: [x for x in f if x.audit != "swap"], "does not record how many"),
        (lambda f: [x for x in f if not x.label.endswith(".flip")], "recorded for 0 of 1"),
        (lambda f: [x for x in f if x.audit != "completeness"], "completeness.error"),
        (lambda f: [*f, f[0]], "twice"),
        (lambda f: edited(f, "skill.above", threshold=0.0), "the suite says 0.2"),
        (lambda f: edited(f, "skill.above", estimate=0.1, low=0.0, high=0.15), "its numbers say fail"),
        (lambda f: edited(f, "skill.above", estimate=0.1), "its numbers say void"),
        (lambda f: edited(f, "skill.above", decision="fail"), "its numbers say pass"),
        (lambda f: edited(f, "skill.above", role="advisory"), "the suite says gate"),
        (lambda f: edited(f, "skill.above", statistic="above_chanse"), "not of suite"),
        (lambda f: edited(f, "skill.above", audit="skil"), "not of suite"),
        (lambda f: edited(f, "swap.untested", n=0), "recorded for 1 of 0"),
        (lambda f: [], "recorded for 0 of 1"),
    ],
)
def test_tampered_records_admit_nothing(
    findings: tuple[Finding, ...],
    suite: Suite,
    tamper: Callable[[tuple[Finding, ...]], list[Finding]],
    word: str,
) -> None:
    """Whatever is dropped, doubled or edited, the verdict is undecided and says what is wrong."""
    verdict = judge(tamper(findings), suite)
    assert verdict.decision == "undecided"
    assert any(word in reason for reason in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"estimate": 0.1, "low": 0.0, "high": 0.15, "decision": "fail"}, "reject"),
        ({"estimate": 0.2, "low": 0.1, "high": 0.3, "decision": "inconclusive"}, "undecided"),
        ({"estimate": None, "low": None, "high": None, "decision": "void"}, "undecided"),
    ],
)
def test_one_gate_is_enough(
    findings: tuple[Finding, ...], suite: Suite, changes: dict[str, object], expected: str
) -> None:
    """A failed gate rejects; one that is inconclusive or void leaves the verdict open."""
    verdict = judge(edited(findings, "skill.above", **changes), suite)
    assert verdict.decision == expected
    named = verdict.failed + verdict.inconclusive + verdict.void
    assert named == ("skill",)
    assert verdict.reasons


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"estimate": 0.2, "low": 0.1, "high": 0.3, "decision": "fail"}, "reject"),
        ({"estimate": 0.5, "low": 0.1, "high": 0.9, "decision": "inconclusive"}, "admit"),
        ({"estimate": None, "low": None, "high": None, "decision": "void"}, "undecided"),
    ],
)
def test_an_alarm_rejects_and_need_not_be_passed(
    findings: tuple[Finding, ...], suite: Suite, changes: dict[str, object], expected: str
) -> None:
    """A clear finding rejects, an open one says nothing, and one that could not be measured admits nothing."""
    verdict = judge(edited(findings, "slices.accuracy", **changes), suite)
    assert verdict.decision == expected
    assert verdict.inconclusive == ()


def test_what_a_method_voids_is_no_alarm(findings: tuple[Finding, ...], suite: Suite) -> None:
    """Occlusion that is not faithful voids the alarm that rests on it, and the network is admitted by the rest."""
    unproven = edited(findings, "faithfulness.deletion", estimate=-0.2, low=-0.3, high=-0.1, decision="fail")
    shown = [one for one in unproven if one.audit != "relevance"]
    entries = tuple(entry for entry in suite.entries if entry.audit != "relevance")
    voided = settle(edited(tuple(shown), "focus", estimate=0.9, low=0.8, high=1.0, decision="fail"))
    focus = next(one for one in voided if one.audit == "focus")
    assert (focus.decision, focus.estimate) == ("void", 0.9)
    assert judge(voided, replace(suite, entries=entries)).decision == "admit"
    proven = edited(tuple(one for one in findings if one.audit != "relevance"), "focus", **ALARMING)
    assert judge(proven, replace(suite, entries=entries)).failed == ("focus",)


@pytest.mark.parametrize(("statistic", "earlier"), [("untested", "pass"), ("inapplicable", "void")])
def test_what_earlier_releases_called_otherwise_is_read_as_untested(statistic: str, earlier: str) -> None:
    """Where nothing was named or nothing applies; a subject that was there keeps its decision."""
    numbers = dict.fromkeys(("estimate", "low", "high"), None if statistic == "inapplicable" else 0.0)
    record = {
        "audit": "swap", "subject": "", "statistic": statistic, **numbers, "n": 0, "threshold": 0.0,
        "decision": earlier, "role": "gate", "note": "",
    }  # fmt: skip
    assert Finding.from_record(record).decision == "untested"
    if statistic == "untested":
        assert Finding.from_record({**record, "n": 1}).decision == "pass"


def test_untested_cannot_be_made_of_what_was_tested(findings: tuple[Finding, ...], suite: Suite) -> None:
    """A finding that had a subject and is recorded as untested is at odds with its numbers."""
    verdict = judge(edited(findings, "swap.untested", decision="untested"), suite)
    assert verdict.decision == "undecided"
    assert "swap.untested is recorded as untested, its numbers say pass" in verdict.reasons


def test_failure_outweighs_what_could_not_be_measured(findings: tuple[Finding, ...], suite: Suite) -> None:
    """A network shown to be bad is rejected even when another audit was void."""
    broken = edited(findings, "generalisation", estimate=None, low=None, high=None, decision="void")
    both = edited(tuple(broken), "skill.above", estimate=0.1, low=0.0, high=0.15, decision="fail")
    verdict = judge(both, suite)
    assert (verdict.decision, verdict.failed, verdict.void) == ("reject", ("skill",), ("generalisation",))


def test_validity_does_not_accuse(findings: tuple[Finding, ...], suite: Suite) -> None:
    """Attributions that do not add up say nothing about the network."""
    invalid = edited(findings, "completeness", estimate=0.5, low=0.4, high=0.6, decision="fail")
    verdict = judge(invalid, suite)
    assert "completeness" not in verdict.failed


@pytest.mark.parametrize(
    ("bound", "low", "high", "expected"),
    [
        ("ceiling", 0.0, 0.1, "pass"),
        ("ceiling", 0.0, 0.11, "inconclusive"),
        ("ceiling", 0.1, 0.2, "inconclusive"),
        ("ceiling", 0.11, 0.2, "fail"),
        ("floor", 0.1, 0.2, "pass"),
        ("floor", 0.09, 0.2, "inconclusive"),
        ("floor", 0.0, 0.09, "fail"),
        ("floor", None, 0.2, "void"),
        ("floor", 0.3, 0.2, "void"),
    ],
)
def test_decides_by_the_whole_interval(bound: str, low: float | None, high: float, expected: str) -> None:
    """Against 0.1: both limits count, and a limit on the threshold passes."""
    estimate = None if low is None else low
    assert decide(bound, estimate, low, high, 0.1) == expected  # type: ignore[arg-type]


def test_passing_needs_an_estimate() -> None:
    """An interval without an observation can be inconclusive, never a pass."""
    assert decide("ceiling", None, 0.0, 0.05, 0.1) == "void"
    assert decide("ceiling", None, 0.0, 1.0, 0.1) == "inconclusive"


@pytest.mark.parametrize(
    "changes",
    [
        {"estimate": float("nan")},
        {"n": "3"},
        {"n": True},
        {"decision": "maybe"},
        {"extra": 1},
        {"low": "0"},
        {"role": 3},
    ],
)
def test_refuses_what_is_not_a_finding(findings: tuple[Finding, ...], changes: dict[str, object]) -> None:
    """Records are read strictly."""
    with pytest.raises(InputError, match="finding"):
        Finding.from_record({**findings[0].to_record(), **changes})


NUMBER = st.none() | st.floats(-1e6, 1e6)


@given(
    estimate=NUMBER,
    low=NUMBER,
    high=NUMBER,
    threshold=st.floats(-10, 10),
    bound=st.sampled_from(["floor", "ceiling"]),
    note=st.text(max_size=20),
)
def test_decisions_and_records_hold_for_any_numbers(
    estimate: float | None, low: float | None, high: float | None, threshold: float, bound: str, note: str
) -> None:
    """A pass needs an estimate inside an interval on the good side; mirrored numbers give the mirrored decision."""
    decision = decide(bound, estimate, low, high, threshold)  # type: ignore[arg-type]
    if decision == "pass":
        assert estimate is not None
        assert low is not None
        assert high is not None
        assert low <= estimate <= high
        assert high <= threshold if bound == "ceiling" else low >= threshold
    mirrored = [None if value is None else -value for value in (estimate, high, low)]
    other = "ceiling" if bound == "floor" else "floor"
    assert decide(other, *mirrored, -threshold) == decision  # type: ignore[arg-type]
    finding = Finding(
        audit="skill",
        statistic="above_chance",
        estimate=estimate,
        low=low,
        high=high,
        n=3,
        threshold=threshold,
        decision=decision,
        role="gate",
        note=note,
    )
    assert Finding.from_record(json.loads(json.dumps(finding.to_record()))) == finding
