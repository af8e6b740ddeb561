"""New examples of a known task, read from files and brought into the form that its networks were trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.datasets import Kind, RawData, Split, raw_data, read_arrays, read_npz
from selfnas.data.forms import Channels
from selfnas.data.tasks import Task, TaskSpec, load_with, read_source
from selfnas.errors import InputError, Problem

__all__ = ["Batch", "load_batches", "read_examples", "write_examples"]


_LAST = (1, 3, 4)  # so many channels of images are written last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """One file of new examples.

    Attributes:
        path: as the person named it.
        digest: SHA-256 over its examples and labels, not over the file.
        x: `(n, channels, *size)` as in the file.
        labels: `(n,)` names of the classes, as the task's source calls them.
        split: the same examples as the task's networks see them; fewer where the task keeps only some classes.
    """

    path: Path
    digest: str
    x: NDArray[Any]
    labels: NDArray[np.str_]
    split: Split


def load_batches(spec: TaskSpec, paths: Sequence[Path], *, base: Path) -> tuple[Task, tuple[Batch, ...]]:
    """The task and its new examples; each file has the keys `x, y` in the form of the task's source.

    Raises:
        InputError: the task or a file cannot be loaded, or a file has other shapes, kinds or labels than the source; or
            the task does not ask for classes.
    """
    raw = read_source(spec, base=base)
    if raw.target != "classification" or raw.kind == "table":
        raise InputError(f"task {spec.name!r}: new data are compared by classes of images or series alone")
    read = [_read(path, raw, spec) for path in paths]
    digests = [_digest(x, labels) for x, labels in read]
    numbers = {label: number for number, label in enumerate(raw.labels)}
    # Named by content, not by place: what a transformation draws for a batch must not depend on the other files.
    further = {
        digest: (x, np.array([numbers[label] for label in labels.tolist()], dtype=np.int64))
        for digest, (x, labels) in zip(digests, read, strict=True)
    }
    task, splits = load_with(spec, further, base=base)
    return task, tuple(
        Batch(path=path, digest=digest, x=x, labels=labels, split=splits[digest])
        for path, digest, (x, labels) in zip(paths, digests, read, strict=True)
    )


def write_examples(folder: Path, x: NDArray[Any], labels: NDArray[np.str_], *, kind: str) -> str:
    """Write examples as an `.npz` file named by their digest, whole or not at all; the file's name.

    Args:
        folder: made if need be.
        x: `(n, channels, *size)`; series and images are told apart by `kind`.
        labels: `(n,)` names of classes; written as whole numbers where all are.
        kind: `image` or `series`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{_digest(x, labels)}.npz"
    whole = all(_is_number(label) for label in labels.tolist())
    shown = np.moveaxis(x, 1, -1) if kind == "image" and x.shape[1] in _LAST else x
    shown = shown[..., 0] if kind == "image" and x.shape[1] == 1 else shown
    partial = folder / f"{name}.partial"
    with partial.open("wb") as file:
        np.savez(file, x=shown, y=labels.astype(np.int64) if whole else labels)
    partial.replace(folder / name)
    return name


def _is_number(label: str) -> bool:
    """Whether a name comes back as it was written when it is stored as a number."""
    try:
        return str(int(label)) == label and abs(int(label)) < 2**63
    except ValueError:
        return False


def read_examples(path: Path, *, kind: Kind) -> tuple[NDArray[Any], NDArray[np.str_]]:
    """What `write_examples` wrote: `(n, channels, *size)` and `(n,)` names of classes.

    Raises:
        InputError: the file is missing, damaged, or does not hold the examples that its name stands for.
    """
    with _naming(path):
        arrays = read_arrays(path)
        found = raw_data(arrays, kind=kind, channels=_written_channels(arrays.get("x"), kind))
    labels = np.array(found.labels, dtype=np.str_)[found.y]
    if found.test is not None or _digest(found.x, labels) != path.stem:
        raise InputError(f"{path}: its examples were changed: they are not those that its name says")
    return found.x, labels


def _written_channels(x: NDArray[Any] | None, kind: Kind) -> Channels | None:
    """Where `write_examples` put the channels."""
    if x is None or x.ndim < (4 if kind == "image" else 3):
        return None
    return "last" if kind == "image" and x.shape[3] in _LAST else "first"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Every problem names the file."""
    try:
        yield
    except InputError as error:
        messages = (problem.message for problem in error.problems)
        named = (text if text.startswith(str(path)) else f"{path}: {text}" for text in messages)
        raise InputError([Problem(text) for text in named]) from error


def _read(path: Path, raw: RawData, spec: TaskSpec) -> tuple[NDArray[Any], NDArray[np.str_]]:
    with _naming(path):
        found = read_npz(path, kind=raw.kind, channels=spec.channels)
    if found.test is not None:
        raise InputError(f"{path}: new data have the keys x and y, not a training and a test part")
    if found.x.shape[1:] != raw.x.shape[1:]:
        raise InputError(
            f"{path}: examples of shape {found.x.shape[1:]}, but task {spec.name!r} has {raw.x.shape[1:]} "
            "(channels, then size, before any resize)"
        )
    if not len(found.y):
        raise InputError(f"{path}: no examples")
    unknown = sorted(set(found.labels) - set(raw.labels))
    if unknown:
        raise InputError(f"{path}: label {unknown[0]!r} is none of task {spec.name!r}: {', '.join(raw.labels[:12])}")
    return found.x, np.array(found.labels, dtype=np.str_)[found.y]


def _digest(x: NDArray[Any], labels: NDArray[np.str_]) -> str:
    content = hashlib.sha256(repr((x.shape, x.dtype.str)).encode())
    content.update(np.ascontiguousarray(x).tobytes())
    content.update("\x1f".join(labels.tolist()).encode())
    return content.hexdigest()
