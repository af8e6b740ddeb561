"""A worker on any machine: does jobs with the files that are there, or were sent, and hands back what they left."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from agent.cluster.canary import canary, versions
from agent.cluster.folders import HeldFolder
from agent.cluster.messages import (
    Ask,
    DamagedError,
    Input,
    Listing,
    Meet,
    Met,
    Take,
    Taken,
    Told,
    decode_question,
    digest_of,
    encode,
)
from agent.workers.executor import Work
from selfnas.errors import SelfnasError

__all__ = ["Node"]

_FOLDER = "selfnas-node-"


class Node:
    """Answers messages, one after the other.

    Args:
        work: what it does with a job.
        prepare: called first; imports what takes long.
        own_copies: whether files of this machine are read where the life's machine has them; else all are sent.
    """

    def __init__(self, work: Work, *, prepare: Callable[[], None], own_copies: bool = True) -> None:
        prepare()
        self._work, self._own_copies = work, own_copies
        self._held = HeldFolder(_FOLDER)
        self._folder = self._held.path
        self._listings: dict[str, Listing] = {}
        self._places: dict[str, Path | None] = {}  # by listing where its files were put; None for where they are
        self._hashed: dict[tuple[str, int, int], str] = {}

    def handle(self, message: bytes) -> bytes:
        """The answer to a message.

        Raises:
            DamagedError: it is none of ours.
        """
        asked = decode_question(message)
        if isinstance(asked, Meet):
            return encode(self._meet(asked))
        return encode(self._take(asked) if isinstance(asked, Take) else self._ask(asked))

    def close(self) -> None:
        """Remove what it was sent; it is asked nothing any more."""
        self._held.close()

    def _meet(self, asked: Meet) -> Met:
        trained = reason = ""
        if asked.canary:
            try:
                trained = canary(asked.device)
            except Exception as error:  # noqa: BLE001 - whatever it is, the head decides what it means
                reason = f"{type(error).__name__}: {error}"
        return Met(pid=os.getpid(), versions=versions(), canary=trained, reason=reason)

    def _take(self, asked: Take) -> Taken:
        right = digest_of(asked.content) == asked.sha256
        if right:
            path = self._stored(asked.sha256)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(asked.content)
        return Taken(sha256=asked.sha256, right=right)

    def _ask(self, asked: Ask) -> Told:
        identity = digest_of(asked.job)
        self._listings.update({listing.digest: listing for listing in asked.listings})
        try:
            if lacking := self._lacking(asked.inputs):
                return Told(identity=identity, lacking=lacking)
            with tempfile.TemporaryDirectory(dir=self._folder) as outbox:
                answer = self._work(self._localised(asked, Path(outbox)))
                files = _collected(Path(outbox))
        except Exception as error:
            logging.getLogger(__name__).warning("trouble with a job", exc_info=True)
            plain = str(error) if isinstance(error, SelfnasError) else f"{type(error).__name__}: {error}"
            return Told(identity=identity, trouble=type(error).__name__, reason=plain)
        return Told(identity=identity, answer=answer, sha256=digest_of(answer), files=files)

    def _localised(self, asked: Ask, outbox: Path) -> str:
        """The job with the places of this machine."""
        if not asked.outputs and all(self._places[one.listing] is None for one in asked.inputs):
            return asked.job
        job = json.loads(asked.job)
        for one in asked.inputs:
            place = self._places[one.listing]
            if place is not None:
                for key, worth in one.keys.items():
                    _set(job, key, str(place / worth) if key in one.absolute else worth)
        for key in asked.outputs:
            (outbox / key).mkdir()
            _set(job, key, str(outbox / key))
        return json.dumps(job)

    def _lacking(self, inputs: tuple[Input, ...]) -> tuple[str, ...]:
        """Digests of files that are needed and not here; nothing where all is in place."""
        lacking: dict[str, None] = {}
        for one in inputs:
            listing = self._listings.get(one.listing)
            if listing is None or listing.digest != one.listing:
                raise DamagedError(f"a job reads files of a list {one.listing[:12]}… that was not told")
            if one.listing in self._places and self._places[one.listing] is not None:
                continue
            if self._own_copies and self._has_all(listing):
                self._places[one.listing] = None
                continue
            missing = [file.sha256 for file in listing.files if not self._stored(file.sha256).is_file()]
            if missing:
                lacking.update(dict.fromkeys(missing))
            else:
                self._places[one.listing] = self._laid_out(listing)
        return tuple(lacking)

    def _has_all(self, listing: Listing) -> bool:
        """Whether this machine has each file where the life's has it, with that content."""
        return all(self._hash_of(Path(file.path), file.size) == file.sha256 for file in listing.files)

    def _hash_of(self, path: Path, size: int) -> str:
        """SHA-256 of a file of that size; empty where there is none."""
        try:
            status = path.stat()
            if status.st_size != size:
                return ""
            known = (str(path), size, status.st_mtime_ns)
            if known not in self._hashed:
                with path.open("rb") as file:
                    self._hashed[known] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
        return self._hashed[known]

    def _laid_out(self, listing: Listing) -> Path:
        """A folder with the files that were sent, under their names."""
        folder = self._folder / listing.digest
        for file in listing.files:
            name = PurePosixPath(file.name)
            if name.is_absolute() or ".." in name.parts:
                raise DamagedError(f"a file {file.name!r} that would lie elsewhere")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                os.link(self._stored(file.sha256), path)
        return folder

    def _stored(self, sha256: str) -> Path:
        if len(sha256) != 64 or not sha256.isalnum():
            raise DamagedError(f"no SHA-256: {sha256[:80]!r}")
        return self._folder / "sent" / sha256


def _set(job: Any, key: str, worth: str) -> None:
    *outer, last = key.split(".")
    for name in outer:
        job = job[name]
    job[last] = worth


def _collected(outbox: Path) -> dict[str, bytes]:
    """By `KEY/NAME` what was written; each key has a folder without folders."""
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(outbox.glob("*/*"))}
