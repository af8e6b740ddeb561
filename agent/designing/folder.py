"""The folder of a design: what it was begun with, the life that searches, and the bundle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.designing.asked import Asked
from agent.designing.spec import parse_spec
from agent.ledger.home import Home
from selfnas.documents import read_text
from selfnas.errors import InputError
from selfnas.files import check_continued, write_whole

__all__ = ["DesignFolder"]

_KEPT = "design.json"
_PRIVATE = 0o700  # of a life: examples lie in it


@dataclass(frozen=True, slots=True)
class DesignFolder:
    """Where the parts of a design lie."""

    root: Path

    @property
    def home(self) -> Home:
        """Of the life that searches."""
        return Home(self.root / "life")

    @property
    def bundle(self) -> Path:
        """The folder that is handed on."""
        return self.root / "bundle"

    def stream(self, asked: Asked) -> Path:
        """The stream file that the life lives."""
        return self.home.stream / f"{asked.spec.design}.yaml"

    def begun(self, asked: Asked) -> bool:
        """Whether the same specification was begun here before.

        Raises:
            InputError: another one was, or something else lies here.
        """
        path = check_continued(self.root / _KEPT)
        if not path.exists():
            if self.root.is_symlink() or (self.root.exists() and not self.root.is_dir()):
                raise InputError(f"{self.root}: is a link or a file, not a folder")
            held = {each.name for each in self.root.iterdir()} if self.root.is_dir() else set()
            if held - {"life"} or self.home.ledger.exists():
                raise InputError(f"{self.root}: holds what is no design: choose another --folder")
            return False
        before = _kept(path)
        text, digest = before["specification"], before["constraint_set"]
        then = parse_spec(text, name=str(path)).value
        now = parse_spec(asked.text, name="the specification").value
        if then.digest != now.digest:
            one, other = (each.model_dump(mode="json", exclude_none=True) for each in (then, now))
            edited = ", ".join(_edited(one, other))
            raise InputError(
                f"{self.root}: the design there was begun with another specification, which differs in {edited}: go on "
                "with that one, or choose another --folder"
            )
        if digest != asked.set_.digest:
            raise InputError(
                f"{self.root}: the design there was begun with another constraint set {asked.set_.name!r}: go on with "
                "that one, or choose another --folder"
            )
        return True

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            InputError: it cannot be made.
        """
        try:
            self.home.root.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        except OSError as error:
            raise InputError(f"{self.root}: cannot be made: {error.strerror}") from error

    def begin(self, asked: Asked) -> None:
        """Keep what was asked: from now on the design goes on with this alone.

        Raises:
            InputError: it cannot be written.
        """
        kept = {"specification": asked.text, "constraint_set": asked.set_.digest}
        write_whole(self.root / _KEPT, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def _kept(path: Path) -> dict[str, str]:
    try:
        found = json.loads(read_text(path, most=1 << 20))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(key), str) for key in ("specification", "constraint_set")
    ):
        raise InputError(f"{path}: is not what a design was begun with: choose another --folder")
    return found


def _edited(one: dict[str, Any], other: dict[str, Any], place: str = "") -> list[str]:
    """Keys whose values differ, the innermost that do."""
    found: list[str] = []
    for key in sorted({*one, *other}):
        was, now = one.get(key), other.get(key)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            found += _edited(was, now, f"{place}{key}.")
        else:
            found.append(f"{place}{key}")
    return found
