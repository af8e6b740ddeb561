"""What a network's metric cannot be is found out, and what it is is told by name and in its unit."""

from __future__ import annotations

import msgspec
import pytest

from agent.ledger import events
from agent.ledger.events import UNSET, Count, LedgerError, MetricRecord, Shape, TaskStarted
from agent.report.summary import Accuracy, Estimate, score_of, told_figures
from agent.verify.metrics import kind_of, wrong_metric

R2 = MetricRecord(name="r2", estimate=0.8, low=0.7, high=0.9, n=40)


def started(**changes: object) -> TaskStarted:
    """A regression measured by R²."""
    told = TaskStarted(
        run=1,
        task="prices",
        task_digest="0" * 64,
        shape=Shape(channels=4, size=[], classes=1),
        description=None,
        target="regression",
        metric="r2",
        guard="1" * 64,
        admitted_count=Count(low="1", high="1", exact=True),
        space_count="1",
        recalled=[],
    )
    return msgspec.structs.replace(told, **changes)


def network(**changes: object) -> events.Tested:
    """A network with that metric on 40 examples."""
    told = events.Tested(task="prices", architecture="x", reason="", test_correct=0, test_count=0, params=9, metric=R2)
    return msgspec.structs.replace(told, **changes)


def test_a_sound_metric_has_no_problem() -> None:
    """Nor a failed training without one, nor a task of classes."""
    assert kind_of(started()) == ("regression", [])
    assert list(wrong_metric(network(), started())) == []
    assert list(wrong_metric(network(metric=UNSET, reason="diverged"), started())) == []
    plain = started(target=UNSET, metric=UNSET)
    assert kind_of(plain) == ("classification", [])
    assert list(wrong_metric(network(metric=UNSET, test_correct=3, test_count=4), plain)) == []


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (UNSET, "the task is measured by r2, which is not told"),
        (msgspec.structs.replace(R2, name="mae"), "measured by mae, but the task is measured by r2"),
        (msgspec.structs.replace(R2, low=0.85), "lies outside its own interval"),
        (msgspec.structs.replace(R2, estimate=1.5, high=2.0), "r2 cannot be 1.5"),
    ],
)
def test_a_wrong_metric_is_found_out(metric: MetricRecord, message: str) -> None:
    """Missing, of another name, outside its interval, impossible."""
    (problem,) = wrong_metric(network(metric=metric), started())
    assert message in problem


def test_a_metric_counts_the_examples_that_were_tested() -> None:
    """Where there are counts beside it."""
    auroc = MetricRecord(name="auroc", estimate=0.9, low=0.8, high=0.95, n=40)
    classes = started(target=UNSET, metric="auroc")
    (problem,) = wrong_metric(network(metric=auroc, test_correct=30, test_count=50), classes)
    assert problem == "auroc is of 40 examples, and 50 were tested"


def test_kinds_and_metrics_that_there_are_not() -> None:
    """Each by name."""
    assert kind_of(started(target="ranking", metric=UNSET))[1] == ["its target is 'ranking', which there is not"]
    assert kind_of(started(metric="accuracy"))[1] == ["its metric is 'accuracy', which there is not for regression"]


def test_scores_read_alike_whatever_the_metric() -> None:
    """Accuracy from counts, everything else from its record, nothing where nothing was tested."""
    assert score_of(network(metric=UNSET)) is None
    counted = score_of(network(metric=UNSET, test_correct=3, test_count=4))
    assert isinstance(counted, Accuracy)
    found = score_of(network())
    assert isinstance(found, Estimate)
    assert (found.estimate, found.interval, found.count, str(found)) == (0.8, (0.7, 0.9), 40, "R² 0.800 [0.700, 0.900]")
    assert told_figures("r2", 0.75, 0.8) == "validation score 0.750, test R² 0.800"
    assert network().test == 0.8
    with pytest.raises(LedgerError, match="nothing that is measured"):
        score_of(network(metric=msgspec.structs.replace(R2, name="wit")))
