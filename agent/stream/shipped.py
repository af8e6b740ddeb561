"""The streams that come with the project: run by name, without a file of one's own."""

from __future__ import annotations

import os
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from selfnas.errors import InputError

__all__ = ["shipped_streams", "stream_folder", "stream_path"]


def shipped_streams() -> tuple[str, ...]:
    """Names of the streams that come with the project."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def stream_path(path: Path) -> Path:
    """The file that a person means: the one at `path`, or else the shipped stream of that name.

    Raises:
        InputError: a bare name, of no file and of no shipped stream.

    Example:
        >>> stream_path(Path("quickstart")).name, stream_path(Path("mine/tasks.yaml")).name
        ('quickstart.yaml', 'tasks.yaml')
    """
    name = str(path)
    if name != path.name or path.suffix or os.path.isfile(path):
        return path
    known = shipped_streams()
    if name in known:
        return _folder() / f"{name}.yaml"
    if os.path.exists(path):  # a folder: reading it says so
        return path
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"unknown stream {name!r}: no such file, and the shipped streams are: {', '.join(known)}{hint}")


def stream_folder(path: Path) -> Path:
    """Where a stream's relative paths start: at its file, or for a shipped stream at the current directory.

    A shipped stream names no files itself; what `--set` puts into it belongs to the person who types it.
    """
    folder = path.resolve().parent
    return Path.cwd() if folder == _folder().resolve() else folder


def _folder() -> Path:
    return Path(str(resources.files("agent"))) / "stream_files"
