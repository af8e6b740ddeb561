"""Files that a command writes where a person says: whole or not at all, of the expected kind, never through a link."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from selfnas.errors import InputError, cause

__all__ = ["check_continued", "check_kind", "check_new", "check_output", "write_whole"]


def check_kind(path: Path, suffixes: Sequence[str]) -> Path:
    """The same path, of a file that ends as it should.

    So no typing error writes a page or a card onto a ledger or onto weights.

    Raises:
        InputError: it ends in something else, or is a folder.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: what is written here ends in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder")
    return path


def check_new(path: Path, *, force: bool) -> Path:
    """The same path, where nothing lies yet: no file, no folder and no link, not even one that leads nowhere.

    Args:
        force: a file or a link may lie there; it is going to be replaced.

    Raises:
        InputError: something does.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder")
    if os.path.lexists(path) and not force:
        raise InputError(f"{path}: there is such a file already: choose another name, or replace it with --force")
    return path


def check_output(path: Path, suffixes: Sequence[str], *, force: bool) -> Path:
    """The same path, of a new file that a command is told to write: of its kind, and not inside the home of a life.

    Raises:
        InputError: see `check_kind` and `check_new`; or it lies in a home, whose files are the life's own.
    """
    return _outside_homes(check_new(check_kind(path, suffixes), force=force))


def check_continued(path: Path) -> Path:
    """The same path, of a file that a command reads and adds to: no link, and not inside the home of a life.

    Raises:
        InputError: it is one, or lies there.
    """
    if path.is_symlink():
        raise InputError(f"{path}: is a link: name the file itself")
    return _outside_homes(path)


def _outside_homes(path: Path) -> Path:
    for folder in path.resolve().parents:
        if (folder / "ledger.db").is_file():
            raise InputError(f"{path}: lies in {folder}, the home of a life: choose a place outside it")
    return path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all; a link is replaced itself, and what it led to stays. Folders are made.

    Raises:
        InputError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as file:
                file.write(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {cause(error)}") from error
