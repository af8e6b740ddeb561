"""What audits found must be what there was to find: counts, intervals, numbers of examples, the same network again."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent.ledger import events
from agent.stream.file import Stream
from agent.verify.meaning.counts import right_answers, wrong_numbers
from agent.verify.meaning.examples import Sizes
from agent.verify.meaning.findings import FindingChecker
from agent.verify.meaning.hardened import wrong_robustness
from agent.verify.reviews import ReviewChecker
from audits import AuditData, Finding, load_suite, run_suite
from audits.contract.finding import decide
from selfnas.data.targets import Target
from selfnas.training import intervals
from tests.agent.made_up import made_up
from tests.agent.verify.test_meaning import STREAM

SIZES = Sizes(train=400, validation=100, audit=60, test=80, grouped=False)


def skill(right: int, n: int, chance: float) -> Finding:
    """As the audit computes it."""
    low, high = intervals.binomial(right, n)
    scale = 1 / (1 - chance)
    values = [(value - chance) * scale for value in (right / n, low, high)]
    return Finding(
        audit="skill", statistic="above_chance", estimate=values[0], low=values[1], high=values[2], n=n, threshold=0.2,
        decision=decide("floor", *values, 0.2), role="gate", note=f"{right} of {n} right; chance {chance:.3f}",
    )  # fmt: skip


@given(st.integers(1, 300), st.data(), st.floats(0.05, 0.9))
def test_right_answers_follow_from_a_skill_and_its_interval(n: int, drawn: st.DataObject, chance: float) -> None:
    """Whatever chance is, and without the note."""
    right = drawn.draw(st.integers(0, n))
    found = skill(right, n, chance)
    bare = Finding(**{**{name: getattr(found, name) for name in Finding.__slots__}, "note": ""})  # type: ignore[misc]
    assert right_answers([found]) == right_answers([bare]) == (right, n)


def test_what_the_shipped_suite_finds_is_not_accused() -> None:
    """Of a small network, on every kind of finding that the suite has."""
    torch.manual_seed(0)
    y = torch.arange(300) % 3
    x = torch.randn(300, 1, 8, 8) + y.view(-1, 1, 1, 1).float()
    data = AuditData(x_train=x[:240], y_train=y[:240], x=x[240:], y=y[240:], classes=3, target=Target.of_classes(3))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    found = run_suite(network, data, load_suite("baseline"), seed=0)
    checker = begun(sizes=Sizes(train=200, validation=40, audit=60, test=80, grouped=False))
    assert list(checker.check(audited(found))) == []
    assert list(wrong_numbers(found)) == []


def begun(sizes: Sizes = SIZES, **told: Any) -> FindingChecker:
    """At the begin of a task under the shipped suite."""
    checker = FindingChecker()
    checker.run_begins(made_up(events.RunStarted), load_suite("baseline"))
    checker.task_begins(made_up(events.TaskStarted, **{"audited_before": 0, **told}), sizes)
    return checker


def audited(found: tuple[Finding, ...], **told: Any) -> events.Audited:
    """As the ledger keeps findings."""
    records = [msgspec.convert(one.to_record(), events.FindingRecord) for one in found]
    return made_up(events.Audited, findings=msgspec.to_builtins(records), **told)


def share(count: int, n: int) -> Finding:
    """Of audit inputs that are copies."""
    low, high = intervals.binomial(count, n)
    return Finding(
        audit="copies", statistic="share", estimate=count / n, low=low, high=high, n=n, threshold=0.3,
        decision=decide("ceiling", count / n, low, high, 0.3), role="alarm",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "told", "n", "message"),
    [
        (SIZES, {}, 60, ""),
        (SIZES, {}, 61, "suite and audit split give 60"),
        (SIZES, {}, 59, "suite and audit split give 60"),
        (SIZES, {"taught": {"rows": "e0" + "00" * 7, "by": [], "left_out": True}}, 57, ""),
        (SIZES, {"taught": {"rows": "e0" + "00" * 7, "by": [], "left_out": True}}, 60, "suite and audit split give 57"),
        (Sizes(train=400), {}, 61, ""),
        (Sizes(train=400), {}, 1001, "suite and audit split give 1000 at most"),
    ],
)
def test_audits_count_all_examples_that_there_are(sizes: Sizes, told: dict[str, Any], n: int, message: str) -> None:
    """Without those that an earlier task was taught, and never more than the suite asks for."""
    problems = list(begun(sizes, **told).check(audited((share(0, n),))))
    assert [message in problem for problem in problems] == [True] * bool(message)


def worst(hits: int, total: int, right: int, count: int, **told: Any) -> Finding:
    """Of the class that is recognised least, as the audit writes it where `right` of `count` are right in all."""
    others = (right - hits) / (count - total)
    values = {
        "estimate": hits / total / others, "low": 0.1, "high": 1.1, "n": total,
        "note": f"class six: {hits} of {total} right; {others:.3f} of the others", **told,
    }  # fmt: skip
    return Finding(audit="classes", statistic="recall", threshold=0.25, decision="inconclusive", role="alarm", **values)


@pytest.mark.parametrize(
    ("told", "sizes", "message"),
    [
        ({}, SIZES, ""),
        ({}, Sizes(train=400), ""),
        ({"estimate": 0.9}, SIZES, "is not what its counts give"),
        ({"estimate": 0.9}, Sizes(train=400), "is not what its counts give"),
        ({"n": 50}, Sizes(train=400), "counts what there is not"),
        ({"low": 0.9, "high": 1.1, "estimate": 1.0, "note": "class six: 5 of 6 right; 0.833 of the others"}, SIZES,
         "of the others right, skill has"),
        ({"low": 0.7}, SIZES, "cannot be at least 0.700"),
        ({"note": ""}, SIZES, "does not say what it counted"),
        ({"note": "class six, whose name is long..."}, SIZES, ""),
    ],
)  # fmt: skip
def test_the_worst_class_is_told_by_counts(told: dict[str, Any], sizes: Sizes, message: str) -> None:
    """Which belong to the right answers of all, also where the record alone tells how many examples there were."""
    found = (skill(54, 60, 0.3), share(0, 60), worst(5, 6, 54, 60, **told))
    problems = [problem for problem in begun(sizes).check(audited(found)) if "classes" in problem]
    assert [message in problem for problem in problems] == [True] * bool(message)


def trained(right: int, **told: Any) -> events.Trained:
    """Of eighty test examples so many were right."""
    hits = np.packbits(np.arange(80) < right).tobytes().hex()
    return made_up(events.Trained, **{"test_correct": right, "test_count": 80, "test_hits": hits, **told})


def test_the_same_weights_are_as_good_as_they_were() -> None:
    """On the same data; one example on the edge may turn, and other weights may be better."""
    checker = begun()
    assert list(checker.check(trained(70))) == []
    assert list(checker.check(trained(71))) == []
    assert list(checker.check(trained(75, weights_sha256="other"))) == []
    assert "the same weights were right about 70 of 80" in "".join(checker.check(trained(75)))


def test_the_same_weights_are_audited_as_they_were() -> None:
    """Answers of a count may turn on the edge; elsewhere it is another network."""
    checker = begun()
    assert list(checker.check(trained(70))) == []
    assert list(checker.check(audited((share(3, 60),)))) == []
    assert list(checker.check(audited((share(4, 60),)))) == []
    assert "was found otherwise before" in "".join(checker.check(audited((share(9, 60),))))


def test_which_test_examples_were_right_must_be_said() -> None:
    """By a release that counts audited networks; earlier ones did not say it."""
    told = made_up(events.Trained, test_correct=70, test_count=80)
    assert "which test examples it was right about" in "".join(begun().check(told))
    checker = FindingChecker()
    checker.task_begins(made_up(events.TaskStarted), SIZES)
    assert list(checker.check(told)) == []


@pytest.mark.parametrize(("clean", "wrong"), [(70, False), (71, False), (75, True), (60, True)])
def test_what_is_answered_without_an_attack_is_what_the_test_says(clean: int, wrong: bool) -> None:
    """Examples that were attacked are among those that were tested."""
    robust = {
        "norm": "linf", "radius": 0.05, "count": 80, "clean": clean, "attacked": 50, "masked": 0, "certified": 40,
        "unproved": "",
    }  # fmt: skip
    stream = Stream.model_validate({**STREAM, "training": {"robustness": {"radius": 0.05}}})
    told = list(wrong_robustness(trained(70, robust=robust), stream))
    assert bool(told) == wrong
    assert all("test examples" in problem for problem in told)


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 2001, "hidden \u200b sign", "red \x1b[31m"])
def test_a_reason_is_what_a_person_can_have_typed(reason: str) -> None:
    """One line of signs that can be shown, of at most two thousand."""
    checker = ReviewChecker()
    checker.run_begins(made_up(events.RunStarted), approval="none")
    assert list(checker.task_begins(made_up(events.TaskStarted))) == []
    checker.trained(made_up(events.Trained), certificate="{}")
    checker.decided(made_up(events.Admitted))
    review = made_up(events.Reviewed, decision="approve", standing="admitted", reason=reason)
    told = "".join(checker.reviewed(review))
    assert "printable" in told or "kept as one line" in told
