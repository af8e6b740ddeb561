"""Labelled arrays as they come from a person: in memory, or in `.npz` and `.npy` files.

Nothing is unpickled. A file is judged by its headers before any array is allocated. How examples are split, scaled and
transformed is left to `tasks.py`.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfnas.data.cells import Cells, typed
from selfnas.data.columns import Column, ColumnType
from selfnas.data.forms import Channels, Form, form_of
from selfnas.data.labels import decoded, read_targets
from selfnas.data.preparation import LayoutStep
from selfnas.data.raw import Fetch, Kind, RawData, as_examples, check_memory, check_pair
from selfnas.data.sources.members import (
    CATEGORIES,
    UNREADABLE,
    Header,
    blocks,
    header_of,
    headers_of,
    present_keys,
    reading,
)
from selfnas.data.spec import TaskSpec
from selfnas.data.targets import Split, TargetSpec
from selfnas.errors import InputError, cause

__all__ = [
    "Arrays",
    "Kind",
    "RawData",
    "Split",
    "own_arrays",
    "raw_data",
    "read_arrays",
    "read_npy",
    "read_npz",
    "stored",
]

_MAX_BYTES = 2**30  # as stored, and as float32: all of CIFAR-10 fits, a hostile header does not
_MANY_BYTES = 2**27  # of images, as float32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrays:
    """A person's own arrays in memory: what an `.npz` file of theirs would hold.

    Attributes:
        x: examples; the forms are those of `read_npz`.
        y: targets, `(n,)` or `(n, k)`.
        test: examples and targets of a test part of their own; None where there is none.
        validation: the same of a validation part.
        groups: `(n,)` numbers or text, equal where examples belong together; None where nothing is said.
        columns: of a table; empty for everything else.

    Raises:
        InputError: Python objects instead of numbers or strings.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    test: tuple[NDArray[Any], NDArray[Any]] | None = None
    validation: tuple[NDArray[Any], NDArray[Any]] | None = None
    groups: NDArray[Any] | None = None
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        for key, value in self.by_key().items():
            if value.dtype.hasobject:
                raise InputError(f"{key} holds Python objects: need an array of numbers or strings")

    def by_key(self) -> dict[str, NDArray[Any]]:
        """The arrays by their keys in a file."""
        if self.test is None:
            held = {"x": self.x, "y": self.y}
        else:
            held = {"x_train": self.x, "y_train": self.y, "x_test": self.test[0], "y_test": self.test[1]}
        if self.validation is not None:
            held |= {"x_validation": self.validation[0], "y_validation": self.validation[1]}
        if self.groups is not None:
            held["groups"] = self.groups
        if self.columns:
            held["columns"] = np.array([column.name for column in self.columns], dtype=np.str_)
        for index, column in enumerate(self.columns):
            if column.categorical:
                held[f"{CATEGORIES}{index}"] = np.array(column.categories, dtype=np.str_)
        return held

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


def own_arrays(
    x: ArrayLike | Sequence[ArrayLike],
    y: ArrayLike,
    *,
    test: tuple[ArrayLike | Sequence[ArrayLike], ArrayLike] | None = None,
    validation: tuple[ArrayLike | Sequence[ArrayLike], ArrayLike] | None = None,
    groups: ArrayLike | None = None,
    columns: Mapping[str, ColumnType] | None = None,
) -> Arrays:
    """What a person gives from a program, DataFrames included, as arrays that a file can hold.

    Args:
        x: examples; see `as_examples`. A DataFrame is a table, whose columns are of the type that their values have.
        y: targets.
        test: the same for a test part.
        validation: the same for a validation part.
        groups: which examples belong together.
        columns: of DataFrames, the type of some columns.

    Raises:
        InputError: no such arrays, or columns of no type.
    """
    parts = {"x": x, "x_test": None if test is None else test[0], "x_validation": validation and validation[0]}
    given = {key: value for key, value in parts.items() if value is not None}
    frames = {key: cells for key, value in given.items() if (cells := _frame(value)) is not None}
    if frames and len(frames) < len(given):
        raise InputError(f"{', '.join(frames)} are DataFrames, the other parts are not: need one kind for all")
    if columns and not frames:
        raise InputError("columns: are of a DataFrame; for an array `kind: table` takes every column for numbers")
    table = typed(frames, columns or {}, written=False) if frames else None
    held = dict(table.parts) if table else {key: as_examples(value) for key, value in given.items()}
    return Arrays(
        x=held["x"],
        y=_plain(y),
        test=None if test is None else (held["x_test"], _plain(test[1])),
        validation=None if validation is None else (held["x_validation"], _plain(validation[1])),
        groups=None if groups is None else _plain(groups),
        columns=table.columns if table else (),
    )


