"""Examples of a large task as files that every worker maps: read, checked and scaled once, in memory once.

A worker that loads a task for itself reads the source, looks for copies among the examples and scales them: seconds of
processor time and, at its height, three times the memory of the examples. Of a large task the life does that once for
each run of the task and leaves the four splits as plain arrays in its home. Workers map them: pages that several of
them read are in memory once, and those of splits that nobody asks for are not there at all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import NDArray

from selfnas.data.preparation import Preparation
from selfnas.data.regions import Nuisance
from selfnas.data.targets import Split
from selfnas.data.tasks import Task
from selfnas.spaces.architecture import TaskShape

__all__ = ["LARGE", "is_large", "share", "shared"]

LARGE = 2**26  # bytes of inputs from which the files are worth their writing
_FILES = {"taught": ("train", "validation"), "audit": ("audit",), "test": ("test",)}  # by file the splits in it
_HEADER = "task.json"  # written last: without it the folder holds nothing


def is_large(shape: TaskShape, sizes: Mapping[str, int], *, least: int = LARGE) -> bool:
    """Whether the inputs of all splits, float32, take so many bytes or more.

    Example:
        >>> is_large(TaskShape(channels=3, size=(32, 32), classes=10), {"train": 35_000, "test": 15_000})
        True
    """
    return 4 * shape.channels * math.prod(shape.size) * sum(sizes.values()) >= least


def share(task: Task, folder: Path) -> None:
    """Write a task's splits to an empty folder.

    Raises:
        OSError: the folder would not take them.
    """
    for name, parts in _FILES.items():
        _write(folder / f"{name}.x.npy", [task.split(part).x for part in parts])
        _write(folder / f"{name}.y.npy", [task.split(part).y for part in parts])
    for name, prints in task.prints.items():
        _write(folder / f"{name}.prints.npy", [prints])
    header = {
        "digest": task.digest,
        "name": task.name,
        "train": len(task.train),
        "classes": task.shape.classes,
        "channels": task.shape.channels,
        "size": task.shape.size,
        "preparation": task.preparation.to_json(),
        "nuisances": [{"name": nuisance.name, "region": nuisance.region} for nuisance in task.nuisances],
        "succeeds": task.succeeds,
        "reading": task.reading,
        "groups": {name: list(groups) for name, groups in task.groups.items()},
        "prints": sorted(task.prints),
    }
    (folder / _HEADER).write_text(json.dumps(header), encoding="utf-8")


def shared(folder: Path, digest: str) -> Task | None:
    """The task that a folder holds, its inputs mapped; None where it does not hold the one of that digest.

    Inputs can be written to, and whoever does has the changed pages alone. Content is not looked through again: the
    folder lies in the private home of the life that wrote it, and goes with the process that did.

    Args:
        folder: that `share` wrote.
        digest: of the content that the task must have.
    """
    try:
        held = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
    except OSError:
        return None
    if held["digest"] != digest:
        return None
    preparation = Preparation.from_json(held["preparation"])
    files = {name: Split(x=_mapped(folder / f"{name}.x.npy"), y=_mapped(folder / f"{name}.y.npy")) for name in _FILES}
    taught, known = files["taught"], int(held["train"])
    return Task(
        name=held["name"],
        shape=TaskShape(channels=held["channels"], size=tuple(held["size"]), classes=held["classes"]),
        train=Split(x=taught.x[:known], y=taught.y[:known]),
        validation=Split(x=taught.x[known:], y=taught.y[known:]),
        audit=files["audit"],
        test=files["test"],
        together=taught,
        target=preparation.target,
        inputs=preparation.inputs,
        preparation=preparation,
        nuisances=tuple(
            Nuisance(name=one["name"], region=tuple((start, stop) for start, stop in one["region"]))
            for one in held["nuisances"]
        ),
        digest=digest,
        succeeds=held["succeeds"],
        reading=held["reading"],
        groups={name: tuple(groups) for name, groups in held["groups"].items()},
        prints={name: _mapped(folder / f"{name}.prints.npy") for name in held["prints"]},
    )


def _write(path: Path, parts: Sequence[NDArray[Any]]) -> None:
    """One array of all parts, one after the other, without a copy of them in memory."""
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    header = {"descr": dtype_to_descr(parts[0].dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part).data)


def _mapped(path: Path) -> NDArray[Any]:
    """Pages come from the file when they are read; those that are written to become the process's own."""
    found: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return found
