"""The ledger: one append-only, hash-chained list of events in SQLite; all else about a life is derived from it.

An event's hash covers its number, kind, payload and the hash before it, and no clock: a life that was killed and
resumed has the same chain as one that was not. Wall-clock times stand in a side table that no hash covers.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType

from agent.ledger.events import BULK, KEPT, Event, Facts, LedgerError, read_facts, readable
from agent.ledger.home import Home
from agent.ledger.schema import distrust, foreign_schema
from selfnas.errors import InputError

__all__ = ["GENESIS", "Ledger", "event_hash", "reading"]

GENESIS = "0" * 64
_APPLICATION_ID = 0x5E1F_0A5  # marks a SQLite file as one of ours
_SCHEMA_VERSION = 4
_SINCE = {"baselined": 4}  # formats whose indices first knew these kinds


def _indices(version: int) -> dict[str, str]:
    """What the indices of a format hold, by name.

    By landmarks a life is opened, by decisions where a snapshot stands for the rest of them.
    """
    rest = {"landmarks": BULK, "decisions": sorted((*BULK, *KEPT))}
    known = {name: [kind for kind in kinds if _SINCE.get(kind, 0) <= version] for name, kinds in rest.items()}
    return {name: f"kind NOT IN ({', '.join(map(repr, kinds))})" for name, kinds in known.items()}


def _index(name: str, version: int) -> str:
    """The statement that makes an index as a format has it."""
    return f"CREATE INDEX {name} ON events (seq) WHERE {_indices(version)[name]};"


_INDICES = _indices(_SCHEMA_VERSION)
_LANDMARK, _DECISION = _INDICES["landmarks"], _INDICES["decisions"]
# From that version to the next, each in a transaction of its own.
_MIGRATIONS = {
    1: _index("landmarks", 2),
    2: _index("decisions", 3),
    3: f"DROP INDEX IF EXISTS landmarks; DROP INDEX IF EXISTS decisions; {_index('landmarks', 4)}"
    f"{_index('decisions', 4)}",
}
_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE clock (seq INTEGER PRIMARY KEY, unix_seconds REAL NOT NULL) STRICT;
CREATE TRIGGER events_are_final BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE VIEW library AS
    SELECT seq, json_extract(payload, '$.digest') AS digest, json_extract(payload, '$.architecture') AS architecture,
           json_extract(payload, '$.task') AS task, json_extract(payload, '$.validation') AS validation
    FROM events WHERE kind = 'admitted';
"""


def event_hash(seq: int, kind: str, payload: str, previous: str) -> str:
    """The hash of an event whose payload is given as canonical JSON."""
    return hashlib.sha256("\x1f".join((str(seq), kind, payload, previous)).encode()).hexdigest()


