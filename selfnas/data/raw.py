"""Labelled examples as their source has them, and splits of them as networks see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.targets import Axes, Floats, InputKind, Labels, Targets, classes_of
from selfnas.errors import ShapeError

__all__ = ["Floats", "Kind", "RawData", "Split"]

Kind = InputKind

_OWN_AXES: dict[Kind, Axes] = {"image": "chw", "series": "cl", "tokens": "l", "table": "f"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Examples with what is asked of them.

    Attributes:
        x: `(n, channels, *size)` float32; `(n, features)` for tables.
        y: `(n,)` int64 classes, or `(n, k)` float32 labels or numbers; see `selfnas.data.targets.Target`.

    Raises:
        ShapeError: the two do not belong together.
    """

    x: Floats
    y: Targets

    def __post_init__(self) -> None:
        if self.x.ndim not in (2, 3, 4) or self.y.shape[:1] != self.x.shape[:1] or self.y.ndim not in (1, 2):
            raise ShapeError(f"need x (n, channels, *size) and y (n,) or (n, k), not {self.x.shape}, {self.y.shape}")
        wanted = np.int64 if self.y.ndim == 1 else np.float32
        if self.x.dtype != np.float32 or self.y.dtype != wanted:
            raise ShapeError(f"need x float32 and y {np.dtype(wanted)}, not {self.x.dtype} and {self.y.dtype}")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def labels(self) -> Labels:
        """`(n,)` the class of each example.

        Raises:
            ShapeError: examples have no single class.
        """
        return classes_of(self.y)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawData:
    """What a source holds, before splitting.

    Attributes:
        kind: one or two spatial dimensions.
        x: `(n, channels, *size)`, any real type.
        y: `(n,)` int64 in 0..classes-1.
        test: the source's own test part as `(x, y)`, None when it has none.
        labels: what class k was called in the source.
        axes: of one example as the source has it, see `selfnas.data.preparation.LayoutStep`; None where it is as in
            `x`.
    """

    kind: Kind
    x: NDArray[Any]
    y: Labels
    test: tuple[NDArray[Any], Labels] | None
    labels: tuple[str, ...]
    axes: Axes | None = None

    @property
    def layout(self) -> Axes:
        """The axes of one example as the source has it."""
        return self.axes or _OWN_AXES[self.kind]
