"""The home: the directory of one agent's life, held by one agent at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from selfnas.errors import InputError, SelfnasError, cause

__all__ = [
    "AGAIN",
    "EXAMPLE",
    "STEP",
    "Home",
    "HomeHeldError",
    "StorageError",
    "SurroundingsError",
    "hold",
    "is_held",
    "is_storage_fault",
]

EXAMPLE = "example.npy"  # two training inputs, beside the pictures of a finalist
AGAIN = "make room, then the same command goes on from the last whole step"
STEP = "step-"  # begins the names of directories in a home that serve one step alone
_PRIVATE = 0o700  # of a new home: examples and decisions of people lie in it
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


class HomeHeldError(InputError):
    """Another agent holds the home, so that nothing can be written there now."""


class StorageError(SelfnasError, RuntimeError):
    """The disk would not take what a step makes; the step was not recorded, and is taken again later."""


class SurroundingsError(SelfnasError, RuntimeError):
    """What a step runs in is to blame, not what it was to find out; it was not recorded, and is taken again later."""


def is_storage_fault(error: BaseException) -> bool:
    """Whether the disk is to blame, rather than what was to be written."""
    return isinstance(error, OSError) and error.errno in _STORAGE


_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Home:
    """Where the parts of a life lie."""

    root: Path

    @property
    def ledger(self) -> Path:
        """The SQLite file of the ledger."""
        return self.root / "ledger.db"

    @property
    def snapshot(self) -> Path:
        """What a long life opens from; can be rebuilt."""
        return self.root / "snapshot.db"

    @property
    def weights(self) -> Path:
        """Safetensors files, each named by its SHA-256."""
        return self.root / "weights"

    def weights_file(self, sha256: str) -> Path:
        """The file of weights that a ledger names.

        Raises:
            InputError: the name is no SHA-256 in hexadecimal, hence of no file of ours, wherever it would lead.
        """
        if not _SHA256.fullmatch(sha256):
            raise InputError(f"weights are named by their SHA-256, not {sha256[:80]!r}")
        return self.weights / f"{sha256}.safetensors"

    @property
    def signature(self) -> Path:
        """Signature of the ledger's head, when somebody signed it."""
        return self.root / "head.signature.json"

    @property
    def stream(self) -> Path:
        """Stream files that a Python program had written, with the data and rules that they name."""
        return self.root / "stream"

    @property
    def report(self) -> Path:
        """Pictures and pages for people; can be redrawn."""
        return self.root / "report"

    @property
    def inbox(self) -> Path:
        """Decisions of people that wait until no agent holds the home."""
        return self.root / "inbox"

    def pictures(self, run: int, task: str) -> Path:
        """Pictures of one task of a run."""
        return self.report / f"run{run}" / task


@contextmanager
def hold(root: Path) -> Iterator[Home]:
    """Make the home if need be and hold it exclusively.

    The lock belongs to the process, so that it ends with it, however it ends. What a killed step left half-written is
    removed.

    Raises:
        HomeHeldError: another agent holds it (named by process id and start).
        InputError: not a directory, or not writable.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        for part in ("weights", "report"):
            (root / part).mkdir(exist_ok=True)
        handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"--home {root}: cannot be used: {cause(error)}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _lock_folder(folder)  # which stays the same where somebody removes the file
        except OSError as error:
            holder = os.pread(handle, 64, 0).decode(errors="replace").strip()
            raise HomeHeldError(f"--home {root}: another agent lives here (process {holder or 'unknown'})") from error
        os.ftruncate(handle, 0)
        since = datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
        os.pwrite(handle, f"{os.getpid()}, since {since}".encode(), 0)
        _clear(root)
        yield Home(root)
    finally:
        os.close(folder)
        os.close(handle)


def is_held(root: Path) -> bool | None:
    """Whether an agent holds the home now; None where this system does not tell.

    The kernel is asked, and no lock is tried, so that no agent is turned away meanwhile.
    """
    try:
        inode = (root / "lock").stat().st_ino
        held = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return False if Path("/proc/locks").exists() else None
    except (OSError, ValueError):
        return None
    return any("FLOCK" in line and "->" not in line and f":{inode} " in line for line in held)


def _lock_folder(folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        # Some network file systems lock no folders; there the file has to do.


def _clear(root: Path) -> None:
    for partial in (root / "weights").glob("*.partial"):
        partial.unlink(missing_ok=True)
    for folder in root.glob(f"{STEP}*"):
        shutil.rmtree(folder, ignore_errors=True)
