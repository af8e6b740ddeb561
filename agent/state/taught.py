"""Audit examples that an earlier task of the life was taught: which they are, and what is said of them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.ledger.events import UNSET, TaskStarted
from selfnas.errors import InputError

__all__ = ["Rows", "left_out_rows", "rows_from_text", "rows_in_text", "taught_count", "taught_sentence"]

Rows: TypeAlias = "NDArray[np.bool_]"


def rows_in_text(rows: Rows) -> str:
    """Which of the audit examples, a bit each, as hexadecimal text.

    Example:
        >>> rows_in_text(np.array([True, False, True]))
        'a0'
    """
    return np.packbits(rows).tobytes().hex()


def rows_from_text(text: str, count: int) -> Rows:
    """Read what `rows_in_text` wrote of `count` audit examples.

    Raises:
        InputError: it is not of so many.

    Example:
        >>> rows_from_text("a0", 3)
        array([ True, False,  True])
    """
    try:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8)).astype(np.bool_)
    except ValueError as error:
        raise InputError(f"which audit examples were taught before is no hexadecimal text: {text[:40]!r}") from error
    if len(bits) != -(-count // 8) * 8 or bits[count:].any():
        raise InputError(f"which audit examples were taught before is not told of {count}")
    return bits[:count]


def left_out_rows(started: TaskStarted, count: int) -> Rows | None:
    """Which of `count` audit examples the audits of a task do without; None where they look at all.

    Raises:
        InputError: what is recorded is not of so many.
    """
    if started.taught is UNSET or not started.taught.left_out:
        return None
    return rows_from_text(started.taught.rows, count)


def taught_count(started: TaskStarted) -> int:
    """How many audit examples of a task earlier ones were taught.

    Raises:
        InputError: what is recorded cannot be read.
    """
    if started.taught is UNSET:
        return 0
    return int(rows_from_text(started.taught.rows, 4 * len(started.taught.rows)).sum())


def taught_sentence(started: TaskStarted) -> str:
    """How many audit examples of a task earlier ones were taught, for people; empty where it is none.

    Raises:
        InputError: what is recorded cannot be read.
    """
    if started.taught is UNSET:
        return ""
    told, count = started.taught, taught_count(started)
    names = ", ".join(f"{one.task} (run {one.run})" for one in told.by)
    noun, what = ("example was", "is") if count == 1 else ("examples were", "are")
    done = f"{what} left out" if told.left_out else f"{what} audited all the same"
    return f"{count} audit {noun} training or validation data of {names} and {done}"
