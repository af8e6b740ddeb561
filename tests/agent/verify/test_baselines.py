"""What is recorded of baselines must follow from their counts and bits, and be of those that the task began with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from msgspec.structs import replace

from agent.ledger.events import (
    UNSET,
    Baselined,
    BaselineRecord,
    Compared,
    Facts,
    GainRecord,
    TaskFinished,
    TaskStarted,
    Trained,
)
from agent.verify.baselines import BaselineChecker
from selfnas.baselines.paired import MOST_COMPARED, hits_in_text
from selfnas.training import intervals
from tests.agent.made_up import made_up

N = 40


def record(name: str, right: int = 30, count: int = N) -> BaselineRecord:
    """As a life would write it."""
    hits = np.arange(count) < right
    low, high = intervals.binomial(right, count)
    return BaselineRecord(
        name=name, metric="accuracy", estimate=right / count, low=low, high=high, n=count, rows=100, at_hand=100,
        hits=hits_in_text(hits), reason="",
    )  # fmt: skip


FAILED = BaselineRecord(
    name="b", metric="", estimate=None, low=None, high=None, n=0, rows=0, at_hand=0, reason="ValueError: no"
)


def problems(*results: BaselineRecord, names: tuple[str, ...] = ("a", "b"), count: int = N) -> list[str]:
    """Of a task that began with these names and ended with these results."""
    started = made_up(TaskStarted, baselines=list(names)) if names else made_up(TaskStarted)
    trained = made_up(Trained, test_correct=3, test_count=count, test_hits=hits_in_text(np.arange(count) < 3))
    told = [Baselined(task="first", results=list(results))] if results else []
    return list(_checked(started, trained, *told, made_up(TaskFinished, winner=None, full_trainings=1)))


def _checked(*facts: Facts) -> Iterator[str]:
    checker = BaselineChecker(Counter())
    for one in facts:
        yield from checker.check(one)


def test_what_a_life_writes_holds() -> None:
    """Faultless and hopeless ones, one that failed, a large test split, another metric, and a life without any."""
    assert problems(record("a"), record("b", 0)) == []
    assert problems(record("a", N), FAILED) == []
    many = 2 * MOST_COMPARED
    large = replace(record("a"), **{"n": many, "estimate": 0.5})
    low, high = intervals.binomial(many // 2, many)
    hits = hits_in_text(np.arange(many) < many // 2)
    assert _checked_large(replace(large, low=low, high=high, hits=hits), many) == []
    error = replace(record("a"), metric="mae", estimate=3.5, low=3.0, high=4.0, hits=UNSET)
    measured = made_up(TaskStarted, baselines=["a"], metric="mae", target="regression")
    assert list(_checked(measured, Baselined(task="first", results=[error]))) == []
    other = replace(error, estimate=-1.0, low=-2.0)
    assert list(_checked(measured, Baselined(task="first", results=[other]))) == ["baseline a: mae cannot be -1"]
    assert problems(names=()) == []


def test_a_gain_is_of_a_network_of_the_task() -> None:
    """With an interval that holds it, and of another metric than accuracy."""
    error = replace(record("a"), metric="mae", estimate=3.5, low=3.0, high=4.0, hits=UNSET)
    measured = made_up(TaskStarted, baselines=["a"], metric="mae", target="regression")
    trained = made_up(Trained, metric={"name": "mae", "estimate": 1.0, "low": 0.5, "high": 1.5, "n": N})
    gain = GainRecord(digest="d", estimate=0.5, low=0.25, high=0.75)
    for told, expected in (
        (gain, []),
        (replace(gain, low=None, high=None), []),
        (replace(gain, digest="e"), ["baseline a: it is compared with e, which was not trained on this task"]),
        (replace(gain, low=0.6), ["baseline a: the interval of the gain over it does not hold the estimate"]),
    ):
        result = Baselined(task="first", results=[replace(error, gain=told)])
        assert list(_checked(measured, trained, result)) == expected
    (problem,) = problems(replace(record("a"), gain=gain), names=("a",))
    assert problem == "baseline a: a gain in accuracy follows from the bits, and is not recorded"


def _checked_large(result: BaselineRecord, count: int) -> list[str]:
    return problems(result, names=("a",), count=count)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (replace(record("b"), high=0.9), "its interval is not that of 30 of 40"),
        (replace(record("b"), low=None), "its interval is not that of 30 of 40"),
        (replace(record("b"), estimate=0.76), "is that of no number of 40 examples"),
        (replace(record("b"), estimate=31 / 40), "its interval is not that of 31 of 40"),
        (replace(record("b"), low=0.76), "its interval does not hold its estimate"),
        (replace(record("b"), hits="ff"), "it does not say of 40 examples"),
        (replace(record("b"), hits="ff" * 5), "30 of 40 examples are right, and its bits say 40"),
        (replace(record("b"), hits=UNSET), "it does not say which examples it was right about"),
        (replace(record("b"), rows=101), "cannot be fitted on 101 of 100 rows"),
        (replace(record("b"), reason="no"), "either an estimate or a reason"),
        (replace(FAILED, reason=""), "either an estimate or a reason"),
        (replace(FAILED, hits="ff"), "it failed, and yet answered classes"),
        (record("b", 30, 50), "it was tested on 50 examples, the finalists on 40"),
        (replace(record("b"), metric="f1"), "measured by f1, but the task is measured by accuracy"),
        (record("c"), "baselines a, c, but the task began with a, b"),
    ],
)
def test_what_cannot_be_is_named(result: BaselineRecord, message: str) -> None:
    """With the baseline."""
    assert any(message in problem for problem in problems(record("a"), result))


def test_baselines_come_once_and_where_they_were_announced() -> None:
    """Neither left out nor twice, nor of a table."""
    assert problems() == ["it ended without the baselines that it began with: a, b"]
    assert problems(record("a"), names=()) == ["baselines a, but the task began with none"]
    started, told = made_up(TaskStarted, baselines=["a"]), Baselined(task="first", results=[record("a")])
    assert list(_checked(started, told, told)) == ["baselines are recorded a second time on this task"]
    table = made_up(TaskStarted, baselines=["a"], table={"name": "t", "dataset": "d"})
    assert list(_checked(table)) == ["baselines are announced of a task that is only a table"]


def test_bits_of_networks_are_counted_too() -> None:
    """Of finalists and of the hand-designed network."""
    for kind, more in ((Trained, {}), (Compared, {"validation": 0.5})):
        tested = made_up(kind, test_correct=3, test_count=8, test_hits="e0", **more)
        assert list(_checked(made_up(TaskStarted), tested)) == []
        edited = replace(tested, test_hits="f0")
        assert list(_checked(made_up(TaskStarted), edited)) == ["3 of 8 examples are right, and its bits say 4"]
