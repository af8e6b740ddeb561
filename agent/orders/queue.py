"""The queue: every design that was accepted, what became of it, and its events, in one SQLite file.

Each change of a design and the event that tells of it are one transaction. A worker changes its design only where the
attempt is its own, so that one which outlived its server changes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.ledger.schema import distrust, foreign_schema
from selfnas.errors import InputError, SelfnasError

__all__ = ["ENDED", "Entry", "Happening", "KeyReusedError", "Queue", "QueueFullError", "Row"]

ENDED = ("met", "not_met", "possible", "impossible", "unusable", "failed", "cancelled")
_OPEN = ("queued", "running")
_PATIENCE = 30.0  # seconds that a writer waits for another
_MOST_DEATHS = 10  # of workers of one design in a row without a step between them
_MOST_KILLS = 100  # the same where somebody else may have killed them
_REST = 60.0  # seconds at most before a design is tried again
_APPLICATION_ID = 0x5E1F_0A7  # marks a SQLite file as a queue of ours
_SCHEMA = """
CREATE TABLE designs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    key TEXT UNIQUE, asked TEXT NOT NULL, state TEXT NOT NULL, cancel INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0, deaths INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0, told TEXT NOT NULL DEFAULT '', answer TEXT, accepted REAL NOT NULL, ended REAL
) STRICT;
CREATE TABLE events (
    design TEXT NOT NULL, seq INTEGER NOT NULL, unix_seconds REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (design, seq)
) STRICT;
CREATE INDEX open_designs ON designs (number) WHERE state IN ('queued', 'running');
"""
_COLUMNS = (
    "number, id, name, sha256, asked, state, cancel, attempt, deaths, steps, told, answer, accepted, ended, "
    "(SELECT count(*) FROM events WHERE design = designs.id) AS events"
)


class QueueFullError(SelfnasError, RuntimeError):
    """As many designs are open as the service takes."""


class KeyReusedError(InputError):
    """The same idempotency key came with another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A design that is to be accepted.

    Attributes:
        id: of the design.
        name: that its specification states.
        sha256: over the specification and the data, as they lie in its folder.
        key: by which its sender knows the request; None where none was sent.
        asked: SHA-256 of the request.
    """

    id: str
    name: str
    sha256: str
    key: str | None
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A design as the queue has it.

    Attributes:
        number: in the order in which designs were accepted, from 1.
        id: see `Entry`.
        name: see `Entry`.
        sha256: see `Entry`.
        asked: see `Entry`.
        state: `queued`, `running`, or one of `ENDED`.
        cancel: whether somebody wants it to end.
        attempt: how often a worker began or went on with it.
        deaths: of workers in a row, without a step between them.
        steps: events of its life, as far as the queue was told.
        told: why it stands so; empty where the state says all.
        answer: what it came to, as JSON; None before.
        accepted: Unix seconds.
        ended: Unix seconds; None before.
        events: how many there are.
    """

    number: int
    id: str
    name: str
    sha256: str
    asked: str
    state: str
    cancel: bool
    attempt: int
    deaths: int
    steps: int
    told: str
    answer: str | None
    accepted: float
    ended: float | None
    events: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event of a design.

    Attributes:
        seq: its number in the design, from 1.
        at: Unix seconds.
        kind: `accepted`, `begun`, `said`, `step`, `waits`, `cancelling` or `ended`.
        text: a sentence for people.
    """

    seq: int
    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Queue:
    """Designs in the order in which they were accepted; each call is one transaction of its own.

    Args:
        path: the SQLite file; made where it is missing.
        clock: gives Unix seconds.

    Raises:
        InputError: a file of something else.
        sqlite3.Error: of every call, where the disk takes no more or the file is damaged.
    """

    path: Path
    clock: Callable[[], float]

    def prepare(self) -> None:
        """Make the file, or see that it is ours; done once, before anything else.

        Raises:
            InputError: it is not.
        """
        try:
            with self._opened() as db:
                if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                    db.executescript(f"BEGIN;{_SCHEMA}PRAGMA application_id={_APPLICATION_ID};COMMIT;")
                own = db.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
                if not own or foreign_schema(db, _SCHEMA):
                    raise InputError(f"{self.path}: is no queue of designs")
                db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: cannot be used as a queue: {error}") from error

    def add(self, entry: Entry, *, most: int) -> Row:
        """Accept a design; the one of the same request, where its key is known.

        Raises:
            KeyReusedError: the key came with another request.
            QueueFullError: so many are open.
        """
        with self._writing() as db:
            if entry.key is not None and (known := self._one(db, "key = ?", entry.key)):
                if known.asked != entry.asked:
                    raise KeyReusedError(f"this key came before with another request, which became design {known.id}")
                return known
            self._check_room(db, most)
            db.execute(
                "INSERT INTO designs (id, name, sha256, key, asked, state, accepted) "
                "VALUES (?, ?, ?, ?, ?, 'queued', ?)",
                (entry.id, entry.name, entry.sha256, entry.key, entry.asked, self.clock()),
            )
            self._tell(db, entry.id, "accepted", f"{entry.name} was accepted")
            row = self._one(db, "id = ?", entry.id)
        assert row is not None  # noqa: S101 - inserted in this transaction
        return row

    def check_room(self, most: int) -> None:
        """Whether one more may be open, before anything of it is read.

        Raises:
            QueueFullError: so many are open.
        """
        with self._opened() as db:
            self._check_room(db, most)

    def find(self, design: str) -> Row | None:
        """The design of an id; None where there is none."""
        with self._opened() as db:
            return self._one(db, "id = ?", design)

    def known(self, key: str) -> Row | None:
        """The design that came with an idempotency key."""
        with self._opened() as db:
            return self._one(db, "key = ?", key)

    def listed(self, *, before: int | None, most: int) -> list[Row]:
        """Designs, the newest first.

        Args:
            before: only those of lower numbers.
            most: how many.
        """
        where, bounds = ("1", ()) if before is None else ("number < ?", (before,))
        with self._opened() as db:
            return list(self._rows(db, f"{where} ORDER BY number DESC LIMIT ?", *bounds, most))

    def events(self, design: str, *, after: int, most: int) -> list[Happening]:
        """Events of a design by their numbers."""
        query = (
            "SELECT seq, unix_seconds AS at, kind, text FROM events WHERE design = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        with self._opened() as db:
            return [Happening(**dict(row)) for row in db.execute(query, (design, after, most))]

    def running(self) -> list[Row]:
        """Designs that a worker has."""
        with self._opened() as db:
            return list(self._rows(db, "state = 'running' ORDER BY number"))

    def claim(self, *, without: Collection[str] = ()) -> Row | None:
        """The next design that may begin or go on, which a worker has from now on; None where there is none.

        Args:
            without: designs whose earlier worker has not ended yet.
        """
        with self._writing() as db:
            row = self._one(db, _NEXT, self.clock(), json.dumps([*without]))
            if row is None:
                return None
            db.execute("UPDATE designs SET state = 'running', attempt = attempt + 1 WHERE id = ?", (row.id,))
            self._tell(db, row.id, "begun", "it goes on" if row.attempt else "it begins")
            return self._one(db, "id = ?", row.id)

    def say(self, design: str, attempt: int, kind: str, text: str) -> None:
        """Add an event, where that attempt is the present one."""
        with self._writing() as db:
            if self._present(db, design, attempt):
                self._tell(db, design, kind, text)

    def postpone(self, design: str, attempt: int, why: str, *, seconds: float) -> None:
        """Give a design back, to be gone on with later; it ends if somebody wants that."""
        with self._writing() as db:
            if (row := self._present(db, design, attempt)) is None:
                return
            if row.cancel:
                self._end(db, design, "cancelled", _CANCELLED, None)
            else:
                self._wait(db, design, why, seconds)

    def died(self, design: str, attempt: int, *, steps: int, killed: bool = False) -> None:
        """A worker ended without a word: its design goes on, unless that happens again and again without a step.

        Args:
            design: its id.
            attempt: that the worker was started with.
            steps: events of the life now.
            killed: whether it ended by a signal that others send, which says little about the design.
        """
        with self._writing() as db:
            if (row := self._present(db, design, attempt)) is None:
                return
            deaths = 1 if steps > row.steps else row.deaths + 1
            db.execute("UPDATE designs SET deaths = ?, steps = max(steps, ?) WHERE id = ?", (deaths, steps, design))
            if row.cancel:
                self._end(db, design, "cancelled", _CANCELLED, None)
            elif deaths >= (_MOST_KILLS if killed else _MOST_DEATHS):
                self._end(
                    db, design, "failed", f"its worker died {deaths} times in a row; what was finished is kept", None
                )
            else:
                self._wait(
                    db, design, "its worker died; it goes on from the last whole step", min(2.0**deaths, _REST) - 2
                )

    def finish(self, design: str, attempt: int, state: str, told: str, answer: Mapping[str, Any] | None) -> None:
        """A worker has an answer, or knows that there is none."""
        with self._writing() as db:
            if self._present(db, design, attempt):
                self._end(db, design, state, told, None if answer is None else json.dumps(answer, allow_nan=False))

    def cancel(self, design: str) -> Row | None:
        """Let a design end; None where there is none. One that has ended stays as it is."""
        with self._writing() as db:
            row = self._one(db, "id = ?", design)
            if row is None or row.has_ended or row.cancel:
                return row
            db.execute("UPDATE designs SET cancel = 1 WHERE id = ?", (design,))
            if row.state == "queued":
                self._end(
                    db, design, "cancelled", "it was cancelled before it began" if not row.attempt else _CANCELLED, None
                )
            else:
                self._tell(db, design, "cancelling", "it ends after the present step")
            return self._one(db, "id = ?", design)

    def recover(self) -> None:
        """After a server ended, however that came: what its workers had is queued again, and these have no say more."""
        with self._writing() as db:
            for row in list(self._rows(db, "state = 'running'")):
                if row.cancel:
                    self._end(db, row.id, "cancelled", _CANCELLED, None)
                else:
                    self._wait(db, row.id, "the server was started again", 0.0)

    def _check_room(self, db: sqlite3.Connection, most: int) -> None:
        if db.execute(f"SELECT count(*) FROM designs WHERE {_IS_OPEN}").fetchone()[0] >= most:  # noqa: S608 - ours
            raise QueueFullError(f"{most} designs are open: send it again when some of them have ended")

    def _end(self, db: sqlite3.Connection, design: str, state: str, told: str, answer: str | None) -> None:
        db.execute(
            "UPDATE designs SET state = ?, told = ?, answer = ?, ended = ? WHERE id = ?",
            (state, told, answer, self.clock(), design),
        )
        self._tell(db, design, "ended", f"{state.replace('_', ' ')}{': ' if told else ''}{told}")

    def _wait(self, db: sqlite3.Connection, design: str, why: str, seconds: float) -> None:
        db.execute("UPDATE designs SET state = 'queued', not_before = ? WHERE id = ?", (self.clock() + seconds, design))
        self._tell(db, design, "waits", why)

    def _tell(self, db: sqlite3.Connection, design: str, kind: str, text: str) -> None:
        db.execute(
            "INSERT INTO events SELECT ?, coalesce(max(seq), 0) + 1, ?, ?, ? FROM events WHERE design = ?",
            (design, self.clock(), kind, text, design),
        )

    def _present(self, db: sqlite3.Connection, design: str, attempt: int) -> Row | None:
        return self._one(db, "id = ? AND attempt = ? AND state = 'running'", design, attempt)

    def _one(self, db: sqlite3.Connection, where: str, *bounds: object) -> Row | None:
        return next(self._rows(db, where, *bounds), None)

    def _rows(self, db: sqlite3.Connection, where: str, *bounds: object) -> Iterator[Row]:
        for row in db.execute(f"SELECT {_COLUMNS} FROM designs WHERE {where}", bounds):  # noqa: S608 - ours
            held = dict(row)
            yield Row(**held | {"cancel": bool(held["cancel"])})

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=_PATIENCE)
        try:
            distrust(db)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA synchronous = FULL")
            yield db
        finally:
            db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


_NEXT = "state = 'queued' AND not_before <= ? AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT 1"
_IS_OPEN = f"state IN {_OPEN}"
_CANCELLED = "it was cancelled; what was finished is kept"
