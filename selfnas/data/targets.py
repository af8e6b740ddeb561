"""What a task asks for: classes, several labels at once, numbers, or ordered classes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import InputError, ShapeError

__all__ = ["TARGET_KINDS", "Axes", "Floats", "InputKind", "Labels", "Target", "TargetKind", "Targets", "classes_of"]

TargetKind = Literal["classification", "multilabel", "regression", "ordinal"]
TARGET_KINDS: tuple[TargetKind, ...] = get_args(TargetKind)
InputKind = Literal["image", "series", "table", "tokens"]
Labels = NDArray[np.int64]
Floats = NDArray[np.float32]
Targets = Labels | Floats
# Of one example as a source has it: height, width, channel, length of a series or of tokens, feature of a table.
Axes = Literal["hw", "hwc", "chw", "l", "cl", "lc", "f"]

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


def classes_of(y: Targets) -> Labels:
    """`(n,)` the class of each example, where it has one.

    Raises:
        ShapeError: it has none: labels or numbers are asked for.
    """
    if y.dtype != np.int64 or y.ndim != 1:
        raise ShapeError(f"these examples have no single class: y is {y.dtype} {y.shape}")
    return y.astype(np.int64, copy=False)
