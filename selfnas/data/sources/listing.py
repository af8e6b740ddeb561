"""Which files the examples of a task are read from, for whoever takes them elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from selfnas.data.sources.archives import pair_of
from selfnas.data.spec import FILES, TaskSpec

__all__ = ["TaskFiles", "files_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFiles:
    """The files of a task as they could lie in a folder of their own.

    Attributes:
        files: by name below that folder where each is now.
        path: what the task's `path` would be there; None where it has none.
        labels: the same of its `labels`.
    """

    files: Mapping[str, Path]
    path: str | None = None
    labels: str | None = None


def files_of(spec: TaskSpec, *, base: Path) -> TaskFiles:
    """The files that a task is read from; none for sources that come with a package. Nothing is read.

    Args:
        spec: as a stream states it.
        base: directory that a relative path starts from.

    Example:
        >>> spec = TaskSpec(name="t", source="npy", path="data/x.npy", labels="y.npy")
        >>> found = files_of(spec, base=Path("/home"))
        >>> found.path, found.labels, found.files["path/x.npy"].as_posix()
        ('path/x.npy', 'labels/y.npy', '/home/data/x.npy')
    """
    if spec.source not in FILES or spec.path is None:
        return TaskFiles(files={})
    place = base / spec.path
    path = f"path/{place.name}"
    if spec.source == "folder":
        held = sorted(each for each in place.rglob("*") if each.is_file())
        return TaskFiles(files={f"{path}/{each.relative_to(place).as_posix()}": each for each in held}, path=path)
    files = {f"path/{each.name}": each for each in (pair_of(place).values() if spec.source == "ts" else [place])}
    if spec.labels is None:
        return TaskFiles(files=files, path=path)
    labels = base / spec.labels
    return TaskFiles(files=files | {f"labels/{labels.name}": labels}, path=path, labels=f"labels/{labels.name}")
