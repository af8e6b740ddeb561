"""Verification of the snapshot: all of it is rebuilt from the events, and compared row by row."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agent.ledger.events import LedgerError
from agent.ledger.snapshot import Row, foreign_snapshot, is_earlier
from agent.ledger.store import Ledger
from agent.state.library import as_point
from agent.state.opening import recollect
from selfnas.errors import InputError

__all__ = ["check_snapshot"]

_TOLD = 5  # rows that are named
_TABLES = {
    "task": (
        "SELECT run || '/' || name, run, place, name, first, last, tabular, digest, prints, audited FROM tasks"
        " ORDER BY run, place"
    ),
    "motif": (
        "SELECT m.seq, m.validation, m.run, m.task, m.digest, m.architecture, m.shape, m.test, m.params,"
        " m.weights_sha256, m.review, m.metric, d.space, d.digest, d.description FROM motifs AS m"
        " LEFT JOIN described AS d ON d.id = m.described ORDER BY m.seq"
    ),
    "described task": "SELECT key, space, digest, description, best FROM described ORDER BY key",
}
_POINTS = "SELECT point, description FROM described WHERE point IS NOT NULL"


def check_snapshot(ledger: Ledger, path: Path) -> Iterator[str]:
    """What a snapshot holds that the events up to its end do not say, or lacks; a missing one is none of it.

    A snapshot that is wrong can be removed: it is rebuilt from the ledger. So is one of an earlier release, as soon as
    the life goes on: nothing reads it, and nothing is wrong with it.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file():
        yield f"{path.name} is no file of this home: remove it, it is rebuilt from the ledger"
        return
    try:
        if (read := _read(path)) is None:
            return
        held, points, (events, digest) = read
    except (sqlite3.Error, ValueError) as error:
        yield f"{path.name} cannot be read: {error}"
        return
    if events and ledger.hash_before(events) != digest:
        yield f"{path.name} was made from another history than that of this ledger"
        return
    try:
        again = recollect(ledger, until=events)
    except LedgerError:
        return  # what is wrong with the events is told by others
    assert again.archive is not None  # noqa: S101 - `recollect` gives one
    for name, query in _TABLES.items():
        yield from _differences(f"{path.name}: {name}", _by_key(held[name]), _by_key(again.archive.snapshot.ask(query)))
    wrong = sum(not _is_of(text, point) for point, text in points)
    if wrong:
        yield f"{path.name}: {wrong} descriptions of tasks are not what the ledger says"


def _read(path: Path) -> tuple[dict[str, list[Row]], list[Row], Row] | None:
    """Rows of every table, descriptions as numbers, and what the snapshot goes up to; None of an earlier release's."""
    # A life that was killed leaves a journal, which a reader that may write plays back.
    last: sqlite3.Error | None = None
    for mode in ("rw", "ro"):
        try:
            db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)
            try:
                db.execute("BEGIN")
                if is_earlier(db):
                    return None
                if foreign := foreign_snapshot(db):
                    raise ValueError(foreign)
                held = {name: db.execute(query).fetchall() for name, query in _TABLES.items()}
                return held, db.execute(_POINTS).fetchall(), db.execute("SELECT events, hash FROM upto").fetchone()
            finally:
                db.close()
        except sqlite3.OperationalError as error:
            last = error
    assert last is not None  # noqa: S101 - both modes failed
    raise last


def _is_of(description: str, point: object) -> bool:
    try:
        return point == as_point(description)
    except InputError:
        return False


def _by_key(rows: list[Row]) -> dict[object, Row]:
    return {row[0]: row for row in rows}


def _differences(what: str, held: dict[object, Row], true: dict[object, Row]) -> Iterator[str]:
    wrong = [key for key in sorted({*held, *true}, key=str) if held.get(key) != true.get(key)]
    for key in islice(wrong, _TOLD):
        how = "is missing" if key not in held else "was edited" if key in true else "is not of the ledger"
        yield f"{what} {key} {how}"
    if len(wrong) > _TOLD:
        yield f"{what}: {len(wrong)} rows in all are not what the ledger says"
