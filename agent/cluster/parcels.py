"""The files of a job: those that it reads, listed by content, and those that it leaves, checked and put in place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from agent.cluster.messages import DamagedError, File, Input, Listing, digest_of
from agent.ledger.home import AGAIN, StorageError
from agent.workers.jobs import BaselineJob, FullJob, InheritJob, Job, SupernetJob, job_from_json
from agent.workers.kept import write_whole
from selfnas.data.sources.listing import files_of

__all__ = ["JobParcels", "NoParcels", "Packed", "Parcels"]

_KEPT = re.compile(r"([0-9a-f]{64})\.safetensors")
_PICTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(png|npy)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What a job reads, with the listings of it, and the keys of the folders that it writes into."""

    inputs: tuple[Input, ...] = ()
    listings: Mapping[str, Listing] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()


class Parcels(Protocol):
    """Knows which files go with a job."""

    def pack(self, job: str) -> Packed:
        """The files that it reads and leaves."""
        ...

    def unpack(self, job: str, answer: str, files: Mapping[str, bytes]) -> None:
        """Put what it left where the job says.

        Raises:
            DamagedError: a file is missing, or not what its name says; nothing was written.
            StorageError: the disk would not take it.
        """
        ...


class NoParcels:
    """Of jobs without files."""

    def pack(self, job: str) -> Packed:
        """None."""
        return Packed()

    def unpack(self, job: str, answer: str, files: Mapping[str, bytes]) -> None:
        """Raises `DamagedError` for any file."""
        if files:
            raise DamagedError(f"{len(files)} files that nobody asked for")


class _Named(msgspec.Struct):
    """A file of weights or of answers that an answer names."""

    sha256: str = ""


class _Names(msgspec.Struct):
    """What an answer says of files that its job wrote."""

    weights_sha256: str = ""
    cross: _Named | None = None


class JobParcels:
    """Of the jobs of a life. Files are hashed once, for as long as their size and time of change stay."""

    def __init__(self) -> None:
        self._hashed: dict[tuple[str, int, int], str] = {}

    def pack(self, job: str) -> Packed:
        """The data of its task, weights that it starts from, and the folders of weights and pictures.

        A file that is not there is not listed: whoever does the job says what is wrong with that.
        """
        if not job:
            return Packed()
        read = job_from_json(job)
        found = [self._data(read)]
        if isinstance(read, FullJob) and read.inherit is not None:
            found.append(self._weights("inherit", read.inherit))
        if isinstance(read, BaselineJob | InheritJob) and read.weights:
            found.append(self._weights("weights", read.weights))
        given = [one for one in found if one is not None]
        return Packed(
            inputs=tuple(each for each, _ in given),
            listings={listing.digest: listing for _, listing in given},
            outputs=_outputs(read),
        )

    def unpack(self, job: str, answer: str, files: Mapping[str, bytes]) -> None:
        """Weights go beside others of the life, under their SHA-256; pictures into the folder of the finalist."""
        if not job:
            return
        read = job_from_json(job)
        folders = {key: Path(str(getattr(read, key))) for key in _outputs(read)}
        placed: dict[Path, bytes] = {}
        for name, content in files.items():
            key, _, own = name.partition("/")
            if key not in folders:
                raise DamagedError(f"a file {name!r} that nobody asked for")
            _check(key, own, content)
            placed[folders[key] / own] = content
        told = msgspec.json.decode(answer, type=_Names)
        for digest in filter(None, (told.weights_sha256, told.cross.sha256 if told.cross else "")):
            if "weights" in folders and f"weights/{digest}.safetensors" not in files:
                raise DamagedError(f"the answer names {digest[:12]}…, which did not come with it")
        try:
            for path, content in placed.items():
                write_whole(path, content)
        except OSError as error:
            raise StorageError(f"what a worker sent cannot be written: {error}; {AGAIN}") from error

    def _data(self, job: Job) -> tuple[Input, Listing] | None:
        found = files_of(job.task, base=Path(job.base))
        keys = {"base": "", "task.path": found.path, "task.labels": found.labels}
        listing = self._listing(found.files)
        if not listing.files:
            return None
        named = {key: value for key, value in keys.items() if value is not None}
        return Input(listing=listing.digest, keys=named, absolute=("base",)), listing

    def _weights(self, key: str, place: str) -> tuple[Input, Listing] | None:
        path = Path(place)
        listing = self._listing({path.name: path})
        if not listing.files:
            return None
        return Input(listing=listing.digest, keys={key: path.name}, absolute=(key,)), listing

    def _listing(self, files: Mapping[str, Path]) -> Listing:
        listed = []
        for name, path in sorted(files.items()):
            try:
                status = path.stat()
                known = (str(path.absolute()), status.st_size, status.st_mtime_ns)
                if known not in self._hashed:
                    self._hashed[known] = _hashed(path)
            except OSError:
                continue
            sha256 = self._hashed[known]
            listed.append(File(name=name, path=known[0], size=status.st_size, sha256=sha256))
        return Listing(files=tuple(listed))


def _hashed(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _outputs(job: Job) -> tuple[str, ...]:
    wanted = {SupernetJob: ("weights",), FullJob: ("weights", "pictures")}.get(type(job), ())
    return tuple(key for key in wanted if getattr(job, key) is not None)


def _check(key: str, name: str, content: bytes) -> None:
    if key == "pictures":
        if not _PICTURE.fullmatch(name):
            raise DamagedError(f"no name of a picture: {name!r}")
        return
    match = _KEPT.fullmatch(name)
    if match is None or match[1] != digest_of(content):
        raise DamagedError(f"weights are not what their name says: {name[:80]!r}")
