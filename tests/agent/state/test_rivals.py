"""What is said of baselines beside a winner: better or worse only where the interval says so."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from agent.commands.console import results_table
from agent.ledger.events import (
    UNSET,
    Admitted,
    Audited,
    Baselined,
    BaselineRecord,
    GainRecord,
    LedgerError,
    Refused,
    RunStarted,
    TaskFinished,
    TaskStarted,
    Trained,
)
from agent.mirror.records import task_record
from agent.report.summary import summarise
from agent.state.rivals import best_rival, rival_sentences, rivals
from agent.state.state import RunState, TaskState
from audits import load_suite
from selfnas.baselines.paired import hits_in_text
from selfnas.training import intervals
from tests.agent.made_up import made_up

N = 400


def right(share: float, *, start: int = 0) -> NDArray[np.bool_]:
    """`(N,)` as many right as that, from one place on."""
    return np.roll(np.arange(N) < round(share * N), start)


def record(name: str, answers: NDArray[np.bool_], **told: object) -> BaselineRecord:
    """Of a baseline with these answers."""
    low, high = intervals.binomial(int(answers.sum()), N)
    facts: dict[str, object] = {
        "name": name, "metric": "accuracy", "estimate": float(answers.mean()), "low": low, "high": high, "n": N,
        "rows": 90, "at_hand": 90, "hits": hits_in_text(answers), "reason": "",
    }  # fmt: skip
    return BaselineRecord(**{**facts, **told})  # type: ignore[arg-type]


FAILED = {"estimate": None, "low": None, "high": None, "hits": UNSET, "reason": "ValueError: no"}


def ended(winner: NDArray[np.bool_] | None, *results: BaselineRecord, admitted: bool = True) -> RunState:
    """A run of one task, whose only finalist has these answers."""
    task = TaskState(index=0, name="first", first=1, started=made_up(TaskStarted))
    if winner is not None:
        hits, correct = hits_in_text(winner), int(winner.sum())
        task.apply(made_up(Trained, test_correct=correct, test_count=N, test_hits=hits))
        task.apply(made_up(Audited))
        task.apply(made_up(Admitted) if admitted else made_up(Refused, decision="reject"))
    if results:
        task.apply(Baselined(task="first", results=list(results)))
    task.apply(made_up(TaskFinished, winner="d", full_trainings=1))
    run = RunState(number=1, started=made_up(RunStarted))
    run.tasks.here.append(task)
    return run


@pytest.mark.parametrize(
    ("share", "verdict", "sentence"),
    [
        (0.95, "gain", "first: better than the best baseline (random forest) by 5.0 points [2.7, 7.2]"),
        (0.85, "loss", "first: the random forest is better, by 5.0 points [2.7, 7.2]"),
        (0.905, "open", "first: not told apart from the best baseline (random forest): they differ by 0.5 points"),
    ],
)
def test_a_difference_is_called_one_only_where_the_interval_says_so(share: float, verdict: str, sentence: str) -> None:
    """On the same examples; not by comparing two intervals."""
    run = ended(right(share), record("constant", right(0.1)), record("forest", right(0.9)))
    (task,) = run.tasks
    best = best_rival(task)
    assert best is not None
    assert (best.record.name, best.verdict) == ("forest", verdict)
    assert next(rival_sentences(run)).startswith(sentence)


def test_the_same_accuracies_are_told_apart_by_which_examples_they_are_of() -> None:
    """Discordant examples widen the interval, whatever the two shares are."""
    same = rivals(next(iter(ended(right(0.92), record("forest", right(0.9))).tasks)))[0]
    other = rivals(next(iter(ended(right(0.92), record("forest", right(0.9, start=40))).tasks)))[0]
    assert same.gain is not None
    assert other.gain is not None
    assert same.gain.estimate == pytest.approx(other.gain.estimate)
    assert (same.verdict, other.verdict) == ("gain", "open")


def test_a_failed_one_is_never_the_best_and_is_told() -> None:
    """So is one that was fitted on fewer rows than there are."""
    run = ended(right(0.9), record("forest", right(0.9), **FAILED), record("linear", right(0.5), rows=40))
    assert list(rival_sentences(run))[1:] == [
        "first: random forest: ValueError: no",
        "first: linear model: fitted on 40 of 90 rows",
    ]
    best = best_rival(next(iter(run.tasks)))
    assert best is not None
    assert best.record.name == "linear"


def test_without_a_winner_the_baselines_stand_alone() -> None:
    """And without baselines there is a dash."""
    run = ended(right(0.5), record("forest", right(0.9)), admitted=False)
    assert list(rival_sentences(run)) == ["first: nothing admitted; the random forest has 90.0"]
    assert list(rival_sentences(ended(right(0.9)))) == []
    assert summarise(next(iter(ended(right(0.9)).tasks))).rival is None


def test_of_losses_the_lowest_is_the_best() -> None:
    """By the direction of the metric; the difference is the recorded one, if it is of this very network."""
    losses = {"forest": 2.0, "linear": 1.0}
    gain = {"digest": "d", "estimate": -0.5, "low": -0.75, "high": -0.25}
    for digest, told in (("d", "−0.500 [−0.750, −0.250]"), ("other", "–")):
        results = [
            record(
                name, right(0.5), metric="mae", estimate=loss, hits=UNSET, gain=GainRecord(**{**gain, "digest": digest})
            )
            for name, loss in losses.items()
        ]
        run = ended(right(0.9), *results)
        best = best_rival(next(iter(run.tasks)))
        assert best is not None
        assert (best.record.name, best.difference) == ("linear", told)
        if digest == "d":
            said = "first: the linear model is better, by 0.500 in mean absolute error [0.250, 0.750]"
            assert list(rival_sentences(run)) == [said]
            assert best.figures["gain_low"] == -0.75


def test_answers_on_other_examples_are_refused() -> None:
    """As no ledger of a life has them."""
    run = ended(right(0.9), record("forest", right(0.9), n=N - 9))
    with pytest.raises(LedgerError, match="baseline forest of task first cannot be compared"):
        list(rival_sentences(run))


def test_the_result_table_fits_eighty_columns() -> None:
    """With names and numbers as long as they come."""
    run = ended(right(0.95), record("nearest_dtw", right(0.9)))
    console = Console(file=io.StringIO(), width=80)
    console.print(results_table(run))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("first" in line and "+5.0 [2.7, 7.2]" in line and "90.0" in line for line in lines)
    assert any("nearest_dtw" in line for line in lines)


def test_mlflow_has_every_baseline() -> None:
    """By name, with the gain over the best; and nothing new for lives without them."""
    run = ended(right(0.95), record("constant", right(0.1)), record("forest", right(0.9)))
    task = next(iter(run.tasks))
    found = task_record(run, task, load_suite("baseline"), key="k")
    values = {name: value for name, value, _ in found.metrics}
    assert (values["baseline.constant"], values["baseline.forest"], values["baseline_test"]) == (0.1, 0.9, 0.9)
    assert values["gain"] == pytest.approx(0.05)
    assert values["gain_low"] < 0.05 < values["gain_high"]
    assert (found.tags["best_baseline"], found.tags["against_baseline"]) == ("random forest", "gain")
    old = ended(right(0.95))
    tags = task_record(old, next(iter(old.tasks)), load_suite("baseline"), key="k").tags
    assert not {"best_baseline", "against_baseline"} & set(tags)
