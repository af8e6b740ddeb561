"""Databases that are not what we make are refused before they are read: tables, views and triggers of others."""

import sqlite3
import sys
from pathlib import Path

import pytest

from agent.ledger.events import LedgerError, PolicyKept, RunFinished
from agent.ledger.snapshot import Snapshot
from agent.ledger.store import GENESIS, Ledger, event_hash
from agent.verify.snapshot import check_snapshot
from selfnas.errors import InputError
from tests.agent.made_up import blank, put_in

_FIELDS = "seq, 'a' AS kind, '{}' AS payload, '' AS previous, '' AS hash"
ENDLESS = f"WITH RECURSIVE n(seq) AS (SELECT 0 UNION ALL SELECT seq + 1 FROM n) SELECT {_FIELDS} FROM n"  # noqa: S608
FORGED = {
    "endless view": (f"DROP TABLE events; CREATE VIEW events AS {ENDLESS}", "its view 'events' is not ours"),
    "other columns": (
        "DROP TABLE clock; CREATE TABLE clock (seq INTEGER PRIMARY KEY, unix_seconds REAL)",
        "its table 'clock' is not ours",
    ),
    "another trigger": (
        "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM clock; END",
        "its trigger 't' is not ours",
    ),
    "no clock": ("DROP TABLE clock", "it has no table 'clock'"),
}


def opened(path: Path, *, read_only: bool = False) -> Ledger:
    """A ledger whose clock stands still."""
    return Ledger(path, clock=lambda: 0.0, read_only=read_only)


def forged(path: Path, script: str) -> Path:
    """A file after some statements."""
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()
    return path


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("read_only", [True, False])
def test_a_ledger_with_tables_of_others_is_refused_unread(name: str, read_only: bool, tmp_path: Path) -> None:
    """In one sentence, for reading and for writing; the file stays as it was."""
    script, message = FORGED[name]
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        ledger.append([RunFinished(tasks=1)])
    forged(path, f"PRAGMA journal_mode = DELETE; {script}")
    before = path.read_bytes()
    with pytest.raises(InputError, match=message):
        opened(path, read_only=read_only)
    assert path.read_bytes() == before


def test_a_snapshot_with_tables_of_others_is_found_and_made_again(tmp_path: Path) -> None:
    """It is derived: what cannot be it costs nothing but making it anew."""
    path = tmp_path / "snapshot.db"
    Snapshot(path).close()
    forged(path, f"DROP TABLE motifs; CREATE VIEW motifs AS {ENDLESS}")
    with opened(tmp_path / "ledger.db") as ledger:
        assert list(check_snapshot(ledger, path)) == ["snapshot.db cannot be read: its view 'motifs' is not ours"]
    snapshot = Snapshot(path)
    assert snapshot.ask("SELECT count(*) FROM motifs") == [(0,)]
    snapshot.close()


DEEP = "[" * 200_000 + "]" * 200_000
ROWS = {
    "deep": ("policy.kept", f'{{"base":{{"a":{DEEP}}}}}', "recursion"),
    "no object": ("policy.kept", "[]", "Expected `object`, got `array`"),
    "of no kind": ("a", "{}", "no event of such a kind"),
}


@pytest.mark.parametrize("name", ROWS)
def test_an_event_that_is_not_one_is_named(name: str, tmp_path: Path) -> None:
    """JSON nested without measure, JSON that is no object, and an unknown kind, with a chain that fits."""
    kind, payload, message = ROWS[name]
    with opened(tmp_path / "ledger.db") as ledger:
        put_in(ledger, kind, payload)
        with pytest.raises(LedgerError, match=rf"event 0 \({kind}\) is no event of ours: .*{message}"):
            list(ledger.events(checked=True))
        assert not list(ledger.broken_links())


def test_nesting_that_can_be_read_and_hardly_written_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    """Up to the deepest JSON that can be read: it is written again to check its form, which takes more of the stack."""
    deepest = sys.getrecursionlimit()
    whole, found = blank(PolicyKept, base={"a": "here"}).to_json(), set()
    with opened(tmp_path / "ledger.db") as ledger:
        ledger._db.executescript("PRAGMA synchronous = OFF; DROP TRIGGER events_stay")
        for depth in range(deepest - 150, deepest):
            put_in(ledger, "policy.kept", whole.replace('"here"', "[" * depth + "]" * depth))
            found |= set(ledger.broken_links())
            ledger._db.execute("DELETE FROM events")
    assert all("event 0 or what follows it cannot be read: maximum recursion" in problem for problem in found)


def test_rows_out_of_order_end_the_reading(tmp_path: Path) -> None:
    """A damaged tree of pages can hand out the same rows for ever; numbers that do not rise are the sign of it."""

    class Again:
        """Hands out one row without end, as such a tree would."""

        def execute(self, query: str, bounds: tuple[int, ...] = ()) -> object:
            """Any question."""
            kind, payload = "run.finished", '{"tasks":0}'
            row = (0, kind, payload, GENESIS, event_hash(0, kind, payload, GENESIS))
            return iter(lambda: row, None)

    with opened(tmp_path / "ledger.db") as ledger:
        true, ledger._db = ledger._db, Again()  # type: ignore[assignment]
        with pytest.raises(LedgerError, match="event 0 comes after event 0"):
            list(ledger.events())
        assert "event 0 comes after event 0: what follows is not read" in list(ledger.broken_links())
        ledger._db = true
