"""The home: the directory of one agent's life, held by one agent at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from selfnas.errors import InputError

__all__ = ["EXAMPLE", "Home", "hold"]

EXAMPLE = "example.npy"  # two training inputs, beside the pictures of a finalist


@dataclass(frozen=True, slots=True)
class Home:
    """Where the parts of a life lie."""

    root: Path

    @property
    def ledger(self) -> Path:
        """The SQLite file of the ledger."""
        return self.root / "ledger.db"

    @property
    def weights(self) -> Path:
        """Safetensors files, each named by its SHA-256."""
        return self.root / "weights"

    @property
    def signature(self) -> Path:
        """Signature of the ledger's head, when somebody signed it."""
        return self.root / "head.signature.json"

    @property
    def report(self) -> Path:
        """Pictures and pages for people; can be made again."""
        return self.root / "report"

    def pictures(self, run: int, task: str) -> Path:
        """Pictures of one task of a run."""
        return self.report / f"run{run}" / task


@contextmanager
def hold(root: Path) -> Iterator[Home]:
    """Make the home if need be and hold it exclusively.

    The lock belongs to the process, so that it ends with it, however it ends.

    Raises:
        InputError: not a directory, not writable, or another agent holds it (named by process id and start).
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        for part in ("weights", "report"):
            (root / part).mkdir(exist_ok=True)
        handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise InputError(f"--home {root}: cannot be used: {(error.strerror or str(error)).lower()}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 64, 0).decode(errors="replace").strip()
            raise InputError(f"--home {root}: another agent lives here (process {holder or 'unknown'})") from error
        os.ftruncate(handle, 0)
        since = datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
        os.pwrite(handle, f"{os.getpid()}, since {since}".encode(), 0)
        yield Home(root)
    finally:
        os.close(handle)
