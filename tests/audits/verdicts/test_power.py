"""What no network can pass is told before one is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from audits import AuditData, Suite
from audits.catalogue import copies
from audits.contract.finding import Decision, Finding
from audits.verdicts.power import power, undecidable, wants_cross_fitting


def cut(data: AuditData, n: int) -> AuditData:
    """The same data with so many audit examples."""
    return replace(data, x=data.x[:n], y=data.y[:n])


def test_enough_examples_need_no_word(data: AuditData, suite: Suite) -> None:
    """Every gate of the shipped suite can be passed on 160."""
    assert undecidable(data, suite) == ()


def test_few_examples_are_told_with_the_number_that_would_do(data: AuditData, suite: Suite) -> None:
    """Nothing of 36 is the first that lies below 0.1."""
    told = undecidable(cut(data, 20), suite)
    assert told == (
        "gate swap.follow cannot be passed on 20 audit examples, not even by a faultless network: it needs 36",
    )


@pytest.mark.parametrize("n", [3, 5, 8])
def test_cross_fitted_answers_help_what_counts_answers(data: AuditData, suite: Suite, n: int) -> None:
    """Skill and generalisation; what a region does is asked of this very network alone."""
    alone = {sentence.split()[1].partition(".")[0] for sentence in undecidable(cut(data, n), suite)}
    assert {"generalisation", "swap"} <= alone
    helped = {sentence.split()[1].partition(".")[0] for sentence in undecidable(cut(data, n), suite, cross=60)}
    assert "swap" in helped
    assert not {"generalisation", "skill"} & helped


def found(audit: str, statistic: str, decision: Decision) -> Finding:
    """Of a gate."""
    return Finding(
        audit=audit, statistic=statistic, estimate=0.23, low=0.14, high=0.33, n=90, threshold=0.3, decision=decision,
        role="gate",
    )  # fmt: skip


def test_answers_at_hand_are_counted_whatever_the_size_of_the_split(data: AuditData) -> None:
    """Others are made for small splits alone; none where a gate failed, or where only a region is in question."""
    gap = found("generalisation", "gap", "inconclusive")
    small = cut(data, 99)
    assert len(data.x) >= 100
    assert wants_cross_fitting([gap], small)
    assert not wants_cross_fitting([gap], data)
    assert wants_cross_fitting([gap], data, at_hand=True)
    assert not wants_cross_fitting([gap, found("skill", "gain", "fail")], data, at_hand=True)
    assert not wants_cross_fitting([found("swap", "follow", "inconclusive")], data, at_hand=True)
    assert not wants_cross_fitting([found("generalisation", "gap", "pass")], data, at_hand=True)


def test_a_suite_that_looks_at_too_few_says_that_no_number_would_do(data: AuditData, suite: Suite) -> None:
    """Where its own settings are in the way."""
    entry = suite.entry("swap")
    assert entry is not None
    narrow = replace(suite, entries=(entry.model_copy(update={"settings": {"samples": 20, "donors": 3}}),))
    (told,) = undecidable(data, narrow)
    assert told.endswith("no number of them would do")


@pytest.mark.parametrize(("n", "passes"), [(60, 0.30), (100, 0.63), (200, 0.89)])
def test_power_of_a_share(n: int, passes: float) -> None:
    """How often 4 % pass against a ceiling of 10 %, as counted over all outcomes; and no share passes and fails."""
    assert power("ceiling", 0.1, n, 0.04)[0] == pytest.approx(passes, abs=0.005)
    assert power("ceiling", 0.1, n, 0.04)[1] < 1e-4
    assert power("ceiling", 0.1, n, 0.4)[1] > 0.99


def test_power_of_floors_mirrors_that_of_ceilings() -> None:
    """What is at least 0.9 right is at most 0.1 wrong."""
    assert power("floor", 0.9, 80, 0.96) == pytest.approx(power("ceiling", 0.1, 80, 0.04))


def test_power_at_the_ends() -> None:
    """One example decides nothing; a limit that nothing can exceed is always kept."""
    assert power("ceiling", 0.1, 1, 0.0) == (0.0, 0.0)
    assert power("ceiling", 1.0, 5, 0.7) == (pytest.approx(1.0), 0.0)


@pytest.mark.parametrize("repeated", [10, 90])
def test_audit_examples_that_training_has_nearly_shown_are_told(data: AuditData, suite: Suite, repeated: int) -> None:
    """The alarm asks no network, so it is answered before there is one: with few copies nothing is said."""
    noise = 0.001 * torch.randn(data.x[:repeated].shape, generator=torch.Generator().manual_seed(0))
    near = replace(data, x=torch.cat([data.x_train[:repeated] + noise, data.x[repeated:]]))
    told = undecidable(near, suite)
    if repeated == 10:
        assert told == ()
        return
    (sentence,) = told
    assert sentence.startswith("alarm copies.share will refuse every network: 0.56 of its 160 audit examples")
    assert sentence.endswith("need `groups`")


def test_nothing_that_takes_long_is_measured_before(
    data: AuditData, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more values than are looked at in seconds."""
    near = replace(data, x=data.x_train[: len(data.x)])
    assert len(undecidable(near, suite)) == 1
    monkeypatch.setattr(copies, "_SOON", near.x_train.numel() - 1)
    assert undecidable(near, suite) == ()
