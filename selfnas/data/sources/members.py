"""The arrays that a file holds, judged by their headers before any is allocated; nothing is unpickled."""

from __future__ import annotations

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from selfnas.errors import InputError, cause

__all__ = ["CATEGORIES", "UNREADABLE", "Header", "blocks", "header_of", "headers_of", "present_keys", "reading"]

_MAX_MEMBERS = 64
_BLOCK_BYTES = 2**24  # of a file that is read block by block
# What the standard library raises for damaged archives and headers; numpy tokenises old headers.
UNREADABLE = (
    KeyError, MemoryError, OSError, ValueError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, tokenize.TokenError,
)  # fmt: skip
_KEYS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"))
_FURTHER = ("x_validation", "y_validation", "groups", "columns")  # read where a file has them
CATEGORIES = "categories_"  # and of a table, what the codes of a column mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a stored array says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def needed(self) -> int:
        """Bytes that it will need."""
        return math.prod(self.shape) * max(self.dtype.itemsize, np.dtype(np.float32).itemsize)


def headers_of(path: Path, choose: Callable[[zipfile.ZipFile], tuple[str, ...]] | None = None) -> dict[str, Header]:
    """Of the chosen, else the known keys; each holds as many bytes as it declares."""
    if not path.exists():
        raise InputError(f"no such file: {path}")
    if not path.is_file():
        raise InputError(f"not a file: {path}")
    with reading(path), zipfile.ZipFile(path) as archive:
        keys = choose(archive) if choose else _known_keys(archive, path)
        return {key: _judge_header(archive, key) for key in keys}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What a damaged archive raises, as an error of input."""
    try:
        yield
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is not an .npz file or is damaged: {error}") from error
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {cause(error)}") from error


def present_keys(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """Keys of an archive, each once."""
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise InputError(f"{path} has {len(members)} members: at most {_MAX_MEMBERS} are read")
    present = [member.filename.removesuffix(".npy") for member in members]
    if len(set(present)) != len(present):
        raise InputError(f"{path} holds a key twice: {', '.join(sorted(present))}")
    return present


def _known_keys(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    present = present_keys(archive, path)
    for keys in _KEYS:
        if set(keys) <= set(present):
            bare = [member.filename for member in archive.infolist() if member.filename in keys]
            if bare:
                raise InputError(f"{path} holds a member {bare[0]!r}: need {bare[0] + '.npy'!r}")
            return (*keys, *(key for key in present if key in _FURTHER or key.startswith(CATEGORIES)))
    raise InputError(
        f"{path} needs the keys x, y or x_train, y_train, x_test, y_test; it has {', '.join(sorted(present)) or 'none'}"
    )


def _judge_header(archive: zipfile.ZipFile, key: str) -> Header:
    """Of a member, provided that it holds as many bytes as its header declares."""
    member = archive.getinfo(f"{key}.npy")
    with archive.open(member) as stream:
        header = header_of(stream, key)
        declared = math.prod(header.shape) * header.dtype.itemsize
        if min(header.shape, default=0) < 0 or declared != member.file_size - stream.tell():
            raise InputError(
                f"{key} declares shape {header.shape} of {header.dtype}, but holds {member.file_size:,} bytes"
            )
    return header


def header_of(stream: IO[bytes], key: str) -> Header:
    """What stands before the numbers of one array; the stream is then where they begin."""
    version = npy_format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = npy_format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = npy_format.read_array_header_2_0(stream)
    else:
        raise InputError(f"{key} is stored in npy format {version[0]}.{version[1]}: need 1.0 or 2.0")
    if dtype.hasobject:
        raise InputError(f"{key} holds pickled Python objects, which are never read: store numbers or strings")
    return Header(shape=tuple(shape), dtype=dtype, fortran=bool(fortran))


def blocks(path: Path, key: str, header: Header, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """Chosen rows of one member, in order."""
    width = math.prod(header.shape[1:]) * header.dtype.itemsize
    at_once = max(1, _BLOCK_BYTES // max(width, 1))
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as stream:
        header_of(stream, key)
        for start in range(0, header.shape[0], at_once):
            count = min(at_once, header.shape[0] - start)
            held = stream.read(count * width)
            if len(held) < count * width:
                raise InputError(f"{path}: {key} ends early: the file is damaged")
            mine = rows[(rows >= start) & (rows < start + count)] - start
            if len(mine):
                yield np.frombuffer(held, dtype=header.dtype).reshape(count, *header.shape[1:])[mine]
