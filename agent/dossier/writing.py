"""Dossiers as folders: written once, never over another; and what a provider states, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from agent.dossier.annex import ASKED
from agent.dossier.statement import OPEN
from selfnas.errors import InputError, cause, suggestion
from selfnas.files import check_output, write_whole

__all__ = ["read_stated", "write_dossier"]


class Written(Protocol):
    """What has files."""

    @property
    def files(self) -> Mapping[str, str]:
        """Content of each file by its path in the folder."""
        ...


def write_dossier(folder: Path, dossier: Written) -> None:
    """Write its files into a folder that is made, or is empty.

    Raises:
        InputError: something lies there, or in the home of a life; or nothing can be written.
    """
    try:
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise InputError(f"{folder}: there is something already: choose another folder")
    except OSError as error:
        raise InputError(f"{folder}: cannot be used: {cause(error)}") from error
    for name in dossier.files:
        check_output(folder / name, (".json", ".md"), force=False)
    for name, content in dossier.files.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {cause(error)}") from error
        write_whole(folder / name, content)


def read_stated(path: Path) -> Mapping[str, str]:
    """The provider's sentences, by key.

    Raises:
        InputError: no such file, no JSON object of texts, or a key that is not the provider's to state.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise InputError(f"{path}: need one object whose values are texts")
    for key, text in found.items():
        if key not in ASKED:
            raise InputError(f"{path}: {key!r} is no sentence that the provider states{suggestion(key, list(ASKED))}")
        if not text.isprintable() or text.startswith(OPEN):
            raise InputError(f"{path}: {key!r} states nothing that can be printed")
    return found
