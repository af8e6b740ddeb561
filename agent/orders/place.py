"""Where the parts of a service lie, held by one server at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.designing.folder import DesignFolder
from agent.ledger.home import Home
from selfnas.errors import InputError, cause

__all__ = ["Place", "holding", "read_token"]

_PRIVATE = 0o700  # of the folder: data of people lie in it
_LEAST, _MOST = 20, 200  # characters of a token
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a service; absolute, for lives keep the paths of their data."""

    root: Path

    @property
    def queue(self) -> Path:
        """The SQLite file of designs and their events."""
        return self.root / "queue.db"

    @property
    def token(self) -> Path:
        """The file of the token, unless another is named."""
        return self.root / "token"

    @property
    def designs(self) -> Path:
        """A folder for each design, by its id; one that begins with a dot is not accepted yet."""
        return self.root / "designs"

    def folder(self, design: str) -> Path:
        """All of one design."""
        return self.designs / design

    def specification(self, design: str) -> Path:
        """As it was accepted."""
        return self.folder(design) / "specification.yaml"

    def made(self, design: str) -> DesignFolder:
        """What `selfnas design` makes of it."""
        return DesignFolder(self.folder(design) / "design")

    def home(self, design: str) -> Home:
        """The life that searches."""
        return self.made(design).home

    def log(self, design: str) -> Path:
        """What worker processes wrote that nobody should have to read."""
        return self.folder(design) / "worker.log"


@contextmanager
def holding(root: Path) -> Iterator[Place]:
    """Make the folder if need be and hold it; the lock ends with the process, however that ends.

    Raises:
        InputError: another server holds it, or it cannot be used.
    """
    place = Place(root.absolute())
    try:
        place.designs.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        place.root.chmod(_PRIVATE)
        handle = os.open(place.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(f"--folder {root}: cannot be used: {cause(error)}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield place
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise InputError(f"--folder {root}: another server answers there") from error
    finally:
        os.close(handle)


def read_token(path: Path, *, make: bool) -> str:
    """The token of a file that its owner alone may read.

    Args:
        path: of the file.
        make: write a new token where there is no file.

    Raises:
        InputError: it cannot be read or made, others may read it, or it holds no token.
    """
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(handle, "w") as file:
                    file.write(secrets.token_urlsafe(32) + "\n")
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST + 2).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--token {path}: cannot be used: {cause(error)}") from error
    if not stat.S_ISREG(mode) or mode & _OTHERS:
        raise InputError(f"--token {path}: others may read it: chmod 600 {path}")
    if not _LEAST <= len(text) <= _MOST or not text.isprintable() or " " in text:
        raise InputError(f"--token {path}: need one word of {_LEAST} to {_MOST} characters")
    return text
