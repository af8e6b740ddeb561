"""What an executor and its workers elsewhere say to each other: typed messages, checked when they are read."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from selfnas.digests import canonical_json
from selfnas.errors import SelfnasError

__all__ = [
    "Ask",
    "DamagedError",
    "File",
    "Input",
    "Listing",
    "Meet",
    "Met",
    "Take",
    "Taken",
    "Told",
    "decode_answer",
    "decode_question",
    "digest_of",
    "encode",
]


class DamagedError(SelfnasError, ValueError):
    """A message is not what its sender says it is."""


def digest_of(content: str | bytes) -> str:
    """SHA-256 in hexadecimal; of a text, of its UTF-8."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file that jobs read.

    Attributes:
        name: below the folder of its listing, with `/`.
        path: where it lies on the machine of the life.
        size: bytes.
        sha256: of its content.
    """

    name: str
    path: str
    size: int
    sha256: str


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files that are read together."""

    files: tuple[File, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over names and contents."""
        return digest_of(canonical_json([[file.name, file.sha256] for file in self.files]))


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of a job that say where files lie.

    Attributes:
        listing: digest of the listing that the files are of.
        keys: by key of the job, such as `task.path`, what it is worth where the files were sent.
        absolute: keys whose worth begins with the folder that they were sent to.
    """

    listing: str
    keys: dict[str, str]
    absolute: tuple[str, ...]


class Meet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Who are you, and, where asked for, what does the canary training give on this device?"""

    canary: bool
    device: str


class Met(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """A worker that is ready.

    Attributes:
        pid: of its process.
        versions: of Python and of the libraries that decide what a training gives.
        canary: SHA-256 of what the canary training gave; empty where it was not asked for.
        reason: why it gave nothing.
    """

    pid: int
    versions: dict[str, str]
    canary: str = ""
    reason: str = ""


class Take(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """A file that the worker lacks."""

    sha256: str
    content: bytes


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Whether the content was that of the digest."""

    sha256: str
    right: bool


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """A job.

    Attributes:
        job: its text.
        inputs: files that it reads.
        listings: of these, those that this worker was not told yet.
        outputs: keys of the job that name folders which it writes files into.
    """

    job: str
    inputs: tuple[Input, ...] = ()
    listings: tuple[Listing, ...] = ()
    outputs: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """What came of a job.

    Attributes:
        identity: SHA-256 of the job's text.
        answer: its answer.
        sha256: of the answer.
        files: by `KEY/NAME` those that it wrote.
        lacking: digests of files that must be sent before it can be done; it was not begun then.
        trouble: kind of the error that is none of the job's; empty for none.
        reason: what that error says.
    """

    identity: str
    answer: str = ""
    sha256: str = ""
    files: dict[str, bytes] = {}
    lacking: tuple[str, ...] = ()
    trouble: str = ""
    reason: str = ""


_Question = Meet | Take | Ask
_Answer = Met | Taken | Told
_Read = TypeVar("_Read")
_QUESTION: msgspec.msgpack.Decoder[_Question] = msgspec.msgpack.Decoder(_Question)
_ANSWER: msgspec.msgpack.Decoder[_Answer] = msgspec.msgpack.Decoder(_Answer)
_ENCODER = msgspec.msgpack.Encoder()


def encode(message: _Question | _Answer) -> bytes:
    """The bytes of a message."""
    return _ENCODER.encode(message)


def decode_question(content: bytes) -> _Question:
    """What a worker is asked; raises `DamagedError` for anything else."""
    return _decoded(_QUESTION, content)


def decode_answer(content: bytes) -> _Answer:
    """What a worker answers; raises `DamagedError` for anything else."""
    return _decoded(_ANSWER, content)


def _decoded(decoder: msgspec.msgpack.Decoder[_Read], content: bytes) -> _Read:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedError(f"not a message of ours: {error}") from error
