"""A snapshot is never believed against the ledger: what was edited in it is refused where it is used, and found."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from agent.ledger.events import LedgerError, RunStarted, TaskFinished, TaskStarted
from agent.ledger.store import Ledger
from agent.state.opening import recollect
from agent.state.state import replay
from agent.verify.snapshot import check_snapshot
from tests.agent.made_up import blank
from tests.agent.state.test_opening import contents, written


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a ledger and its snapshot."""
    place = tmp_path_factory.mktemp("lived")
    with written(place / "ledger.db", 1) as ledger:
        recollect(ledger, place / "snapshot.db").close()
    return place


def edited(lived: Path, place: Path, statement: str) -> Path:
    """A copy of the snapshot after one statement of SQL."""
    path = Path(shutil.copy(lived / "snapshot.db", place))
    with sqlite3.connect(path) as db:
        assert db.execute(statement).rowcount != 0
    db.close()
    return path


@pytest.mark.parametrize(
    ("statement", "found", "hidden"),
    [
        ("UPDATE motifs SET validation = 1.0", "motif .* was edited", False),
        ("UPDATE motifs SET review = 'approved'", "motif .* was edited", False),
        ("UPDATE motifs SET weights_sha256 = '0'", "motif .* was edited", False),
        ("UPDATE motifs SET shape = '[]'", "motif .* was edited", False),
        ("UPDATE motifs SET seq = seq + 1000", "motif .* is not of the ledger", False),
        ("DELETE FROM motifs WHERE seq = (SELECT min(seq) FROM motifs)", "motif .* is missing", True),
        ("UPDATE described SET digest = 'x'", "motif .* was edited", False),
        ("UPDATE described SET best = NULL", "described task .* was edited", True),
        ("UPDATE described SET point = x'00'", "cannot be read|descriptions of tasks|not a task description", True),
        ("UPDATE tasks SET last = last - 1", "task 1/task0 was edited", False),
        ("UPDATE tasks SET name = 'other'", "task 1/other is not of the ledger", False),
        ("UPDATE tasks SET first = 1, last = 2", "task 1/task0 was edited", False),
        ("DELETE FROM tasks WHERE run = 2 AND place = 2", "task 2/task2 is missing", True),
        ("UPDATE upto SET hash = 'x'", "another history", False),
        ("UPDATE upto SET events = events - 3", "another history", False),
    ],
)
def test_an_edited_snapshot_is_found_and_never_gives_what_the_ledger_does_not_say(
    lived: Path, tmp_path: Path, statement: str, found: str, hidden: bool
) -> None:
    """Verification names each; a motif or task that the events do not have is not handed out."""
    path = edited(lived, tmp_path / "snapshot.db", statement)
    with Ledger(lived / "ledger.db", clock=lambda: 1.0) as ledger:
        assert re.search(found, "\n".join(check_snapshot(ledger, path)))
        true, state = replay(ledger), recollect(ledger, path)
        refusal, seen = "", None
        try:
            seen, motifs = contents(state), {motif.seq for motif in state.library}
        except LedgerError as error:
            refusal = str(error)
        if hidden:
            assert motifs <= {motif.seq for motif in true.library}
        else:  # using it is refused, or opening it saw that it does not fit and made it again
            assert seen == contents(true) or re.search("remove this file|can be removed", refusal)
        state.close()


def test_a_task_of_no_events_is_refused(tmp_path: Path) -> None:
    """A snapshot that lets a task end before it begins names nothing; who asks for the task is told what to do."""
    path = tmp_path / "snapshot.db"
    with Ledger(tmp_path / "ledger.db", clock=lambda: 1.0) as ledger:
        ledger.append([blank(RunStarted), blank(TaskStarted), blank(TaskFinished)])
        recollect(ledger, path).close()
        with sqlite3.connect(path) as db:
            assert db.execute("UPDATE tasks SET last = first - 1").rowcount == 1
        db.close()
        state = recollect(ledger, path)
        with pytest.raises(LedgerError, match="events 1 to 0 are not task '' of run 1: remove this file"):
            _ = state.runs[0].tasks[0]
        state.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE upto SET hash = 'x'", "UPDATE upto SET events = events - 3", "PRAGMA user_version = 9", "garbage"],
)
def test_a_snapshot_of_something_else_is_made_again(lived: Path, tmp_path: Path, statement: str) -> None:
    """Another history, another format, no database: the life opens as if there had been none."""
    path = tmp_path / "snapshot.db"
    if statement == "garbage":
        path.write_bytes(b"garbage" * 999)
    else:
        edited(lived, path, statement)
    with Ledger(lived / "ledger.db", clock=lambda: 1.0) as ledger:
        state = recollect(ledger, path)
        assert contents(state) == contents(replay(ledger))
        state.close()
        assert list(check_snapshot(ledger, path)) == []


