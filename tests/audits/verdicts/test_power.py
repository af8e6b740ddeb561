"""What no network can pass is told before one is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audits import AuditData, Suite
from audits.verdicts.power import undecidable


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


def test_a_suite_that_looks_at_too_few_says_that_no_number_would_do(data: AuditData, suite: Suite) -> None:
    """Where its own settings are in the way."""
    entry = suite.entry("swap")
    assert entry is not None
    narrow = replace(suite, entries=(entry.model_copy(update={"settings": {"samples": 20, "donors": 3}}),))
    (told,) = undecidable(data, narrow)
    assert told.endswith("no number of them would do")
