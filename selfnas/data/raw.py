"""Examples as their source has them, and splits of them as networks see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfnas.data.columns import Column
from selfnas.data.targets import Axes, Floats, InputKind, RawTargets, Split, TargetKind
from selfnas.errors import InputError

__all__ = [
    "SPLITS",
    "Fetch",
    "Floats",
    "Kind",
    "Part",
    "RawData",
    "Rows",
    "Split",
    "as_examples",
    "check_memory",
    "check_pair",
]

SPLITS = ("train", "validation", "audit", "test")
Kind = InputKind
Part = tuple[NDArray[Any], RawTargets]
Fetch = Callable[[str, NDArray[np.int64]], Iterator[NDArray[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawData:
    """What a source holds, before splitting. A plug-in's source needs to give the first five fields alone.

    Attributes:
        kind: what an example is.
        x: `(n, channels, *size)`, any real type; `(n, 1, length)` tokens; `(n, columns)` float64 of a table, NaN where
            a value is missing. Where `fetch` is given, only shape and type count.
        y: `(n,)` int64 in 0..classes-1; `(n, k)` float64 labels or numbers.
        test: the source's own test part as `(x, y)`, None when it has none.
        labels: what class k was called in the source; names of labels or numbers.
        target: what is asked of each example.
        validation: the source's own validation part, None when it has none.
        axes: of one example as the source has it, see `selfnas.data.preparation.LayoutStep`; None where it is as in
            `x`.
        groups: `(n,)` int64, equal where examples belong together; None where nobody said.
        columns: of a table: names, and categories by code.
        notes: what a person should know of how it was read.
        fetch: reads rows, ascending, of the part `x`, `validation` or `test` block by block, in the form of `x`, so
            that the whole need not fit in memory.
        shape: of one example in the source's own axes; None follows from `x`. 0 for sides that differ.
        units: of the numbers of a regression.
        quantiles: asked for of a regression.
    """

    kind: Kind
    x: NDArray[Any]
    y: RawTargets
    test: Part | None
    labels: tuple[str, ...]
    target: TargetKind = "classification"
    validation: Part | None = None
    axes: Axes | None = None
    groups: NDArray[np.int64] | None = None
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    fetch: Fetch | None = None
    shape: tuple[int, ...] | None = None
    units: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()

    @property
    def layout(self) -> Axes:
        """The axes of one example as the source has it."""
        return self.axes or _OWN_AXES[self.kind]

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that the source has: `x`, and where it has them `validation` and `test`."""
        held = {"x": (self.x, self.y), "validation": self.validation, "test": self.test}
        return {name: part for name, part in held.items() if part is not None}

    def rows(self, part: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Examples of one part, by their numbers there."""
        return self.parts[part][0][rows] if self.fetch is None else np.concatenate(list(self.fetch(part, rows)))

    @property
    def example(self) -> tuple[int, ...]:
        """Shape of one example as the source has it."""
        if self.shape is not None:
            return self.shape
        first, *size = self.x.shape[1:]
        moved = {"hwc": (*size, first), "lc": (*size, first), "hw": tuple(size)}
        if self.layout == "l" and self.x.ndim == 3:
            return tuple(size)
        return moved.get(self.layout, (first, *size))


_OWN_AXES: dict[Kind, Axes] = {"image": "chw", "series": "cl", "tokens": "l", "table": "f"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Where the examples of a split are.

    Attributes:
        part: of the source: `x`, `validation` or `test`.
        rows: their numbers there, ascending.
    """

    part: str
    rows: NDArray[np.int64]


def as_examples(x: ArrayLike | Sequence[ArrayLike]) -> NDArray[Any]:
    """An array of examples; series of unequal lengths become one with NaN behind the shorter ones.

    Args:
        x: what `numpy.asarray` takes, or a list of `(length,)` or `(channels, length)` arrays.

    Raises:
        InputError: examples that differ in more than their length.
    """
    try:
        return np.asarray(x)
    except ValueError:
        pass
    held = [np.asarray(each) for each in x] if isinstance(x, Sequence) else []
    if not held or len({(each.ndim, each.shape[:-1]) for each in held}) > 1 or held[0].ndim not in (1, 2):
        raise InputError("x holds examples of unlike shapes; series may differ in length alone")
    length = max(each.shape[-1] for each in held)
    padded = np.full((len(held), *held[0].shape[:-1], length), np.nan)
    for row, each in zip(padded, held, strict=True):
        row[..., : each.shape[-1]] = each
    return padded


def check_memory(needed: int, most: int, what: str = "the arrays") -> None:
    """See that so many bytes may be taken.

    Raises:
        InputError: they may not, with what a person can do.
    """
    if needed > most:
        raise InputError(
            f"{what} would need {needed:,} bytes of memory: at most {most:,} are given; `limit` takes fewer examples, "
            "`resize` smaller ones, and `memory: 4 GiB` gives more"
        )


def check_pair(x: NDArray[Any], y: NDArray[Any], key: str, *, gaps: bool = False) -> None:
    """See that targets are as many as examples, and that these hold numbers that float32 can hold.

    Args:
        x: `(n, ...)`.
        y: `(n,)` or `(n, k)`.
        key: as the source calls the examples.
        gaps: whether NaN may stand for what is missing.

    Raises:
        InputError: they are not.
    """
    if y.ndim < 1 or len(y) != len(x):
        raise InputError(f"{key} has {len(x)} examples, so y{key[1:]} must have shape ({len(x)},), not {y.shape}")
    if x.dtype.kind != "f":
        return
    # A float64 beyond float32 would become infinite, so judge what will be used.
    with np.errstate(over="ignore"):
        small = x.astype(np.float32, copy=False)
    bad = ~np.isfinite(small) & ~np.isnan(small) if gaps else ~np.isfinite(small)
    if bad.any():
        first = int(np.argwhere(bad)[0][0])
        hint = "" if gaps else "; only series and tables may have gaps: leave such examples out, or fill them"
        raise InputError(f"{key} has {int(bad.sum())} values that are not finite, the first in example {first}{hint}")