def test_a_snapshot_of_an_earlier_release_is_no_fault_of_a_life(lived: Path, tmp_path: Path) -> None:
    """Nothing reads it, so it accuses nobody; it is made again as soon as the life goes on."""
    path = edited(lived, tmp_path / "snapshot.db", "PRAGMA user_version = 1")
    with Ledger(lived / "ledger.db", clock=lambda: 1.0) as ledger:
        assert list(check_snapshot(ledger, path)) == []
        state = recollect(ledger, path)
        assert contents(state) == contents(replay(ledger))
        state.close()
        for statement in ("user_version = 4", "user_version = 0", "application_id = 7"):
            other = edited(lived, tmp_path / "other.db", f"PRAGMA {statement}")
            assert re.search("cannot be read", "\n".join(check_snapshot(ledger, other)))
            other.unlink()


def test_what_an_attempt_did_not_settle_is_folded_in_anew(lived: Path, tmp_path: Path) -> None:
    """A life that is cut off inside a task leaves the snapshot at the end of the task before."""
    with Ledger(lived / "ledger.db", clock=lambda: 1.0) as whole:
        events = list(whole.events())
    last = max(event.seq for event in events if event.kind == "task.finished")
    with Ledger(tmp_path / "ledger.db", clock=lambda: 1.0) as ledger:
        ledger.append([event.facts for event in events[: last - 5]])
        state = recollect(ledger, tmp_path / "snapshot.db")
        for event in ledger.append([event.facts for event in events[last - 5 : last]]):
            state.apply(event)
        state.close()
        with sqlite3.connect(tmp_path / "snapshot.db") as db:
            (upto,) = db.execute("SELECT events FROM upto").fetchone()
        db.close()
        assert 0 < upto < last - 5
        state = recollect(ledger, tmp_path / "snapshot.db")
        assert contents(state) == contents(replay(ledger))
        state.close()


def test_opening_from_a_snapshot_reads_few_events(lived: Path, tmp_path: Path) -> None:
    """Decisions alone, and none of what finished tasks hold."""
    path = Path(shutil.copy(lived / "snapshot.db", tmp_path))
    with Ledger(lived / "ledger.db", clock=lambda: 1.0) as ledger:
        asked: list[str] = []
        ledger._db.set_trace_callback(asked.append)
        recollect(ledger, path).close()
        ledger._db.set_trace_callback(None)
        reading = [query for query in asked if "payload" in query]
        plans = [str(ledger._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()) for query in reading]
    assert any("USING INDEX decisions" in plan for plan in plans)
    assert all("INDEX" in plan or "PRIMARY KEY" in plan for plan in plans)


def test_something_else_in_place_of_a_snapshot_is_found(tmp_path: Path) -> None:
    """A folder, or a link wherever it leads, is none of this home; where there is nothing, nothing is wrong."""
    path = tmp_path / "snapshot.db"
    with Ledger(tmp_path / "ledger.db", clock=lambda: 0.0) as ledger:
        assert not list(check_snapshot(ledger, path))
        path.mkdir()
        assert list(check_snapshot(ledger, path)) == [
            "snapshot.db is no file of this home: remove it, it is rebuilt from the ledger"
        ]
        path.rmdir()
        path.symlink_to(tmp_path / "nowhere")
        assert len(list(check_snapshot(ledger, path))) == 1
