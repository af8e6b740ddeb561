"""What a task asks for: classes, several labels at once, numbers, or ordered classes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from selfnas.documents import StrictModel
from selfnas.errors import InputError, ShapeError

__all__ = [
    "TARGET_KINDS",
    "Axes",
    "Floats",
    "InputKind",
    "Labels",
    "RawTargets",
    "Split",
    "Target",
    "TargetKind",
    "TargetSpec",
    "Targets",
    "classes_of",
]

TargetKind = Literal["classification", "multilabel", "regression", "ordinal"]
TARGET_KINDS: tuple[TargetKind, ...] = get_args(TargetKind)
InputKind = Literal["image", "series", "table", "tokens"]
Labels = NDArray[np.int64]
Floats = NDArray[np.float32]
Targets = Labels | Floats
RawTargets = Labels | NDArray[np.float64]
# Of one example as a source has it: height, width, channel, length of a series or of tokens, feature of a table.
Axes = Literal["hw", "hwc", "chw", "l", "cl", "lc", "f"]

Name = Annotated[str, Field(min_length=1, max_length=256)]
Quantile = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]

_COUNTED: tuple[TargetKind, ...] = ("classification", "ordinal")  # whose y is one class for each example
_FEWEST: dict[TargetKind, int] = {"classification": 2, "ordinal": 2, "multilabel": 1, "regression": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a network's outputs mean, and how the `y` of a split is stored.

    | kind | `y` of a split | outputs of the network |
    |---|---|---|
    | `classification` | int64 `(n,)`, a class | a logit for each class |
    | `ordinal` | int64 `(n,)`, a class, in the order of `names` | a logit for each of the classes − 1 thresholds |
    | `multilabel` | float32 `(n, labels)` of 0 and 1 | a logit for each label |
    | `regression` | float32 `(n, numbers)`, standardised | a standardised number each, or one for each quantile |

    Attributes:
        kind: one of the four.
        names: of the classes (ordered ones in their order), the labels, or the numbers.
        quantiles: of a regression of one number whose outputs are quantiles; ascending, between 0 and 1.
        center: of a regression, what was taken off each number: its mean in the training split.
        scale: of a regression, what each number was then divided by: its standard deviation there.

    Raises:
        ShapeError: fields that do not belong together.
    """

    kind: TargetKind
    names: tuple[str, ...]
    quantiles: tuple[float, ...] = ()
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.names) < _FEWEST[self.kind] or len(set(self.names)) < len(self.names):
            raise ShapeError(f"{self.kind} needs at least {_FEWEST[self.kind]} distinct names, not {self.names}")
        numbers = len(self.names) if self.kind == "regression" else 0
        if not len(self.center) == len(self.scale) == numbers or min(self.scale, default=1.0) <= 0:
            raise ShapeError(f"{self.kind} of {len(self.names)} names needs {numbers} centers and scales above 0")
        if self.quantiles and (numbers != 1 or list(self.quantiles) != sorted(set(self.quantiles))):
            raise ShapeError(f"quantiles are ascending and of one number, not {self.quantiles} of {self.names}")
        if any(not 0 < quantile < 1 for quantile in self.quantiles):
            raise ShapeError(f"quantiles lie between 0 and 1, not {self.quantiles}")

    @staticmethod
    def of_classes(classes: int) -> Target:
        """Classification into classes that are called by their numbers."""
        return Target(kind="classification", names=tuple(map(str, range(classes))))

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for one example.

        Example:
            >>> Target.of_classes(3).outputs, Target(kind="ordinal", names=("low", "mid", "high")).outputs
            (3, 2)
        """
        return len(self.quantiles) or len(self.names) - (self.kind == "ordinal")

    @property
    def counted(self) -> bool:
        """Whether each example has one class: classification and ordinal."""
        return self.kind in _COUNTED

    def check(self, y: Targets, name: str) -> None:
        """See that `y` is stored as this kind of target is.

        Raises:
            ShapeError: another type, shape or range.
        """
        if self.counted:
            if y.dtype != np.int64 or y.ndim != 1 or not len(y) or y.min() < 0 or y.max() >= len(self.names):
                raise ShapeError(f"{name} needs examples with labels 0..{len(self.names) - 1}")
            return
        if y.dtype != np.float32 or y.ndim != 2 or not len(y) or y.shape[1] != len(self.names):
            raise ShapeError(f"{name} needs y float32 (n, {len(self.names)}), not {y.dtype} {y.shape}")
        if not np.isfinite(y).all() or (self.kind == "multilabel" and not np.isin(y, (0, 1)).all()):
            raise ShapeError(f"{name} has values that {self.kind} has not")

    def original(self, y: NDArray[np.float32]) -> NDArray[np.float64]:
        """Standardised numbers `(n, outputs)` of a regression, in the units of its source.

        Example:
            >>> target = Target(kind="regression", names=("price",), center=(10.0,), scale=(2.0,))
            >>> target.original(np.ones((1, 1), dtype=np.float32))
            array([[12.]])
        """
        given: NDArray[np.float64] = y.astype(np.float64) * np.asarray(self.scale) + np.asarray(self.center)
        return given

    def to_json(self) -> str:
        """A JSON object of the fields; read back by `from_json`."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Target:
        """Read what `to_json` wrote.

        Raises:
            InputError: not such an object.
        """
        try:
            held = json.loads(text)
            return Target(
                kind=held["kind"],
                names=tuple(held["names"]),
                quantiles=tuple(held["quantiles"]),
                center=tuple(held["center"]),
                scale=tuple(held["scale"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"not a target in JSON: {text[:80]!r}") from error


class TargetSpec(StrictModel):
    """What is asked of each example, as written in a stream file.

    Attributes:
        kind: `classification` into classes; `ordinal`, classes in an order; `multilabel`, any number of labels at once;
            `regression`, numbers.
        column: of a table, the one that holds the target; several of them are `columns`.
        columns: of a table, those that hold the labels (0 and 1) or the numbers.
        order: of ordinal classes in text, all of them from the lowest to the highest. Numbers are in their own order.
        names: what the labels or numbers are called, where the source has no names for them.
        units: of the numbers, one each, for whoever reads a prediction.
        quantiles: of a regression of one number, which quantiles the network gives, ascending; none asks for the mean.
    """

    kind: TargetKind
    column: Name | None = None
    columns: Annotated[list[Name], Field(min_length=1, max_length=1000)] | None = None
    order: Annotated[list[Name], Field(min_length=2, max_length=1000)] | None = None
    names: Annotated[list[Name], Field(min_length=1, max_length=1000)] | None = None
    units: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    quantiles: Annotated[list[Quantile], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: object) -> object:
        return {"kind": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _fits(self) -> TargetSpec:
        for key, kinds in _KEYS.items():
            if getattr(self, key) is not None and self.kind not in kinds:
                raise ValueError(f"{key} goes with {' and '.join(kinds)}, not with {self.kind}")
        if self.column is not None and self.columns is not None:
            raise ValueError("column or columns, not both")
        for key in ("columns", "order", "names", "quantiles"):
            value = getattr(self, key) or []
            if len(set(value)) < len(value):
                raise ValueError(f"{key}: each once, not {value}")
        if self.quantiles is not None and self.quantiles != sorted(self.quantiles):
            raise ValueError(f"quantiles: in ascending order, not {self.quantiles}")
        return self


_KEYS: dict[str, tuple[TargetKind, ...]] = {
    "columns": ("multilabel", "regression"),
    "order": ("ordinal",),
    "names": ("multilabel", "regression"),
    "units": ("regression",),
    "quantiles": ("regression",),
}


def classes_of(y: Targets | RawTargets) -> Labels:
    """`(n,)` the class of each example, where it has one.

    Raises:
        ShapeError: it has none: labels or numbers are asked for.
    """
    if y.dtype != np.int64 or y.ndim != 1:
        raise ShapeError(f"these examples have no single class: y is {y.dtype} {y.shape}")
    return y.astype(np.int64, copy=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Examples with what is asked of them.

    Attributes:
        x: `(n, channels, *size)` float32; `(n, features)` for tables.
        y: `(n,)` int64 classes, or `(n, k)` float32 labels or numbers; see `Target`.

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