class Ledger:
    """An open ledger; use as a context manager.

    Args:
        path: the SQLite file; made when missing, unless `read_only`.
        clock: gives Unix seconds.
        read_only: opens without writing anything, for reports and verification.

    Raises:
        InputError: not a ledger of ours, of a newer schema, or a place that cannot be written.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], read_only: bool = False) -> None:
        self._path, self._clock = path, clock
        self._head: tuple[int, str] | None = None  # as it was opened, then after what this one wrote last
        if read_only and not path.is_file():
            raise InputError(f"{path}: there is no ledger here")
        try:
            target = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._db = sqlite3.connect(target, uri=True, isolation_level=None)
            if read_only and not _is_writable(path.parent) and not _has_wal(path):
                # Reading would make files beside it; nobody writes here, so that none are needed.
                self._db.close()
                self._db = sqlite3.connect(f"{target}&immutable=1", uri=True, isolation_level=None)
            self._open(read_only=read_only)
            self._head = None if read_only else self.head()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be used as a ledger: {error}") from error

    def _open(self, *, read_only: bool) -> None:
        """Refuse what is not ours, before anything of it is changed; then make, or bring to the present format."""
        distrust(self._db)
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        is_new = not read_only and self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if not is_new and application != _APPLICATION_ID:
            raise InputError(f"{self._path}: an SQLite file, but not a selfnas ledger")
        if not is_new and not 1 <= version <= _SCHEMA_VERSION:
            raise InputError(
                f"{self._path}: ledger format {version}, but this release reads formats 1 to {_SCHEMA_VERSION}: "
                "use the release that wrote it, or another --home"
            )
        if not is_new and (foreign := foreign_schema(self._db, _schema(version))):
            raise InputError(f"{self._path}: not a selfnas ledger: {foreign}")
        if read_only:
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if is_new:
            self._db.executescript(
                f"BEGIN;{_schema(_SCHEMA_VERSION)}"
                f"PRAGMA application_id={_APPLICATION_ID};PRAGMA user_version={_SCHEMA_VERSION};COMMIT;"
            )
        for old in range(_SCHEMA_VERSION if is_new else version, _SCHEMA_VERSION):
            self._db.executescript(f"BEGIN;{_MIGRATIONS[old]}PRAGMA user_version={old + 1};COMMIT;")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def head(self) -> tuple[int, str]:
        """Number of events, and the hash of the last one (`GENESIS` when there is none)."""
        row = self._db.execute("SELECT seq + 1, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return (int(row[0]), str(row[1])) if row else (0, GENESIS)

    def hash_before(self, seq: int) -> str | None:
        """The hash that event number `seq` must follow; None where the ledger is shorter than that."""
        if seq == 0:
            return GENESIS
        row = self._db.execute("SELECT hash FROM events WHERE seq = ?", (seq - 1,)).fetchone()
        return str(row[0]) if row else None

    def append(self, entries: Sequence[Facts]) -> tuple[Event[Facts], ...]:
        """Append events in one transaction: all or none.

        Raises:
            LedgerError: the disk is full or the file cannot be written; nothing was appended.
            ValueError: an event that would not be read again, such as one with a number that is not finite.
        """
        seq, previous = known = self._head if self._head is not None else self.head()
        events, rows = [], []
        for facts in entries:
            kind, text = facts.kind, facts.to_json()
            digest = event_hash(seq, kind, text, previous)
            events.append(_written(Event(seq, kind, read_facts(kind, text), previous, digest)))
            rows.append((seq, kind, text, previous, digest))
            seq, previous = seq + 1, digest
        now = self._clock()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if self.head() != known:
                self._db.execute("ROLLBACK")
                raise LedgerError(
                    f"{self._path}: somebody else has written to it since it was opened, so this step was not written: "
                    "see that one agent alone lives here, then the same command goes on"
                )
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT INTO clock VALUES (?, ?)", [(row[0], now) for row in rows])
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise LedgerError(
                f"{self._path}: this step was not written: {error}; the same command goes on from the last whole step"
            ) from error
        self._head = seq, previous
        return tuple(events)

    def events(
        self, *, since: int = 0, until: int | None = None, checked: bool = False, unreadable: bool = False
    ) -> Iterator[Event[Facts]]:
        """Every event from number `since` on, `until` included, in order, as stored.

        Args:
            since: number of the first.
            until: number of the last; None reads to the end.
            checked: whether each must have the content that its hash was made of. Links are left to `broken_links`.
            unreadable: whether events that are none of ours are given too, as `Unreadable`.

        Raises:
            LedgerError: the file is damaged from some event on, a hash does not fit, or an event is unreadable.
        """
        where, bounds = ("seq >= ?", (since,)) if until is None else ("seq BETWEEN ? AND ?", (since, until))
        found = self._read(where, bounds, checked=checked)
        return found if unreadable else map(readable, found)

    def event(self, seq: int) -> Event[Facts]:
        """One event; it has the content that its hash was made of.

        Raises:
            LedgerError: it is missing or has not.
        """
        for event in self.events(since=seq, until=seq, checked=True):
            return event
        raise LedgerError(f"{self._path}: event {seq} is missing: `selfnas verify` says what else is damaged")

    def landmarks(self, *, since: int = 0, until: int | None = None) -> Iterator[Event[Facts]]:
        """Events that do not concern their task alone, in order; each has the content that its hash was made of.

        Args:
            since: number of the first.
            until: number of the first that is left out; None reads to the end.

        Raises:
            LedgerError: the file is damaged from some event on, or a hash does not fit.
        """
        return map(readable, self._read(f"{_LANDMARK} AND seq >= ? AND seq < ?", (since, _last(until)), checked=True))

    def decisions(self, *, until: int) -> Iterator[Event[Facts]]:
        """Landmarks before number `until` other than starts and ends of tasks and admissions; checked as those.

        Raises:
            LedgerError: as `landmarks`.
        """
        return map(readable, self._read(f"{_DECISION} AND seq < ?", (until,), checked=True))

    def latest_before(self, seq: int, *kinds: type[Facts]) -> Event[Facts] | None:
        """The latest event of one of these kinds of landmarks before number `seq`; None where there is none.

        Raises:
            LedgerError: it does not have the content that its hash was made of.
        """
        marks = ", ".join("?" * len(kinds))
        query = f"SELECT max(seq) FROM events WHERE {_LANDMARK} AND seq < ? AND kind IN ({marks})"  # noqa: S608 - ours
        # Walked from the end, since `max` of an indexed column is the first row found there.
        found = self._db.execute(query, (seq, *(one.kind for one in kinds))).fetchone()[0]
        return None if found is None else self.event(int(found))

    def _read(self, where: str, bounds: tuple[int, ...], *, checked: bool) -> Iterator[Event[Facts]]:
        last = -1
        try:
            rows = self._db.execute(
                f"SELECT seq, kind, payload, previous, hash FROM events WHERE {where} ORDER BY seq",  # noqa: S608 - ours
                bounds,
            )
            for seq, kind, payload, previous, digest in rows:
                if seq <= last:
                    raise LedgerError(f"{self._path}: damaged: event {seq} comes after event {last}")
                last = seq
                if checked and event_hash(seq, kind, payload, previous) != digest:
                    raise LedgerError(
                        f"{self._path}: event {seq} ({kind}) does not have the content that its hash was made of: "
                        "`selfnas verify` says what else is damaged"
                    )
                if not type(kind) is type(payload) is type(previous) is type(digest) is str:
                    raise LedgerError(f"{self._path}: damaged: event {seq} is not a kind with facts and two hashes")
                yield Event(seq, kind, read_facts(kind, payload), previous, digest)
        except (sqlite3.Error, ValueError, TypeError, RecursionError) as error:
            raise LedgerError(f"{self._path}: damaged, cannot be read to its end: {error}") from error

    def times(self) -> Mapping[int, float]:
        """Unix seconds at which each event was written, by number; outside every hash, hence not sure to be there."""
        return dict(self._db.execute("SELECT seq, unix_seconds FROM clock"))

    def times_of(self, seqs: Iterable[int]) -> Mapping[int, float]:
        """The same, of these events alone."""
        query = "SELECT unix_seconds FROM clock WHERE seq = ?"
        rows = ((seq, self._db.execute(query, (seq,)).fetchone()) for seq in seqs)
        return {seq: float(row[0]) for seq, row in rows if row is not None}

    def broken_links(self) -> Iterator[str]:
        """What is wrong with the chain: one sentence per event whose number, hash or link does not fit."""
        expected, previous = 0, GENESIS
        try:
            rows = self._db.execute("SELECT seq, kind, payload, previous, hash FROM events ORDER BY seq")
            for seq, kind, payload, stored_previous, digest in rows:
                if seq < expected:
                    yield f"event {seq} comes after event {expected - 1}: what follows is not read"
                    return
                if seq != expected:
                    yield f"event {expected} is missing: the next one is {seq}"
                if stored_previous != previous:
                    yield f"event {seq} ({kind}) does not follow the event before it"
                if not all(isinstance(part, str) for part in (kind, payload, stored_previous, digest)):
                    yield f"event {seq} holds something that is not text"
                elif event_hash(seq, kind, payload, stored_previous) != digest:
                    yield f"event {seq} ({kind}) does not have the content that its hash was made of"
                elif (facts := read_facts(kind, payload)).kind and facts.to_json() != payload:
                    yield f"event {seq} ({kind}) is not in canonical form"
                expected, previous = seq + 1, digest
            yield from self._index_faults()
        except (sqlite3.Error, UnicodeDecodeError, RecursionError) as error:
            yield f"event {expected} or what follows it cannot be read: {error}"

    def _index_faults(self) -> Iterator[str]:
        """A life is opened by indices; they must name what the table holds."""
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        for name, which in _indices(version).items():
            named = self._db.execute(f"SELECT seq FROM events WHERE {which} ORDER BY seq")  # noqa: S608 - ours
            held = self._db.execute(f"SELECT seq FROM events NOT INDEXED WHERE {which} ORDER BY seq")  # noqa: S608
            if any(one != other for one, other in zip_longest(named, held)):
                yield f"the index of {name} does not name the events that are there"


def reading(home: Path) -> Ledger:
    """The ledger of a home, for reading.

    Raises:
        InputError: there is no life in this home.
    """
    return Ledger(Home(home).ledger, clock=time.time, read_only=True)


def _written(event: Event[Facts]) -> Event[Facts]:
    try:
        return readable(event)
    except LedgerError as error:
        raise ValueError(str(error)) from error


def _schema(version: int) -> str:
    """The statements that make a ledger of that format."""
    return _SCHEMA + "".join(_MIGRATIONS[old] for old in range(1, version))


def _last(until: int | None) -> int:
    """A number above that of every event that may be read."""
    return 2**62 if until is None else until


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _has_wal(path: Path) -> bool:
    """Whether there are events that are not in the main file yet."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.is_file() and wal.stat().st_size > 0