def _frame(value: object) -> Cells | None:
    """The columns of a DataFrame; None of anything else."""
    names, items = getattr(value, "columns", None), getattr(value, "items", None)
    if names is None or not callable(items):
        return None
    return {str(name): _numbers(np.asarray(column)) for name, column in items()}


def _numbers(cells: NDArray[Any]) -> NDArray[Any]:
    """Objects that are numbers, as columns of pandas that may lack some are, as numbers with NaN; others with None."""
    if not cells.dtype.hasobject:
        return cells
    held = [None if cell is None or type(cell).__name__ in _NOTHING else cell for cell in cells.tolist()]
    if all(cell is None or isinstance(cell, int | float | np.number | np.bool_) for cell in held):
        return np.array([np.nan if cell is None else float(cell) for cell in held])
    found = np.empty(len(held), dtype=object)
    found[:] = held
    return found


_NOTHING = ("NAType", "NaTType")  # of pandas, where a value is missing


def _plain(values: ArrayLike) -> NDArray[Any]:
    """An array; objects that are all text or all numbers, as pandas has them, become that."""
    found = np.asarray(values)
    if not found.dtype.hasobject:
        return found
    if all(isinstance(each, str) for each in found.reshape(-1).tolist()):
        return found.astype(np.str_)
    return _numbers(found) if found.ndim == 1 else found


def read_npz(
    path: Path, *, kind: Kind | None = None, channels: Channels | None = None, target: TargetSpec | None = None
) -> RawData:
    """A person's own arrays: `x, y` or `x_train, y_train, x_test, y_test`.

    Images are `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)`; series `(n, length)`, `(n, channels, length)` or `(n,
    length, channels)`, with NaN for gaps and behind shorter ones; tables `(n, columns)` with NaN for what is missing;
    tokens `(n, length)`. What neither `kind` nor `channels` says is told by shape and type, or asked for: `form_of`.
    Labels are whole numbers or strings, numbered 0, 1, … in sorted order; other targets are those that `target` states.

    A file may also hold `x_validation, y_validation`; `groups`, `(n,)` numbers or text, equal where examples of `x` or
    `x_train` belong together; and of a table `columns`, the names, with `categories_3`, the meanings of the codes 0, 1,
    … in column 3, for each column that holds codes.

    Raises:
        InputError: missing or unreadable, too large, pickled, lacking keys, or not such arrays.
    """
    return raw_data(_read_members(path), kind=kind, channels=channels, target=target)


def stored(path: Path, spec: TaskSpec) -> RawData:
    """The same, as a task states it; a file larger than its memory is read block by block, if a limit makes it fit.

    So are many images of bytes, so that they are never held both as bytes and as numbers.
    """
    headers = headers_of(path)
    needed, xs = sum(header.needed for header in headers.values()), [headers[key] for key in headers if key[0] == "x"]
    large = needed > spec.most_bytes and (spec.limit or spec.resize)
    bytes_ = all(x.dtype == np.uint8 and not x.fortran for x in xs) and spec.resize is None
    many = bytes_ and needed > _MANY_BYTES
    if not (large or many) or min(len(x.shape) for x in xs) < 3:  # rows of two axes are told by their numbers
        return raw_data(
            _read_members(path, most=spec.most_bytes), kind=spec.kind, channels=spec.channels, target=spec.target
        )
    small = tuple(key for key in headers if not key.startswith("x"))
    arrays = dict(_read_members(path, lambda _: small, most=spec.most_bytes))
    for key, header in headers.items():
        if key.startswith("x"):
            if header.fortran:
                raise InputError(f"{path}: {key} is stored column by column, which cannot be read in parts")
            arrays[key] = np.broadcast_to(np.zeros((), header.dtype), header.shape)
    return raw_data(arrays, kind=spec.kind, channels=spec.channels, target=spec.target, fetched=_fetch(path, headers))


