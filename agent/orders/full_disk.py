"""Whether a disk that takes no more is to blame for an error, rather than what was to be written."""

from __future__ import annotations

import sqlite3

from agent.ledger.home import is_storage_fault

__all__ = ["is_full"]


def is_full(error: BaseException | None) -> bool:
    """Whether an error came of a disk that takes no more, at whatever depth."""
    while error is not None:
        if is_storage_fault(error):
            return True
        if isinstance(error, sqlite3.OperationalError) and _code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return True
        error = error.__cause__
    return False


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says which call it was
