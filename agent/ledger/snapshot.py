"""The snapshot: finished tasks and the library as tables, so that a long life opens without reading all its events.

Whatever stands in it was folded from events up to a named one, and it can be deleted at any time: the next life
rebuilds it. It is never believed where that matters. What it names is read from the ledger (`agent/state/archive.py`),
a motif is compared with the events before it is used (`agent/state/state.py`), and verification rebuilds all of it
(`agent/verify/snapshot.py`).
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any, TypeAlias

from agent.ledger.events import LedgerError
from agent.ledger.schema import distrust, foreign_schema
from agent.ledger.store import GENESIS

__all__ = ["Row", "Snapshot", "foreign_snapshot", "is_earlier"]

Row: TypeAlias = tuple[Any, ...]

_APPLICATION_ID, _FORMAT = 0x5E1F_0A6, 3
_PATIENCE_SECONDS = 30.0  # while verification reads
_SCHEMA = """
CREATE TABLE upto (events INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE tasks (
    run INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    tabular INTEGER NOT NULL, digest TEXT NOT NULL, prints TEXT NOT NULL, audited INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_names ON tasks (run, name);
CREATE INDEX task_order ON tasks (tabular, first);
CREATE TABLE described (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, space TEXT NOT NULL, digest TEXT NOT NULL,
    description TEXT NOT NULL, point BLOB, best INTEGER
) STRICT;
CREATE INDEX described_digests ON described (space, digest);
CREATE TABLE motifs (
    seq INTEGER PRIMARY KEY, described INTEGER NOT NULL, validation REAL NOT NULL, run INTEGER NOT NULL,
    task TEXT NOT NULL, digest TEXT NOT NULL, architecture TEXT NOT NULL, shape TEXT NOT NULL, test REAL NOT NULL,
    params INTEGER NOT NULL, weights_sha256 TEXT NOT NULL, review TEXT NOT NULL,
    metric TEXT NOT NULL
) STRICT;
CREATE INDEX ranking ON motifs (described, validation DESC, seq);
CREATE INDEX finalists ON motifs (run, task, digest);
"""

_log = logging.getLogger(__name__)


def is_earlier(db: sqlite3.Connection) -> bool:
    """Whether an open database is the snapshot of an earlier release, which none reads: a life rebuilds it first."""
    name, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return bool(name == _APPLICATION_ID and 1 <= version < _FORMAT)


def foreign_snapshot(db: sqlite3.Connection) -> str:
    """Why an open database is no snapshot of this release, in words; empty where it is one."""
    distrust(db)
    found = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if found != [_APPLICATION_ID, _FORMAT]:
        return f"application and format {found}, not {[_APPLICATION_ID, _FORMAT]}"
    return foreign_schema(db, _SCHEMA)


class Snapshot:
    """Tables in a file, or in memory; changes since `settle` are lost with the process.

    Args:
        path: the file, made when missing and rebuilt when it is no snapshot of ours; None keeps all in memory.

    Raises:
        LedgerError: the file cannot be made.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        try:
            try:
                self._db = self._opened()
            except sqlite3.DatabaseError as error:
                if path is None or isinstance(error, sqlite3.OperationalError):
                    raise
                _log.warning("%s: rebuilt from the ledger, for it cannot be used: %s", path, error)
                path.unlink()
                self._db = self._opened()
        except (sqlite3.Error, OSError) as error:
            raise self.damaged(error) from error

    def _opened(self) -> sqlite3.Connection:
        place = ":memory:" if self.path is None else str(self.path)
        db = sqlite3.connect(place, isolation_level=None, timeout=_PATIENCE_SECONDS, check_same_thread=False)
        try:
            self._fit(db)
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _fit(db: sqlite3.Connection) -> None:
        """Make its tables where it is empty; what is there must be ours."""
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            db.executescript(f"BEGIN;{_SCHEMA}PRAGMA application_id={_APPLICATION_ID};PRAGMA user_version={_FORMAT};")
            db.execute("INSERT INTO upto VALUES (0, ?)", (GENESIS,))
            db.execute("COMMIT")
        if foreign := foreign_snapshot(db):
            raise sqlite3.DatabaseError(foreign)

    def damaged(self, what: object) -> LedgerError:
        """The error to raise where it cannot be used, for that reason."""
        return LedgerError(
            f"{self.path}: {what}; the same command goes on from the last whole step, and where the file is damaged "
            "it can be removed: it is rebuilt from the ledger"
        )

    def ask(self, query: str, *values: object) -> list[Row]:
        """All rows that a query gives.

        Raises:
            LedgerError: the file is damaged.
        """
        try:
            return self._db.execute(query, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self.damaged(error) from error

    def tell(self, statement: str, *values: object) -> None:
        """Change something, until the next `settle` for this process alone.

        Raises:
            LedgerError: the file is damaged or cannot be written.
        """
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self.damaged(error) from error

    def upto(self) -> tuple[int, str]:
        """Number of events that are folded in, and the hash of the last of them."""
        rows = self.ask("SELECT events, hash FROM upto")
        return (int(rows[0][0]), str(rows[0][1])) if len(rows) == 1 else (0, GENESIS)

    def settle(self, events: int, digest: str) -> None:
        """Keep every change; so many events are folded in, the last of that hash."""
        self.tell("UPDATE upto SET events = ?, hash = ?", events, digest)
        if self.path is not None:
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise self.damaged(error) from error

    def clear(self) -> None:
        """Forget everything."""
        for table in ("tasks", "described", "motifs"):
            self.tell(f"DELETE FROM {table}")  # noqa: S608 - ours
        self.settle(0, GENESIS)

    def close(self) -> None:
        """Let go of the file, and of what was not settled."""
        self._db.close()
