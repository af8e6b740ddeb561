"""Raw examples of a task found again in its source: what a person who uses the network would hand it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfnas.data.raw import RawData
from selfnas.data.tasks import Task

__all__ = ["Originals", "originals"]

_AT_ONCE = 512  # examples prepared together
_SOME = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Originals:
    """Raw examples of a split, and the range of the numbers that a network was trained on.

    Attributes:
        x: raw examples `(*raw,)`, in the axes of the source.
        places: of each in the split; all of them, unless the task draws noise or plants nuisances.
        some: a few raw examples, whatever split they are in.
        low: smallest number seen in training, by column of a table, else one for all; NaN where none was seen.
        high: largest, likewise.
    """

    x: tuple[NDArray[Any], ...]
    places: tuple[int, ...]
    some: NDArray[Any]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def originals(task: Task, raw: RawData, *, part: Literal["validation", "audit", "test"] = "test") -> Originals:
    """Of a task that was made of that source: those of one of its splits.

    A raw example is told by what its preparation gives, number for number.
    """
    wanted: dict[bytes, list[int]] = {}
    for place, row in enumerate(task.split(part).x):
        wanted.setdefault(row.tobytes(), []).append(place)
    trained = {row.tobytes() for row in task.train.x}
    found: dict[int, NDArray[Any]] = {}
    table = task.inputs == "table"
    low = np.full(task.preparation.raw if table else (1,), np.inf)
    high, some = -low, next(_chunks(raw))[:_SOME]
    for examples in _chunks(raw):
        for example, row in zip(examples, task.preparation.apply(examples), strict=True):
            key = row.tobytes()
            found.update(dict.fromkeys(wanted.get(key, ()), example))
            if key in trained:
                numbers = example.astype(np.float64).reshape(-1 if not table else low.shape)
                low = np.fmin(low, numbers if table else np.nanmin(numbers, initial=np.inf))
                high = np.fmax(high, numbers if table else np.nanmax(numbers, initial=-np.inf))
    places = tuple(sorted(found))
    nothing = ~(low <= high)
    return Originals(
        x=tuple(found[place] for place in places),
        places=places,
        some=some,
        low=np.where(nothing, np.nan, low),
        high=np.where(nothing, np.nan, high),
    )


def _chunks(raw: RawData) -> Iterator[NDArray[Any]]:
    """All examples of a source in its own axes."""
    for part, (_, y) in raw.parts.items():
        for start in range(0, len(y), _AT_ONCE):
            yield _own_axes(raw.rows(part, np.arange(start, min(len(y), start + _AT_ONCE))), raw)


def _own_axes(x: NDArray[Any], raw: RawData) -> NDArray[Any]:
    """`(b, channels, *size)` as the source has it."""
    if raw.layout in ("hwc", "lc"):
        return np.moveaxis(x, 1, -1)
    return x[:, 0] if raw.layout in ("hw", "l") and x.ndim == len(raw.layout) + 2 else x
