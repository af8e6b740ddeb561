"""How a home is stored here: the rows of its ledger as text, its other files as they are, all of it compressed by xz.

`ledger.jsonl.xz` begins with a line on the SQLite file: its marks and the statements that make its tables. Each later
line is one event, its payload as the text that was hashed, with the time at which it was written. Only the standard
library is used, so that no change of the package can change what a stored home is.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Row", "read_rows", "rebuild", "rows_of", "store"]

_LEDGER = "ledger.jsonl.xz"
_PARTS = ("weights", "watch")  # what a home holds beside its ledger that cannot be made again
_EVENTS = "SELECT seq, kind, payload, previous, hash, unix_seconds FROM events LEFT JOIN clock USING (seq) ORDER BY seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event as the ledger's file holds it.

    Attributes:
        seq: its number.
        kind: what happened.
        payload: the very text that was hashed.
        previous: hash of the event before.
        hash: of this one.
        unix_seconds: when it was written; None where no time was kept.
    """

    seq: int
    kind: str
    payload: str
    previous: str
    hash: str
    unix_seconds: float | None

    @property
    def hashed(self) -> tuple[int, str, str, str, str]:
        """What is the same whenever the life is lived."""
        return self.seq, self.kind, self.payload, self.previous, self.hash


def rows_of(ledger: Path) -> list[Row]:
    """Every event in a ledger's file."""
    with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return [
            Row(seq=seq, kind=kind, payload=payload, previous=previous, hash=digest, unix_seconds=time)
            for seq, kind, payload, previous, digest, time in db.execute(_EVENTS)
        ]


def read_rows(stored: Path) -> list[Row]:
    """Every event of a stored home."""
    return [Row(**json.loads(line)) for line in _lines(stored)[1:]]


def store(home: Path, place: Path) -> None:
    """Store a home that nobody writes to.

    Args:
        home: the directory of a life.
        place: an empty directory.
    """
    with closing(sqlite3.connect(f"{(home / 'ledger.db').resolve().as_uri()}?mode=ro", uri=True)) as db:
        marks = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")}
        schema = [text for (text,) in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")]
        events = db.execute(_EVENTS)
        names = [column[0] for column in events.description]
        lines = [{**marks, "schema": schema}, *(dict(zip(names, row, strict=True)) for row in events)]
    text = "".join(f"{json.dumps(line, sort_keys=True, ensure_ascii=False)}\n" for line in lines)
    _write(place / _LEDGER, text.encode())
    for part in _PARTS:
        for path in sorted(path for path in (home / part).rglob("*") if path.is_file()):
            _write(place / part / f"{path.relative_to(home / part)}.xz", path.read_bytes())


def rebuild(stored: Path, home: Path) -> None:
    """Make the home again, byte for byte in every row and file.

    Args:
        stored: directory that `store` wrote.
        home: a directory that is made.
    """
    home.mkdir(parents=True)
    head = json.loads(_lines(stored)[0])
    with closing(sqlite3.connect(home / "ledger.db")) as db, db:
        for name in ("application_id", "user_version"):
            db.execute(f"PRAGMA {name} = {int(head[name])}")
        for statement in head["schema"]:
            db.execute(statement)
        for row in read_rows(stored):
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row.hashed)
            if row.unix_seconds is not None:
                db.execute("INSERT INTO clock VALUES (?, ?)", (row.seq, row.unix_seconds))
    for part in _PARTS:
        for path in sorted((stored / part).rglob("*.xz")):
            target = home / part / path.relative_to(stored / part).with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(lzma.decompress(path.read_bytes()))


def _lines(stored: Path) -> list[str]:
    return lzma.decompress((stored / _LEDGER).read_bytes()).decode().removesuffix("\n").split("\n")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
