"""A task that admitted nothing: by how much gates were missed, and what would decide it, on constructed findings."""

from typing import Any

import msgspec
import numpy as np
import pytest

from agent.ledger import events
from agent.report.shortfall import Miss, rises, shortfall
from agent.state.task import TaskState
from audits import Finding
from audits.contract.finding import decide
from selfnas.baselines.paired import hits_in_text
from selfnas.training.intervals import binomial, wilson
from tests.agent.made_up import made_up


def finding(estimate: float | None, low: float, high: float, n: int = 40, **told: Any) -> events.FindingRecord:
    """A recorded finding of `swap.follow`, at most 0.1, whose decision is what its numbers give."""
    told = {"audit": "swap", "subject": "corner", "statistic": "follow", "threshold": 0.1, "side": "ceiling"} | told
    decision = decide(told.pop("side"), estimate, low, high, told["threshold"])
    values = {"estimate": estimate, "low": low, "high": high, "n": n, "decision": decision, "role": "gate", "note": ""}
    return events.FindingRecord(**(values | told))


FOLLOWS = finding(0.23, 0.15, 0.33)
OPEN = finding(0.05, 0.01, 0.15, 60)
SKILL: dict[str, Any] = {
    "audit": "skill", "subject": "", "statistic": "above_chance", "threshold": 0.2, "side": "floor",
}  # fmt: skip


def as_audited(record: events.FindingRecord) -> Finding:
    """The same as audits make it."""
    return Finding.from_record(msgspec.to_builtins(record))


def refused(digest: str, *findings: events.FindingRecord, **trained: Any) -> list[events.Facts]:
    """What the ledger says of a finalist that audits turn away."""
    told = {"reasons": ["why"], "decision": "reject", "digest": digest}
    return [
        made_up(events.Trained, **({"digest": digest, "test_correct": 30, "test_count": 50} | trained)),
        made_up(events.Audited, findings=list(findings), **told),
        made_up(events.Refused, **told),
    ]


def task_of(*facts: events.Facts, finished: bool = True) -> TaskState:
    """A task on which that happened."""
    task = TaskState(index=0, name="first", first=0, started=made_up(events.TaskStarted))
    ended = made_up(events.TaskFinished, evaluations=0, full_trainings=0, winner=None)
    for fact in (*facts, *([ended] if finished else [])):
        task.apply(fact)
    return task


def test_what_was_missed_is_told_with_estimate_interval_and_limit() -> None:
    """Failed gates before open ones, the best finalist first; what keeps nobody out is left out."""
    advice = finding(0.9, 0.8, 1.0, audit="attack", subject="", statistic="accuracy", role="advisory")
    never = finding(None, 0.0, 0.0, 0, audit="trigger", statistic="inapplicable", decision="void")
    found = shortfall(
        task_of(
            *refused("a" * 64, FOLLOWS, validation=0.5),
            *refused("b" * 64, OPEN, FOLLOWS, advice, never, validation=0.7),
            made_up(events.Compared, validation=0.6, test_correct=45, test_count=50, params=99),
        )
    )
    assert found is not None
    assert [one.digest[0] for one in found.finalists] == ["b", "a"]
    assert found.best is found.finalists[0]
    assert str(found.best.misses[0]) == "swap[corner].follow 0.23 [0.15–0.33], at most 0.10: missed by 0.13"
    assert str(found.best.misses[1]) == "swap[corner].follow 0.05 [0.01–0.15], at most 0.10: undecided"
    assert len(found.best.misses) == 2
    assert found.best.test is not None
    assert (found.best.validation, found.best.test.estimate) == (0.7, 0.6)
    assert found.reference is not None
    assert (found.reference.estimate, found.reference_params) == (0.9, 99)
    assert found.deciding[0] == "gate swap[corner].follow: 2 of 2 finalist(s) fail it, the nearest by 0.13"
    assert any("examples: about " in sentence and "would pass if its estimate stays 0.05" in sentence
               for sentence in found.deciding)  # fmt: skip
    assert any("clearly better than the best finalist" in sentence for sentence in found.deciding)


def test_nothing_is_told_of_a_task_that_runs_on_or_let_something_in() -> None:
    """Nor of a table."""
    assert shortfall(task_of(*refused("a" * 64, FOLLOWS), finished=False)) is None
    admitted = [*refused("a" * 64, FOLLOWS)[:2], made_up(events.Admitted, digest="a" * 64)]
    assert shortfall(task_of(*admitted)) is None
    table = events.Table(name="t", dataset="d")
    task = TaskState(index=0, name="first", first=0, started=made_up(events.TaskStarted, table=table))
    task.apply(made_up(events.TaskFinished, evaluations=0, full_trainings=0, winner=None))
    assert shortfall(task) is None


