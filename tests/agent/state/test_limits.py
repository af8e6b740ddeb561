"""What held a task back is named where its numbers pass their bounds, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from agent.ledger import events
from agent.state.limits import LIMITS, limit_sentence, limits_of
from agent.state.task import TaskState
from tests.agent.made_up import made_up

CELL = "nb201/c{channels}n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|"
IMPROVING = [0.1, 0.2, 0.15, 0.3, 0.35, 0.3, 0.4, 0.45, 0.4, 0.5, 0.5, 0.55, 0.5, 0.6, 0.7, 0.65]
SETTLED = [0.1, 0.2, 0.15, 0.3, 0.35, 0.3, 0.4, 0.75, 0.4, 0.5, 0.5, 0.55, 0.5, 0.6, 0.7, 0.65]


def task(scores: list[float], *, channels: list[int] | None = None, **told: Any) -> TaskState:
    """A task with such scores."""
    started = made_up(events.TaskStarted, shape=events.Shape(channels=1, size=[8, 8], classes=2))
    found = TaskState.begun(started, index=0, first=1, before=None)
    for place, score in enumerate(scores):
        cell = CELL.format(channels=channels[place] if channels else 4)
        found.evaluations.append(
            made_up(events.Evaluated, architecture=cell, digest=str(place), score=score, fidelity="low")
        )
    for name, value in told.items():
        setattr(found, name, value)
    return found


def agreement(correlation: float, noise: float) -> events.Agreement:
    """Of repeated scores."""
    return events.Agreement(fidelity="low", architectures=8, correlation=correlation, noise=noise, raised=False)


def names(found: TaskState) -> list[str]:
    """Of the limits."""
    return [one.name for one in limits_of(found)]


def test_a_search_that_settled_is_held_back_by_nothing() -> None:
    """Its best came before the last quarter, and its later scores are better than its earlier ones."""
    assert names(task(SETTLED)) == []


@pytest.mark.parametrize(
    ("found", "name", "value"),
    [
        (task(IMPROVING), "budget", 15 / 16),
        (task(SETTLED[::-1]), "model", 0.132812),
        (task(SETTLED, agreements=[agreement(0.3, 0.01)]), "fidelity", 0.3),
        (task(SETTLED, agreements=[agreement(0.9, 0.17)]), "noise", 0.905786),
        (task(SETTLED, channels=[4] * 7 + [8] + [4] * 5 + [8] * 3), "space", 1.0),
    ],
)
def test_a_limit_is_named_with_what_shows_it(found: TaskState, name: str, value: float) -> None:
    """The value passes the bound; the sentence holds both in words."""
    (limit,) = limits_of(found)
    assert (limit.name, limit.value) == (name, pytest.approx(value, abs=1e-5))
    assert limit.name in LIMITS
    assert limit_sentence(limit).startswith(
        {"model": "what proposes"}.get(name, name if name == "noise" else f"the {name}")
    )


def test_a_budget_was_enough_where_nothing_more_could_be_proposed() -> None:
    """Or nothing is left to tell apart."""
    assert names(task(IMPROVING, exhausted=True)) == []
    assert names(task([*IMPROVING[:-2], 1.0, 1.0])) == []


def test_finalists_that_stay_undecided_want_examples() -> None:
    """Refused ones do not."""
    trained = made_up(events.Trained, digest="a")
    for decision, wanted in (("undecided", ["examples"]), ("fail", [])):
        found = task(SETTLED)
        found.apply(trained)
        found.finalists[0].audited = made_up(events.Audited, digest="a", decision=decision)
        assert names(found) == wanted


def test_every_sentence_can_be_said() -> None:
    """An unknown name, of a later release, is told as it is."""
    for name in LIMITS:
        assert "{" not in limit_sentence(events.Limit(name=name, value=0.5, bound=0.1, count=7))
    assert limit_sentence(events.Limit(name="weather", value=0.5, bound=0.1, count=7)) == "weather"
