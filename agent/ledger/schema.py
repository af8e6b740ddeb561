"""Whether a database of ours has the tables that we make, and nothing else: reading any other could run without end."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

__all__ = ["distrust", "foreign_schema"]

_MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_schema"


def distrust(db: sqlite3.Connection) -> None:
    """From now on nothing that the file's own schema says may call a function with effects."""
    db.execute("PRAGMA trusted_schema = OFF")


def foreign_schema(db: sqlite3.Connection, script: str) -> str:
    """What a database holds that a script does not make, or lacks of its tables, in words; empty where it fits.

    Indices, triggers and views of ours may be missing: without them reading is slower and writing less safe, but
    nothing is read wrongly.

    Args:
        db: open.
        script: the statements that made it.

    Example:
        >>> db = sqlite3.connect(":memory:")
        >>> _ = db.execute("CREATE VIEW a AS SELECT 1")
        >>> foreign_schema(db, "CREATE TABLE a (x)")
        "its view 'a' is not ours"
    """
    held = {(kind, name, table, _words(sql)) for kind, name, table, sql in db.execute(_MASTER)}
    ours = _made_by(script)
    for kind, name, *_ in sorted(held - ours, key=str):
        return f"its {kind} {name!r} is not ours"
    for kind, name, *_ in sorted(ours - held, key=str):
        if kind == "table":
            return f"it has no table {name!r}"
    return ""


@lru_cache(maxsize=8)
def _made_by(script: str) -> frozenset[tuple[str, str, str, str]]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.executescript(script)
        return frozenset((kind, name, table, _words(sql)) for kind, name, table, sql in db.execute(_MASTER))
    finally:
        db.close()


def _words(sql: object) -> str:
    return " ".join(str(sql).split())