@pytest.mark.parametrize(("right", "n"), [(3, 60), (18, 20), (9, 10), (45, 100), (2, 40)])
def test_so_many_examples_about_decide_a_share(right: int, n: int) -> None:
    """With half as many again and the same share the interval lies on one side, and not with much fewer."""
    low, high = wilson(right, n)
    share, limit = right / n, 0.1
    record = finding(share, low, high, n)
    if record.decision != "inconclusive":
        limit = (share + high) / 2
        record = finding(share, low, high, n, threshold=limit)
    miss = Miss(finding=as_audited(record), side="ceiling")
    wanted = miss.wanted
    assert wanted is not None
    often, seldom = (max(1, round(part * wanted / n)) for part in (1.5, 0.5))
    assert decide("ceiling", share, *wilson(right * often, n * often), limit) != "inconclusive"
    assert decide("ceiling", share, *wilson(right * seldom, n * seldom), limit) == "inconclusive"


def test_a_share_of_nought_takes_fewer() -> None:
    """By the rule of three: 0 of 36 reaches 0.097, and 72 of the same would lie below 0.05."""
    low, high = binomial(0, 36)
    miss = Miss(finding=as_audited(finding(0.0, low, high, 36, threshold=0.05)), side="ceiling")
    assert miss.wanted is not None
    assert binomial(0, miss.wanted)[1] <= 0.051
    assert binomial(0, miss.wanted - 5)[1] > 0.05


def test_no_number_of_examples_is_promised_where_none_would_do() -> None:
    """An estimate on its threshold, and one that was not made; a failed finding needs none."""
    near = shortfall(task_of(*refused("a" * 64, finding(0.0995, 0.05, 0.15))))
    assert near is not None
    assert "too near the limit" in " ".join(near.deciding)
    on_it, none, failed = finding(0.1, 0.0, 0.2), finding(None, 0.0, 1.0, 0), FOLLOWS
    assert [Miss(finding=as_audited(one), side="ceiling").wanted
            for one in (on_it, none, failed)] == [None, None, None]  # fmt: skip
    found = shortfall(task_of(*refused("a" * 64, on_it)))
    assert found is not None
    assert "too near the limit" in " ".join(found.deciding)


def test_a_floor_is_missed_from_below() -> None:
    """The amount is counted on the wrong side alone."""
    skill = finding(0.05, -0.1, 0.15, **SKILL)
    found = shortfall(task_of(*refused("a" * 64, skill)))
    assert found is not None
    assert str(found.finalists[0].misses[0]).endswith("0.05 [-0.10–0.15], at least 0.20: missed by 0.15")


def test_training_is_named_where_its_curve_rises_or_it_failed() -> None:
    """And a failed training comes after all others."""
    rising = [0.1 + 0.02 * epoch for epoch in range(12)]
    found = shortfall(
        task_of(
            *refused("a" * 64, reason="the loss is not finite", validation=0.0, test_count=0, test_correct=0),
            *refused("b" * 64, OPEN, curve=rising, validation=max(rising)),
        )
    )
    assert found is not None
    assert [one.failure for one in found.finalists] == ["", "the loss is not finite"]
    assert found.finalists[1].test is None
    told = " ".join(found.deciding)
    assert "1 of 2 full trainings failed: the loss is not finite" in told
    assert "still rose at the end" in told
    assert not rises(rising + [max(rising)] * 12)


def test_where_nothing_was_trained_rules_and_failures_are_named() -> None:
    """No finalist is not the same as refused finalists."""
    failed = made_up(events.Evaluated, reason="out of memory")
    kept_out = made_up(events.Filtered, rules={"small": 7, "deep": 2}, exhausted=True)
    found = shortfall(task_of(failed, kept_out))
    assert found is not None
    assert found.best is None
    assert any("1 of 1 trainings at low fidelity failed: out of memory" in sentence for sentence in found.deciding)
    assert any(sentence.startswith("rule small: it alone kept 7") for sentence in found.deciding)


def test_a_baseline_that_does_clearly_better_is_named() -> None:
    """There was something to learn; one that does not is passed over."""
    few, most = np.arange(100) < 30, np.arange(100) < 90
    results = [
        events.BaselineRecord(
            name=name, metric="accuracy", estimate=float(hits.mean()), low=None, high=None, n=100, rows=9, at_hand=9,
            hits=hits_in_text(hits), reason="",
        )
        for name, hits in (("forest", most), ("nearest", few))
    ]  # fmt: skip
    trained = refused("a" * 64, OPEN, test_correct=30, test_count=100, test_hits=hits_in_text(few))
    found = shortfall(task_of(*trained, events.Baselined(task="first", results=results)))
    assert found is not None
    assert [one for one in found.deciding if one.startswith("baseline: ")] == [
        "baseline: random forest has 90.0, clearly better than the best finalist"
    ]