def read_npy(path: Path, labels: Path, spec: TaskSpec) -> RawData:
    """Examples and labels, each in an `.npy` file; raises as `read_npz`."""
    held = {"x": _one_array(path, spec.most_bytes), "y": _one_array(labels, spec.most_bytes)}
    return raw_data(held, kind=spec.kind, channels=spec.channels, target=spec.target)


def _one_array(path: Path, most: int) -> NDArray[Any]:
    if not path.is_file():
        raise InputError(f"{'not a file' if path.exists() else 'no such file'}: {path}")
    try:
        with path.open("rb") as stream:
            header = header_of(stream, path.name)
        check_memory(header.needed, most, str(path))
        found: NDArray[Any] = np.load(path, allow_pickle=False)
        return found
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {cause(error)}") from error


def raw_data(
    arrays: Mapping[str, NDArray[Any]],
    *,
    kind: Kind | None = None,
    channels: Channels | None = None,
    target: TargetSpec | None = None,
    fetched: Callable[[Form, Mapping[str, str]], Fetch] | None = None,
) -> RawData:
    """The same of arrays at hand, by the keys that they would have in a file; raises as `read_npz`.

    Args:
        arrays: by key.
        kind: as stated; None lets the arrays tell.
        channels: as stated.
        target: as stated; None asks for classification.
        fetched: for arrays whose examples are not in memory, what reads them, once form and keys are known.
    """
    train = "x_train" if "x_train" in arrays else "x"
    xs = {key: value for key, value in arrays.items() if key in ("x", "x_train", "x_validation", "x_test")}
    looked_at = arrays[train]
    form = form_of(looked_at, train, kind=kind, channels=channels)
    layout = LayoutStep(axes=form.axes)
    for key, value in xs.items():
        form_of(value, key, kind=form.kind, channels=channels)
        if value.ndim != looked_at.ndim:
            raise InputError(f"{train} has shape {looked_at.shape}, {key} {value.shape}: need equally many axes")
    shaped = _alike({key: _moved(value, layout, form.kind) for key, value in xs.items()}, form, train)
    for key, x in shaped.items():
        check_pair(x, arrays["y" + key[1:]], key, gaps=form.kind != "image" and fetched is None)
    answers = read_targets({"y" + key[1:]: arrays["y" + key[1:]] for key in shaped}, target)
    pairs = {key: (x, answers.parts["y" + key[1:]]) for key, x in shaped.items()}
    return RawData(
        kind=form.kind,
        x=pairs[train][0],
        y=pairs[train][1],
        test=pairs.get("x_test"),
        validation=pairs.get("x_validation"),
        labels=answers.names,
        target=answers.kind,
        axes=form.axes,
        groups=_groups(arrays, len(pairs[train][1])),
        columns=_columns(arrays, pairs[train][0]) if form.kind == "table" else (),
        notes=(form.note,) if form.note else (),
        fetch=None if fetched is None else fetched(form, {"x": train, "test": "x_test", "validation": "x_validation"}),
        shape=_open_ended(looked_at.shape[1:], form, list(shaped.values())),
        units=tuple((target.units if target else None) or ()),
        quantiles=tuple((target.quantiles if target else None) or ()),
    )


def _moved(x: NDArray[Any], layout: LayoutStep, kind: Kind) -> NDArray[Any]:
    """Channels first; tables in float64, for which NaN can stand; tokens without channels."""
    if kind == "table":
        return x.astype(np.float64)
    return layout.moved(x)


