"""Every trial with where it came from, where the time went, and several lives side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.desk.cells import difference, distance, read
from agent.desk.lineage import ancestry, origins
from agent.desk.trials import Wanted, time_rows
from agent.desk.view import View
from agent.ledger.store import reading
from agent.state.state import LifeState, replay
from tests.agent.conftest import GOLDEN, inside
from tests.agent.desk.conftest import Visitor
from tests.agent.desk.test_queue import plain
from tests.golden.stored_home import rebuild


@pytest.fixture
def state(home: Path) -> LifeState:
    """Of the stored life."""
    with reading(home) as ledger:
        return replay(ledger)


def test_every_trial_has_an_origin_that_holds(state: LifeState) -> None:
    """Recalled ones say from where; a searched one names the likest earlier trial, and just the edges that differ."""
    seen = set()
    for _, task in state.tasks():
        found = origins(task)
        assert [one.number for one in found] == list(range(1, len(task.evaluations) + 1))
        for origin, evaluated in zip(found, task.evaluations, strict=True):
            seen.add(evaluated.origin)
            if evaluated.origin == "recalled":
                (given,) = {one.from_task for one in task.started.recalled if one.digest == evaluated.digest}
                assert f"recalled from {given}, run " in origin.said
            if origin.parent is None:
                continue
            assert origin.parent < origin.number
            own, parent = read(evaluated.architecture), read(task.evaluations[origin.parent - 1].architecture)
            assert own is not None
            assert parent is not None
            changes = list(difference(parent, own))
            assert len(changes) == distance(parent, own)
            assert origin.said.endswith("; ".join(changes)) or origin.said.startswith(("trained again", "like trial"))
            if origin.inferred and origin.said.startswith("like"):
                earlier = [read(one.architecture) for one in task.evaluations[: origin.number - 1]]
                apart = [distance(one, own) for one in earlier if one is not None]
                assert len(changes) == min(one for one in apart if one is not None)
    assert {"searched", "recalled"} <= seen


def test_ancestry_ends_where_something_began(state: LifeState) -> None:
    """Of every finalist, back to a trial that was like none before it."""
    for _, task in state.tasks():
        for finalist in task.finalists:
            chain = ancestry(task, finalist.digest)
            numbers = [int(re.findall(r"^trial (\d+)", one)[0]) for one in chain]
            assert numbers == sorted(numbers, reverse=True)
            assert re.search(r"recalled|drawn|published|best scores", chain[-1])


def test_trials_are_listed_filtered_and_sorted(visitor: Visitor, state: LifeState) -> None:
    """All on the first page; by task, origin and text; by score, the best first."""
    total = sum(len(task.evaluations) for _, task in state.tasks())
    page = visitor.ask("/trials").text
    assert f"{total} of {total} trials" in plain(page)
    assert page.count('<tr id="r') == total
    _, task = next(state.tasks())
    page = visitor.ask(f"/trials?run=1&task={task.name}&sort=score").text
    scores = [float(found) for found in re.findall(r'</td>\n<td class="number">([\d.]+)</td>', page)]
    assert len(scores) == len([one for one in task.evaluations if one.score is not None])
    assert scores == sorted(scores, reverse=True)
    recalled = sum(one.origin == "recalled" for _, task in state.tasks() for one in task.evaluations)
    assert f"{recalled} of {total} trials" in plain(visitor.ask("/trials?origin=recalled").text)
    assert f"0 of {total} trials" in plain(visitor.ask("/trials?text=nowhere-to-be-found").text)


def test_pages_hold_two_hundred_rows() -> None:
    """The last one the rest; an address beyond shows the last."""
    rows = [{"number": number} for number in range(450)]
    assert [row["number"] for row in Wanted(page=3).on_page(rows)[0]] == list(range(400, 450))
    assert Wanted(page=9).on_page(rows) == Wanted(page=3).on_page(rows)
    assert Wanted.of({"page": "0", "sort": "x"}) == Wanted()
    assert Wanted.of({"page": "2", "task": "a", "down": "1"}).query(page=1) == "task=a&down=1"


def test_the_time_of_tasks_is_that_of_the_life(home: Path, visitor: Visitor) -> None:
    """No more than passed between the first event of a task and the first of the next."""
    with View(home).opened() as seen:
        times, rows = seen.times(), time_rows(seen)
        tasks = [task for run in seen.state.runs for task in run.tasks]
    for row, task in zip(rows, tasks, strict=True):
        assert row["whole"] == pytest.approx(sum(seconds for _, seconds in row["parts"]))
        assert 0 <= row["whole"] <= max(times.values()) - times[task.first] + 60
    assert "Where the time went" in plain(visitor.ask("/trials").text)


def test_lives_stand_side_by_side(visit: Callable[..., Visitor], home: Path, tmp_path: Path) -> None:
    """A life and its copy differ in nothing, by an interval round zero; a task that one of them lacks is not lived."""
    for name in ("one", "other"):
        rebuild(GOLDEN / "rivalled", tmp_path / name)
    text = plain(visit(view=View(tmp_path / "one"), beside=[View(tmp_path / "other"), View(home)]).ask("/compare").text)
    assert "3 lives side by side" in text
    assert re.search(r"[+−]0\.0 \[−\d", text)
    assert "not lived" in text
    alone = plain(visit().ask("/compare").text)
    assert "1 life" in alone
    done = inside(tmp_path, "ui", "--home", home, "--no-mlflow", "--beside", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "there is no ledger here" in done.stderr
