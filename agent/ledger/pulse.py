"""How far a life that is being lived has come since its last event: a small file that it rewrites, for people alone.

Events are written step by step, and a step may take minutes. What is told here is in no event and no hash, and is gone
when the run ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import msgspec

__all__ = ["Pulse", "read_pulse", "remove_pulse", "write_pulse"]

_NAME = "pulse.json"
_FRESH = 60.0  # seconds; a life that was killed leaves its file


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is.

    Attributes:
        run: its number.
        task: name of the present task; empty before the first.
        place: of the task in the run, from 1.
        tasks: how many there are.
        trainings: done for the task.
        of: how many there are at most.
        left: seconds until the run ends, about; None where that cannot be told yet.
        since: Unix seconds when the run began, or went on.
        at: Unix seconds of this telling.
        workers: processes that compute.
        busy: seconds that they were busy, by what they did.
    """

    run: int
    task: str
    place: int
    tasks: int
    trainings: int
    of: int
    left: float | None
    since: float
    at: float
    workers: int
    busy: dict[str, float]


def write_pulse(home: Path, pulse: Pulse) -> None:
    """Tell it; that it cannot be told stops nothing."""
    path = home / _NAME
    partial = path.with_suffix(".partial")
    with contextlib.suppress(OSError):
        partial.write_bytes(msgspec.json.encode(pulse))
        os.replace(partial, path)


def remove_pulse(home: Path) -> None:
    """Nothing is lived any more."""
    with contextlib.suppress(OSError):
        (home / _NAME).unlink(missing_ok=True)


def read_pulse(home: Path) -> Pulse | None:
    """What the life in a home tells now; None where none is lived, or it has not told anything for a minute."""
    try:
        pulse = msgspec.convert(json.loads((home / _NAME).read_bytes()), Pulse)
    except (OSError, ValueError, RecursionError):
        return None
    return pulse if abs(time.time() - pulse.at) < _FRESH else None
