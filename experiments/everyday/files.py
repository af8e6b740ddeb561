"""An everyday set as a person would keep it: a file, and the shortest stream that names it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.everyday.sets import EverydaySet, Found

__all__ = ["write_stream"]

Array = NDArray[Any]


def write_stream(one: EverydaySet, found: Found, folder: Path) -> Path:
    """Write `NAME.npz` or `NAME.csv`, and `NAME.yaml`, which says what the file is and no more; the stream's path."""
    folder.mkdir(parents=True, exist_ok=True)
    task = {"name": one.name}
    if one.inputs == "table":
        target = _write_columns(found, folder / f"{one.name}.csv", several=one.target == "multilabel")
        task |= {"source": "csv", "path": f"{one.name}.csv", "target": f"{{kind: {one.target}, {target}}}"}
    else:
        _write_arrays(found, folder / f"{one.name}.npz")
        task |= {"source": "npz", "path": f"{one.name}.npz", "kind": one.inputs, "target": one.target}
    keys = ", ".join(f"{key}: {value}" for key, value in task.items())
    stream = folder / f"{one.name}.yaml"
    stream.write_text(f"stream: {one.name}\nformat: 1\ntasks:\n  - {{{keys}}}\n", encoding="utf-8")
    return stream


def _write_arrays(found: Found, path: Path) -> None:
    arrays = {"x": found.x, "y": found.y}
    if found.test is not None:
        arrays = {"x_train": found.x, "y_train": found.y, "x_test": found.test[0], "y_test": found.test[1]}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{key: np.asarray(value) for key, value in arrays.items()})


def _write_columns(found: Found, path: Path, *, several: bool) -> str:
    """Write a table with a header; what a stream says of its target columns."""
    columns = found.x if isinstance(found.x, Mapping) else {f"x{k}": found.x[:, k] for k in range(found.x.shape[1])}
    asked = found.y[:, None] if found.y.ndim == 1 else found.y
    targets = [f"y{k}" for k in range(asked.shape[1])]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *targets])
        writer.writerows(zip(*(column.tolist() for column in columns.values()), *asked.T.tolist(), strict=True))
    if several or len(targets) > 1:
        return f"columns: [{', '.join(targets)}]"
    return f"column: {targets[0]}"
