"""Folders for temporary files whose lock says that they are in use, so that what killed processes left is removed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path

__all__ = ["HeldFolder"]


class HeldFolder:
    """A fresh folder that only its owner may enter; those of the same prefix that nobody holds are removed.

    Args:
        prefix: of its name.

    Attributes:
        path: of the folder.
    """

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._held = (self.path / ".new").open("wb")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        (self.path / ".new").rename(self.path / ".held")  # nobody finds it unlocked
        for other in self.path.parent.glob(f"{prefix}*/.held"):
            if other.parent != self.path:
                _remove_unheld(other)

    def close(self) -> None:
        """Remove it."""
        self._held.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_unheld(lock: Path) -> None:
    try:
        with lock.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    except OSError:
        return  # in use, somebody else's, or removed just now
