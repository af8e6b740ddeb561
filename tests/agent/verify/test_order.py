"""Runs, tasks and steps in an order in which they cannot be lived, whatever the certificates say, are named."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.ledger.events import Event, Facts, TaskStarted
from agent.ledger.home import Home
from agent.memory.operators import find_operator
from agent.memory.subcells import find_sub_cell, mined_in_force
from agent.state.state import replay
from agent.verify.order import OrderChecker
from agent.verify.verification import verify
from tests.agent.life.test_life import rebuild
from tests.agent.made_up import changed
from tests.agent.tabular_lives import ledger_of, warm_life

Forgery = Callable[[list[Event[Facts]]], list[Event[Facts]]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of three tasks, in two runs."""
    home = tmp_path_factory.mktemp("order") / "home"
    warm_life(home)
    warm_life(home)
    return home


def problems(events: list[Event[Facts]]) -> list[str]:
    """What the order alone shows."""
    checker = OrderChecker()
    return [problem for event in events for problem in checker.check(event.facts)]


def of(events: list[Event[Facts]], kind: str, number: int = 0) -> int:
    """Where an event of a kind is."""
    return [place for place, event in enumerate(events) if event.kind == kind][number]


def task(events: list[Event[Facts]], number: int) -> list[Event[Facts]]:
    """A whole task."""
    return events[of(events, "task.started", number) : of(events, "task.finished", number) + 1]


def without(events: list[Event[Facts]], part: list[Event[Facts]]) -> list[Event[Facts]]:
    """All others."""
    gone = {event.seq for event in part}
    return [event for event in events if event.seq not in gone]


def after(events: list[Event[Facts]], kind: str, part: list[Event[Facts]], number: int = 0) -> list[Event[Facts]]:
    """With a part laid in behind an event of a kind."""
    place = of(events, kind, number) + 1
    return [*events[:place], *part, *events[place:]]


def renamed(events: list[Event[Facts]]) -> list[Event[Facts]]:
    """Its first task under another name."""
    place = of(events, "task.started")
    started = events[place].facts
    assert isinstance(started, TaskStarted)
    other = replace(events[place], facts=changed(started, task="other"))
    return [*events[:place], other, *events[place + 1 :]]


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "a task twice": (lambda e: after(e, "task.finished", task(e, 0)), "where the stream has two"),
    "a task left out": (lambda e: without(e, task(e, 1)), "where the stream has two"),
    "the last task left out": (lambda e: without(e, task(e, 2)), "after 2 of its 3 tasks"),
    "another task": (renamed, "task other was lived where the stream has one"),
    "a task not finished": (
        lambda e: without(e, [e[of(e, "task.finished")]]),
        "before the one before it was finished",
    ),
    "a task after the run": (lambda e: after(e, "run.finished", task(e, 2)), "a task began outside a run"),
    "a run finished early": (
        lambda e: after(e, "task.finished", [e[of(e, "run.finished")]]),
        "after 1 of its 3 tasks",
    ),
    "a run not finished": (lambda e: without(e, [e[of(e, "run.finished")]]), "a run began before"),
    "an evaluation twice": (lambda e: after(e, "evaluated", [e[of(e, "evaluated")]]), "evaluated a second time"),
    "an evaluation between tasks": (
        lambda e: after(e, "task.finished", [e[of(e, "evaluated")]]),
        "none was being lived",
    ),
}


def test_a_life_as_it_was_lived_or_cut_off_anywhere_is_in_order(home: Path) -> None:
    """Two runs, and every beginning of them."""
    with ledger_of(home) as ledger:
        events = list(ledger.events())
    assert not problems(events)
    assert not any(problems(events[:count]) for count in range(0, len(events), 7))


@pytest.mark.parametrize("name", FORGERIES)
def test_what_cannot_have_been_lived_is_named(home: Path, name: str) -> None:
    """Each forgery by a sentence of its own."""
    forge, message = FORGERIES[name]
    with ledger_of(home) as ledger:
        found = problems(forge(list(ledger.events())))
    assert any(message in problem for problem in found), found


def test_verification_asks_for_the_order(home: Path, tmp_path: Path) -> None:
    """With the chain made whole again."""
    shutil.copytree(home, tmp_path / "home")
    rebuild(tmp_path / "home" / "ledger.db", "DELETE FROM events WHERE kind = 'task.finished'")
    with ledger_of(tmp_path / "home") as ledger:
        found = verify(ledger, Home(tmp_path / "home")).problems
    assert any("a task began before the one before it was finished" in problem for problem in found)


def test_an_empty_digest_revokes_nothing(home: Path) -> None:
    """An unset variable in a shell is not the name of whatever is in force."""
    with ledger_of(home) as ledger:
        state = replay(ledger)
    assert any(mined_in_force(state, space=space, tabular=tabular) for space, tabular in state.mined)
    assert find_sub_cell(state, "") is None
    assert find_operator(state, "") is None
