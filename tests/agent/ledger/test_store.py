"""The ledger: chained, append-only, one transaction a step, refusing what is not its own."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ledger.events import Evaluated, Filtered, LedgerError, RunFinished, Trained
from agent.ledger.store import GENESIS, Ledger, event_hash
from selfnas.digests import canonical_json
from selfnas.errors import InputError
from tests.agent.made_up import blank


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be."""
    return tmp_path / "ledger.db"


def open_ledger(path: Path, *, read_only: bool = False) -> Ledger:
    """A ledger whose clock stands still."""
    return Ledger(path, clock=lambda: 1.5, read_only=read_only)


def test_events_come_back_as_they_were_written(path: Path) -> None:
    """Kinds, facts, numbers and links survive closing."""
    written = [
        blank(Filtered, rules={"ü": 1}),
        blank(Evaluated, curve=[0.1, 1, 1e-7], proxy=None, reason="ü", value=None),
    ]
    with open_ledger(path) as ledger:
        first = ledger.append(written)
        second = ledger.append([blank(Filtered)])
    assert [(event.kind, event.facts) for event in first] == [(facts.kind, facts) for facts in written]
    with open_ledger(path, read_only=True) as ledger:
        assert tuple(ledger.events()) == first + second
        assert tuple(ledger.events(since=2)) == second
        assert ledger.head() == (3, second[0].hash)
        assert ledger.times() == {0: 1.5, 1: 1.5, 2: 1.5}
        assert not list(ledger.broken_links())
    assert first[0].previous == GENESIS
    assert second[0].previous == first[1].hash


def test_the_clock_is_in_no_hash(tmp_path: Path) -> None:
    """Two lives at different times have the same chain."""
    heads = []
    for name, now in (("one.db", 1.0), ("two.db", 2.0)):
        with Ledger(tmp_path / name, clock=lambda now=now: now) as ledger:  # type: ignore[misc]
            heads.append(ledger.append([RunFinished(tasks=1)])[0].hash)
    assert heads[0] == heads[1]


def test_a_step_is_written_whole_or_not_at_all(path: Path) -> None:
    """Facts that are not JSON, or not those of their kind, leave nothing behind."""
    with open_ledger(path) as ledger:
        with pytest.raises(ValueError, match="JSON"):
            ledger.append([RunFinished(tasks=0), blank(Trained, validation=float("nan"))])
        with pytest.raises(ValueError, match=r"event 1 \(trained\) is no event of ours: params: Expected `int`"):
            ledger.append([RunFinished(tasks=0), blank(Trained, params="many")])
        assert ledger.head() == (0, GENESIS)


def test_stored_events_cannot_be_changed_through_sql(path: Path) -> None:
    """Update and delete are refused by the database itself."""
    with open_ledger(path) as ledger:
        ledger.append([RunFinished(tasks=1)])
    with sqlite3.connect(path) as db:
        for statement in ("UPDATE events SET payload = '{}'", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE events SET payload = '{\"tasks\":2}' WHERE seq = 1", "event 1 .* content"),
        ("UPDATE events SET kind = 'z' WHERE seq = 0", "event 0 .* content"),
        ("UPDATE events SET hash = 'f' WHERE seq = 1", "event 1"),
        ("DELETE FROM events WHERE seq = 1", "event 1 is missing"),
        ("DELETE FROM events WHERE seq = 0", "event 0 is missing"),
        ("UPDATE events SET previous = 'f' WHERE seq = 2", "event 2 .* does not follow"),
    ],
)
def test_every_change_behind_its_back_is_found(path: Path, statement: str, message: str) -> None:
    """Whoever removes the triggers and edits still breaks the chain."""
    with open_ledger(path) as ledger:
        ledger.append([RunFinished(tasks=count) for count in (0, 1, 2)])
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER events_are_final")
        db.execute("DROP TRIGGER events_stay")
        db.execute(statement)
    db.close()
    with open_ledger(path, read_only=True) as ledger:
        problems = "\n".join(ledger.broken_links())
    assert pytest.importorskip("re").search(message, problems)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Text, another program's database, and a newer format each have their message, and stay as they were."""
    text = tmp_path / "text.db"
    text.write_text("not a database, not at all, but long enough to have a header of its own" * 20)
    with pytest.raises(InputError, match="cannot be used as a ledger"):
        open_ledger(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(InputError, match="not a selfnas ledger"):
        open_ledger(other)
    newer = tmp_path / "newer.db"
    open_ledger(newer).__exit__(None, None, None)
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InputError, match="ledger format 99"):
        open_ledger(newer)


def test_reading_a_life_that_is_not_there_says_so(path: Path) -> None:
    """A read-only look makes no file."""
    with pytest.raises(InputError, match="no ledger"):
        open_ledger(path, read_only=True)
    assert not path.exists()


def test_a_failed_write_is_reported_and_leaves_the_chain_whole(path: Path) -> None:
    """When another writer holds the file, nothing is appended and the error says so."""
    with open_ledger(path) as ledger:
        ledger.append([RunFinished(tasks=0)])
        ledger._db.execute("PRAGMA busy_timeout = 10")
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="was not written"):
            ledger.append([RunFinished(tasks=1)])
        blocker.execute("ROLLBACK")
        blocker.close()
        assert ledger.append([RunFinished(tasks=1)])[0].seq == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=50, deadline=None)
def test_canonical_json_is_a_fixed_point(value: object) -> None:
    """Reading and writing again gives the same text, so that a hash can be recomputed from what is stored."""
    import json

    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


def test_hash_of_an_event_is_as_documented() -> None:
    """Golden value: SHA-256 of number, kind, payload and previous hash, joined by the unit separator."""
    import hashlib

    expected = hashlib.sha256(b"7\x1fkind\x1f{}\x1f" + GENESIS.encode()).hexdigest()
    assert event_hash(7, "kind", "{}", GENESIS) == expected


def test_two_writers_do_not_interleave(path: Path) -> None:
    """Who opened the file before the other wrote appends nothing, and says why."""
    with open_ledger(path) as first, open_ledger(path) as second:
        first.append([RunFinished(tasks=0)])
        with pytest.raises(LedgerError, match="somebody else has written to it since it was opened"):
            second.append([RunFinished(tasks=1)])
        first.append([RunFinished(tasks=2)])
        assert [event.facts.tasks for event in first.events() if isinstance(event.facts, RunFinished)] == [0, 2]
        assert not list(first.broken_links())
