"""What repeated use of an audit split costs, and that a suite can have it paid for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from audits import AuditData, Finding, Suite, calibration_of, judge, parse_suite, run_suite, undecidable, unproven_gates
from audits.contract.finding import decide
from audits.verdicts.spending import familywise_error, paid_interval, paid_level
from selfnas.training import intervals


def share(count: int, n: int, *, audit: str = "swap", statistic: str = "follow", threshold: float = 0.1) -> Finding:
    """A counted share as `run_suite` records it."""
    low, high = intervals.binomial(count, n)
    decision = decide("ceiling", count / n, low, high, threshold)
    return Finding(
        audit=audit, subject="corner", statistic=statistic, estimate=count / n, low=low, high=high, n=n,
        threshold=threshold, decision=decision, role="gate",
    )  # fmt: skip


def paying(suite: Suite) -> Suite:
    """The same suite with attempts paid for."""
    return replace(suite, attempts="paid")


def test_the_errors_of_any_number_of_attempts_add_up_to_five_percent() -> None:
    """However many there are, all levels together spend no more than one interval at 95 %."""
    assert sum(1 - paid_level(attempt) for attempt in range(1, 100_001)) == pytest.approx(0.05, abs=1e-6)
    assert familywise_error(100_000, paid=True) < 0.025 < familywise_error(2, paid=False)
    assert familywise_error(1000, paid=False) == 1.0
    with pytest.raises(ValueError, match="counted from 1, not 0"):
        paid_level(0)


@given(st.integers(1, 400), st.data(), st.integers(1, 50))
def test_a_counted_share_is_paid_for_by_its_exact_interval(n: int, drawn: st.DataObject, attempt: int) -> None:
    """It holds the interval at 95 %, and is the exact one of the level."""
    count = drawn.draw(st.integers(0, n))
    found = share(count, n)
    low, high = paid_interval(found, attempt, counted=True)
    assert (low, high) == intervals.binomial(count, n, level=paid_level(attempt))
    assert low <= found.low <= found.high <= high  # type: ignore[operator]


@given(st.integers(2, 300), st.data(), st.integers(1, 50))
def test_other_intervals_are_lengthened_at_least_as_exact_ones_are_at_an_end(
    n: int, drawn: st.DataObject, attempt: int
) -> None:
    """Of a share at 0, whose exact limit grows with the logarithm of the error, the lengthened one is no shorter."""
    found = share(0, n)
    _, high = paid_interval(found, attempt, counted=False)
    _, exact = intervals.binomial(0, n, level=paid_level(attempt))
    assert high >= exact - 1e-9


def test_a_bad_network_rarely_gets_past_a_paid_gate_however_often_it_is_tried() -> None:
    """Forty networks exactly at the limit on splits of their own: one of them passes in 2.5 % of lives, not in 40 %."""
    rng, n, limit, lives, attempts = np.random.default_rng(0), 200, 0.1, 2000, 40
    counts = rng.binomial(n, limit, (lives, attempts))
    most = {level: max(k for k in range(n) if intervals.binomial(k, n, level=level)[1] <= limit)
            for level in (0.95, *map(paid_level, range(1, 4)))}  # fmt: skip
    passes = [most.get(paid_level(k)) for k in range(1, 4)]
    later = [
        max((c for c in range(n) if intervals.binomial(c, n, level=paid_level(k))[1] <= limit), default=-1)
        for k in range(4, attempts + 1)
    ]
    paid = np.array([*passes, *later])
    assert (counts <= most[0.95]).any(axis=1).mean() > 0.3
    assert (counts <= paid).any(axis=1).mean() <= 0.025


def test_a_gate_that_passes_at_95_percent_alone_leaves_the_verdict_open(
    healthy: nn.Module, data: AuditData, suite: Suite
) -> None:
    """At the first attempt it is admitted, at a late one not, with the interval that it was held to; findings stay."""
    findings = run_suite(healthy, data, suite, seed=0)
    first, late = judge(findings, paying(suite)), judge(findings, paying(suite), attempt=10_000)
    assert (first.decision, judge(findings, suite, attempt=10_000).decision) == ("admit", "admit")
    assert late.decision == "undecided"
    assert not late.failed
    assert late.inconclusive
    assert all("asked of network number 10000 on one audit split" in reason for reason in late.reasons)
    assert all(finding.decision in ("pass", "untested") for finding in findings if finding.role == "gate")


def test_what_failed_fails_whatever_was_paid(findings: tuple[Finding, ...], suite: Suite) -> None:
    """A late attempt saves no network from what is clear at 95 %, and alarms reject as they do."""
    broken = [
        replace(one, estimate=0.1, low=0.0, high=0.15, decision="fail") if one.label == "skill.above_chance" else one
        for one in findings
    ]
    assert judge(broken, paying(suite), attempt=10_000).decision == "reject"
    alarmed = [
        replace(one, estimate=0.1, low=0.0, high=0.15, decision="fail") if one.label == "slices.accuracy" else one
        for one in findings
    ]
    assert judge(alarmed, paying(suite), attempt=10_000).decision == "reject"


@pytest.fixture(scope="module")
def findings(healthy: nn.Module, data: AuditData, suite: Suite) -> tuple[Finding, ...]:
    """Of an admitted network."""
    return run_suite(healthy, data, suite, seed=0)


def test_old_suites_keep_their_digest_and_a_paid_one_its_proof(suite: Suite) -> None:
    """What is not said is counted alone; paying lets in less, so what the audits were shown to catch stays true."""
    told = suite.text.replace("approval: none", "approval: none\nattempts: counted")
    paid = parse_suite(suite.text.replace("approval: none", "approval: none\nattempts: paid"))
    assert parse_suite(told).digest == suite.digest != paid.digest
    assert paid.attempts == "paid"
    assert calibration_of(paid) == calibration_of(suite)
    assert unproven_gates(paid) == ()


def test_a_split_too_small_to_pay_is_told_before_training(data: AuditData, suite: Suite) -> None:
    """On so few examples a network can pass at 95 % and not at 97.5 %: the number that it takes is named."""
    few = next(n for n in range(5, 100) if not undecidable(cut(data, n), suite))
    told = undecidable(cut(data, few), paying(suite))
    assert told
    assert all("not even by a faultless network: it needs" in sentence for sentence in told)


def cut(data: AuditData, n: int) -> AuditData:
    """The same with so many audit examples."""
    return replace(data, x=data.x[:n], y=data.y[:n])
