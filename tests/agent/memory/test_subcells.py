"""Mined sub-cells in a life: recorded, used, the same after a stop, re-checked, revoked."""

import sqlite3
import time
from pathlib import Path

import pytest

from agent.ledger.events import Event, Facts, SubcellsMined
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.memory.subcells import blocks_in_force, find_sub_cell, mined_in_force
from agent.report.figures import gather
from agent.report.page import render
from agent.report.uses import uses_of
from agent.state.state import LifeState, replay
from agent.verify.verification import verify
from selfnas.errors import InputError
from tests.agent.interrupted import live_interrupted
from tests.agent.tabular_lives import ledger_of, live

STREAM = """\
stream: mining
format: 1
budget: {evaluations: 24, full_trainings: 2}
policy: {population: 8, sample: 4, batch: 8, recall: 0, implant_percent: 50}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
  - {name: three, source: table, dataset: c}
  - {name: four, source: table, dataset: a}
"""

FORGED = """UPDATE events SET payload = replace(payload, '"gain":', '"gain":9') WHERE kind = 'subcells.mined'"""
DAMAGED = """UPDATE events SET payload = replace(payload, '"text":"TEXT"', '"text":"in0-conv3x3>"')
WHERE kind = 'subcells.mined'"""


def events(home: Path) -> list[Event[Facts]]:
    """Every event of a life."""
    with ledger_of(home) as ledger:
        return list(ledger.events())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of four tasks on tables that builds with what it mined."""
    home = tmp_path_factory.mktemp("mined") / "home"
    live(home, text=STREAM)
    return home


@pytest.fixture
def state(home: Path) -> LifeState:
    """Its state."""
    with ledger_of(home) as ledger:
        return replay(ledger)


def test_what_winners_share_is_recorded_used_and_verified(home: Path, state: LifeState) -> None:
    """A list before the last task, cells of the last that contain its entries, and a verification that agrees."""
    mined = mined_in_force(state, space="nb201", tabular=True)
    assert mined
    assert all(one.low > 0 and len(one.tasks) >= 2 and one.support >= one.winners / 4 for one in mined)
    lists = [event.facts for event in events(home) if isinstance(event.facts, SubcellsMined)]
    assert lists[0].task in ("two", "three")
    early = [record.digest for record in lists[0].subcells]
    known = [found for digest in early if (found := find_sub_cell(state, digest))]
    uses = [use for one, _ in known for use in uses_of(state, one.sub_cell, tabular=True)]
    assert any(use.task == "four" and use.holding > 1 for use in uses)
    with ledger_of(home) as ledger:
        result = verify(ledger, Home(home))
    assert not result.problems
    assert result.checked["lists of sub-cells"] == len(lists)


def test_a_life_stopped_at_any_step_mines_the_same(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before every fifth transaction in turn, the finished ledger equals the uninterrupted one."""
    live_interrupted(lambda: live(tmp_path / "home", text=STREAM), Life, monkeypatch, steps=5)
    assert events(tmp_path / "home") == events(home)


def test_a_forged_list_is_found(home: Path, tmp_path: Path) -> None:
    """A larger gain, written into the events with the chain made whole again, is not what the trials give."""
    from tests.agent.life.test_life import rebuild

    copy = copied(home, tmp_path)
    rebuild(copy / "ledger.db", FORGED)
    with ledger_of(copy) as ledger:
        problems = verify(ledger, Home(copy)).problems
    assert any("not what the trials before it give" in problem for problem in problems)


def test_a_damaged_sub_cell_costs_a_building_block_and_nothing_else(home: Path, tmp_path: Path) -> None:
    """An entry whose text does not fit its digest is passed over; the others stay in force."""
    from tests.agent.life.test_life import rebuild

    copy = copied(home, tmp_path)
    with ledger_of(copy) as ledger:
        before = blocks_in_force(replay(ledger), space="nb201", tabular=True)
    gone = before[0]
    rebuild(copy / "ledger.db", DAMAGED.replace("TEXT", gone.text))
    with ledger_of(copy) as ledger:
        assert blocks_in_force(replay(ledger), space="nb201", tabular=True) == before[1:]


def test_a_revoked_sub_cell_is_out_of_use_for_good(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is listed with author and reason, not found any more, and not mined again in the next run."""
    from agent.commands.motifs import list_sub_cells, revoke, show_sub_cell

    copy = copied(home, tmp_path)
    with ledger_of(copy) as ledger:
        gone = blocks_in_force(replay(ledger), space="nb201", tabular=True)[0]
    assert show_sub_cell(copy, gone.digest[:10])
    assert (copy / "report" / "subcells" / f"{gone.digest[:12]}.png").read_bytes().startswith(b"\x89PNG")
    revoke(copy, gone.digest[:10], author="Ann", reason="cannot be <explained>")
    assert not show_sub_cell(copy, gone.digest[:10])
    list_sub_cells(copy)
    assert "revoked by Ann: cannot be <explained>" in capsys.readouterr().out
    with pytest.raises(InputError, match="no mined sub-cell in force"):
        revoke(copy, gone.digest[:10], author="Ann", reason="again")
    after = live(copy, text=STREAM)
    assert gone not in blocks_in_force(after, space="nb201", tabular=True)
    with ledger_of(copy) as ledger:
        assert not verify(ledger, Home(copy)).problems


def test_the_report_shows_sub_cells_and_where_they_were_used(home: Path, state: LifeState) -> None:
    """Text, gain with interval and the tasks in which it was evaluated."""
    with ledger_of(home) as ledger:
        evidence = gather(ledger)
    page = render(evidence)
    one = mined_in_force(state, space="nb201", tabular=True)[0]
    assert one.sub_cell.digest[:12] in page
    assert "percentile points" in page
    assert "four, run 1: in " in page
    assert [task.with_memory for task in evidence.tasks][0::3] == [False, True]


def copied(home: Path, place: Path) -> Path:
    """A copy of a home that may be changed."""
    (place / "home").mkdir(parents=True)
    with sqlite3.connect(home / "ledger.db") as source, sqlite3.connect(place / "home" / "ledger.db") as target:
        source.backup(target)
    target.close()
    source.close()
    with Ledger(place / "home" / "ledger.db", clock=time.time):
        pass
    return place / "home"