def _alike(shaped: Mapping[str, NDArray[Any]], form: Form, train: str) -> dict[str, NDArray[Any]]:
    """Parts of equal shape; of series and tokens the shorter part gets NaN behind it."""
    lengths = {key: x.shape[-1] for key, x in shaped.items()}
    if form.kind in ("series", "tokens") and len(set(lengths.values())) > 1:
        longest = max(lengths.values())
        return {
            key: np.pad(
                x.astype(np.float64), ((0, 0), *((0, 0),) * (x.ndim - 2), (0, longest - x.shape[-1])),
                constant_values=np.nan,
            )
            for key, x in shaped.items()
        }  # fmt: skip
    for key, x in shaped.items():
        if x.shape[1:] != shaped[train].shape[1:]:
            raise InputError(
                f"{train} holds examples of shape {shaped[train].shape[1:]}, {key} of {x.shape[1:]}: need equal"
            )
    return dict(shaped)


def _open_ended(shape: tuple[int, ...], form: Form, parts: Sequence[NDArray[Any]]) -> tuple[int, ...] | None:
    """Shape of a raw example with 0 for its length, where series end early; None where none does."""
    if form.kind not in ("series", "tokens"):
        return None
    for x in parts:
        if x.dtype.kind == "f" and x.size and np.isnan(x[..., -1]).all(axis=tuple(range(1, x.ndim - 1))).any():
            place = form.axes.index("l")
            return (*shape[:place], 0, *shape[place + 1 :])
    return None


def _groups(arrays: Mapping[str, NDArray[Any]], examples: int) -> NDArray[np.int64] | None:
    """`(n,)` numbers of groups, where the arrays have them."""
    if "groups" not in arrays:
        return None
    groups = decoded(arrays["groups"].reshape(-1), "groups")
    if len(groups) != examples or groups.dtype.kind not in "buiU":
        raise InputError(
            f"groups has shape {arrays['groups'].shape} of {groups.dtype}: need whole numbers or text, one for each of "
            f"{examples} examples"
        )
    return np.unique(groups, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _columns(arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]) -> tuple[Column, ...]:
    """Names of columns, and categories of those that hold codes."""
    width = x.shape[1]
    given = arrays.get("columns")
    names = [f"x{k}" for k in range(width)] if given is None else [str(name) for name in decoded(given, "columns")]
    if len(names) != width or len(set(names)) < width:
        raise InputError(f"columns names {len(names)} columns: need one distinct name for each of {width}")
    found = []
    for index, name in enumerate(names):
        values = arrays.get(f"{CATEGORIES}{index}")
        categories = () if values is None else tuple(str(value) for value in decoded(values, f"{CATEGORIES}{index}"))
        codes = x[:, index][~np.isnan(x[:, index])]
        if categories and not np.isin(codes, np.arange(len(categories))).all():
            raise InputError(f"column {name!r} holds codes that are none of 0..{len(categories) - 1}")
        found.append(Column(name=name, categories=categories))
    return tuple(found)


def read_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """Every array of an `.npz` file, once the headers have been judged.

    Raises:
        InputError: missing, unreadable, damaged, too large, a key twice, or pickled.
    """
    return _read_members(path, lambda archive: tuple(sorted(present_keys(archive, path))))


def _read_members(
    path: Path, choose: Callable[[zipfile.ZipFile], tuple[str, ...]] | None = None, *, most: int = _MAX_BYTES
) -> Mapping[str, NDArray[Any]]:
    """The arrays under the chosen, else the known keys, once their headers have been judged."""
    headers = headers_of(path, choose)
    check_memory(sum(header.needed for header in headers.values()), most, str(path))
    with reading(path), np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in headers}


def _fetch(path: Path, headers: Mapping[str, Header]) -> Callable[[Form, Mapping[str, str]], Fetch]:
    """What reads chosen rows of the members of an archive, block by block."""

    def of(form: Form, keys: Mapping[str, str]) -> Fetch:
        def fetch(part: str, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
            key, layout = keys[part], LayoutStep(axes=form.axes)
            for block in blocks(path, key, headers[key], rows):
                yield _moved(block, layout, form.kind)

        return fetch

    return of
