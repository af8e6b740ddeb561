"""What a task says held it back must be what its events show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agent.ledger import events
from agent.state.limits import limits_of
from agent.verify.meaning.limits import check_limits
from tests.agent.state.test_limits import IMPROVING, SETTLED, task


def problems(scores: list[float], limits: Any) -> list[str]:
    """Of the end of a task with such scores."""
    state: Any = SimpleNamespace(runs=[SimpleNamespace(tasks=[task(scores)])])
    finished = events.TaskFinished(run=1, task="t", evaluations=16, full_trainings=0, winner=None, limits=limits)
    return [*check_limits(state, finished)]


def test_what_the_events_show_is_not_accused() -> None:
    """Nor is an end that tells no limits, as those of earlier releases."""
    assert problems(IMPROVING, limits_of(task(IMPROVING))) == []
    assert problems(SETTLED, []) == []
    assert problems(IMPROVING, events.UNSET) == []


def test_a_limit_hidden_invented_or_changed_is_named() -> None:
    """By name and by number."""
    (true,) = limits_of(task(IMPROVING))
    other = events.Limit(name=true.name, value=0.8, bound=true.bound, count=true.count)
    assert problems(IMPROVING, []) == ["held back by nothing, it says; its events show budget"]
    assert problems(SETTLED, [true]) == ["held back by budget, it says; its events show nothing"]
    assert problems(IMPROVING, [other]) == [
        "what held it back, budget, is told with other numbers than its events give"
    ]
