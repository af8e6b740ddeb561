"""From a raw example to what a network sees: fitted once on training data, kept as a value, applied anywhere.

A preparation is a list of steps. Each step is a frozen record of numbers and a pure function of arrays: no state, no
randomness, nothing fitted when it is applied. So `Preparation.apply` gives of the raw examples of a task exactly its
splits, number for number, and whoever exports a network can write every step in tensor operations:

| step | of `x` | gives |
|---|---|---|
| `layout` | `(b, *raw)` numbers in the axes of the source | `(b, channels, *size)` float32; NaN stays |
| `pad` | `(b, channels, l)` | `(b, channels, length)`: cut, or NaN behind |
| `resize` | `(b, channels, *old)` | `(b, channels, *new)`: means of areas, by one matrix for each side; NaN left out |
| `amplitude` | `(b, channels, l)` | `(b, channels + 2 k, l)`; see `AmplitudeStep` |
| `scale` | `(b, channels, *size)` | `(x - center) / scale` by channel; NaN stays |
| `fill` | `(b, channels, l)` | NaN made 0, and one channel more: the share of channels that were observed |
| `turn` | `(b, channels, *size)` | turned by quarters of a circle; a series reversed |
| `reorder` | `(b, channels, *size)` | positions shuffled by one order, the same for all |
| `one_hot` | `(b, 1, l)` whole numbers | `(b, size, l)` of 0 and 1; all 0 where a number is outside 0..size-1 or NaN |
| `columns` | `(b, columns)` numbers, codes and NaN | `(b, features)`; see `ColumnStep` |

What a task draws at random (noise, planted nuisances) is no part of it: a network is used on examples as they come.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from selfnas.data.columns import Column
from selfnas.data.regions import Nuisance
from selfnas.data.targets import Axes, Floats, InputKind, Split, Target, Targets
from selfnas.errors import InputError, ShapeError

__all__ = [
    "AmplitudeStep",
    "Column",
    "ColumnStep",
    "FillStep",
    "LayoutStep",
    "OneHotStep",
    "PadStep",
    "Preparation",
    "ReorderStep",
    "ResizeStep",
    "ScaleStep",
    "Splits",
    "Step",
    "TurnStep",
    "area_weights",
]

_FORMAT = 1
_MOVES: Mapping[str, tuple[int, ...]] = {"hwc": (0, 3, 1, 2), "lc": (0, 2, 1)}
_SINGLE = ("hw", "l")  # axes without one for the channel


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutStep:
    """Axes of the source to `(b, channels, *size)`, and any number to float32.

    Attributes:
        axes: of one raw example. `h` height, `w` width, `c` channel, `l` step of a series or place of a token, `f`
            column of a table. `hwc` moves axes to `chw` and `lc` to `cl`; `hw` and `l` get a channel axis in front;
            the others stay.
        offset: by channel, taken off in float64 before float32 takes digits away; mostly empty, which takes nothing.
    """

    axes: Axes
    offset: tuple[float, ...] = ()

    def apply(self, x: NDArray[Any]) -> Floats:
        """`(b, *raw)` to `(b, channels, *size)`; tables stay `(b, columns)`."""
        if x.ndim != len(self.axes) + 1:
            raise ShapeError(f"raw examples have the axes (n, {', '.join(self.axes)}), not shape {x.shape}")
        return self.floats(self.moved(x))

    def floats(self, x: NDArray[Any]) -> Floats:
        """`(b, channels, *size)` numbers of any type as float32."""
        if self.offset:
            x = x.astype(np.float64) - np.asarray(self.offset).reshape(1, -1, *(1,) * (x.ndim - 2))
        return np.ascontiguousarray(x, dtype=np.float32)

    def moved(self, x: NDArray[Any]) -> NDArray[Any]:
        """The same numbers, of their own type, with the axes in place."""
        return x[:, None] if self.axes in _SINGLE else x.transpose(_MOVES.get(self.axes, tuple(range(x.ndim))))


@dataclass(frozen=True, slots=True, kw_only=True)
class PadStep:
    """Series of any length to one.

    Attributes:
        length: longer series are cut at their end, shorter ones get NaN behind it.
    """

    length: int

    def apply(self, x: Floats) -> Floats:
        """`(b, channels, l)` to `(b, channels, length)`."""
        behind = max(0, self.length - x.shape[-1])
        return np.pad(x[..., : self.length], ((0, 0), (0, 0), (0, behind)), constant_values=np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeStep:
    """Area averages: each new position is the mean of the old ones it covers, in proportion.

    Where numbers are NaN, the mean is of the others; it is NaN where there are none.

    Attributes:
        size: the new one; no side is larger than the old.
    """

    size: tuple[int, ...]

    def apply(self, x: NDArray[Any]) -> Floats:
        """`(b, channels, *old)` to `(b, channels, *size)`.

        For each side in turn: `x @ area_weights(old, new).T`, in float64, kept as float32. With NaN: that of the
        numbers with NaN made 0, divided by that of 1 where there is a number and 0 where there is none.
        """
        smaller = np.ascontiguousarray(x, dtype=np.float32)
        for axis, side in enumerate(self.size, start=2):
            weights = area_weights(smaller.shape[axis], side)
            missing = np.isnan(smaller)
            if missing.any():
                covered = _along(1.0 - missing, weights, axis)
                total = _along(np.where(missing, 0, smaller), weights, axis)
                with np.errstate(invalid="ignore", divide="ignore"):
                    smaller = np.where(covered > 0, total / covered, np.nan).astype(np.float32)
            else:
                smaller = _along(smaller, weights, axis).astype(np.float32)
        return np.ascontiguousarray(smaller)


def area_weights(old: int, new: int) -> NDArray[np.float64]:
    """`(new, old)` share of each old position in each new one; rows sum to 1.

    Raises:
        InputError: there would be more new positions than old ones.
    """
    if new > old:
        raise InputError(f"resize: cannot make {new} out of a side of {old}: at most {old}")
    edges = np.arange(new + 1) * old / new
    cells = np.arange(old)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    shares: NDArray[np.float64] = np.clip(overlap, 0, None) * new / old
    return shares


def _along(x: NDArray[Any], weights: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = np.moveaxis(np.tensordot(x, weights, axes=(axis, 1)), -1, axis)
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplitudeStep:
    """Some channels of each series brought to mean 0 and deviation 1 by its own numbers, which follow as channels.

    Behind all channels come two for each: `asinh(mean / unit)` and `log(deviation / unit)`, at every step where the
    channel has a number. Nothing is lost but deviations below `floor`. Computed in float64, kept as float32.

    Attributes:
        channels: which.
        floor: by channel, the deviation that smaller ones count as; above 0.
        unit: by channel; above 0.
    """

    channels: tuple[int, ...]
    floor: tuple[float, ...]
    unit: tuple[float, ...]

    def apply(self, x: Floats) -> Floats:
        """`(b, channels, l)` to `(b, channels + 2 k, l)`; NaN stays."""
        own = x[:, list(self.channels)].astype(np.float64)
        floor, unit = (np.asarray(each)[None, :, None] for each in (self.floor, self.unit))
        present = ~np.isnan(own)
        count = np.maximum(present.sum(axis=2, keepdims=True), 1)
        mean = np.where(present, own, 0).sum(axis=2, keepdims=True) / count
        moved = own - mean
        spread = np.sqrt((np.where(present, moved, 0) ** 2).sum(axis=2, keepdims=True) / count)
        spread = np.maximum(spread, floor)
        told = [np.where(present, each, np.nan) for each in (np.arcsinh(mean / unit), np.log(spread / unit))]
        kept = x.copy()
        kept[:, list(self.channels)] = moved / spread
        return np.concatenate([kept, *(each.astype(np.float32) for each in told)], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleStep:
    """Every channel moved and stretched.

    Attributes:
        center: by channel, taken off; numbers that float32 holds exactly.
        scale: by channel, then divided by; never 0.
    """

    center: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, x: Floats) -> Floats:
        """`(x - center) / scale` in float32."""
        return self.apply_to(x.copy())

    def apply_to(self, x: Floats) -> Floats:
        """The same in place, for arrays that nobody else holds: large ones are not held twice."""
        one = (1, -1, *(1,) * (x.ndim - 2))
        x -= np.asarray(self.center, dtype=np.float32).reshape(one)
        x /= np.asarray(self.scale, dtype=np.float32).reshape(one)
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class FillStep:
    """Gaps in series, and ends of shorter ones, made 0; a further last channel says how much was observed."""

    def apply(self, x: Floats) -> Floats:
        """`(b, channels, l)` with NaN to `(b, channels + 1, l)` without."""
        missing = np.isnan(x)
        observed = (1.0 - missing).mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        return np.concatenate([np.where(missing, np.float32(0), x), observed], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStep:
    """A rotation.

    Attributes:
        turns: counter-clockwise quarters of a circle, 1 to 3; for a series 2, which reverses it.
    """

    turns: int

    def apply(self, x: Floats) -> Floats:
        """As `np.rot90(x, turns, axes=(2, 3))` and `torch.rot90(x, turns, (2, 3))` for images; series are flipped."""
        turned = x[..., ::-1] if x.ndim == 3 else np.rot90(x, self.turns, axes=(2, 3))
        return np.ascontiguousarray(turned)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderStep:
    """Positions shuffled.

    Attributes:
        order: a permutation of the positions, counted row by row; the new position `k` shows the old `order[k]`.
    """

    order: tuple[int, ...]

    def apply(self, x: Floats) -> Floats:
        """Of the same shape."""
        moved: Floats = x.reshape(*x.shape[:2], -1)[..., np.asarray(self.order)].reshape(x.shape)
        return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHotStep:
    """Tokens to channels.

    Attributes:
        size: of the vocabulary; the tokens are 0..size-1.
    """

    size: int

    def apply(self, x: Floats) -> Floats:
        """`(b, 1, l)` to `(b, size, l)`; a place is all 0 where there is no token, or an unknown one."""
        equal: NDArray[np.bool_] = np.equal(x, np.arange(self.size, dtype=np.float32)[None, :, None])
        return equal.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStep:
    """Columns of a table to features, column by column and in order.

    A number `v` becomes `s / sqrt(1 + (s / 3)²)` with `s = (v - center) * factor`, and 0 where it is NaN; all in
    float64, kept as float32. A code becomes a 1 among `kept` and one more, `other`: 1 where the code is none of the
    kept. Where `missing` says so, a last feature is 1 for NaN, and `other` then is 0; else NaN counts as `other`.
    Source of the scaling: Holzmüller, Grinsztajn, Steinwart 2024 (NeurIPS), "Better by default".

    Attributes:
        columns: in the order of the raw numbers.
    """

    columns: tuple[Column, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(name for column in self.columns for name in column.features)

    def apply(self, x: NDArray[Any]) -> Floats:
        """`(b, columns)` to `(b, features)`."""
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise ShapeError(f"need rows of {len(self.columns)} columns, not shape {x.shape}")
        wide = x.astype(np.float64)
        return np.concatenate([column.apply(wide[:, index]) for index, column in enumerate(self.columns)], axis=1)


Step = (
    LayoutStep
    | PadStep
    | ResizeStep
    | AmplitudeStep
    | ScaleStep
    | FillStep
    | TurnStep
    | ReorderStep
    | OneHotStep
    | ColumnStep
)

_STEPS: Mapping[str, type[Step]] = {
    "layout": LayoutStep,
    "pad": PadStep,
    "resize": ResizeStep,
    "amplitude": AmplitudeStep,
    "scale": ScaleStep,
    "fill": FillStep,
    "turn": TurnStep,
    "reorder": ReorderStep,
    "one_hot": OneHotStep,
    "columns": ColumnStep,
}
_NAMES = {kind: name for name, kind in _STEPS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What stands between a raw example and a network, and what the network's outputs mean.

    An exporter may rely on this: `steps` are of the ten classes above and no others; each one's `apply` is a pure
    function with the shapes that the table of this module states; a step knows its numbers when it is made, so that a
    graph for raw examples of shape `(b, *raw)` can be traced; `layout` is first, and alone changes the axes.

    Attributes:
        inputs: what an example is.
        raw: shape of one raw example as the source has it; 0 for a side that differs from example to example.
        dtype: of the source's numbers, as numpy calls it.
        steps: in the order to apply them.
        target: what the outputs mean: names, and for numbers the way back to their units.
        units: of the numbers of a regression, in order; empty where nobody said.
    """

    inputs: InputKind
    raw: tuple[int, ...]
    dtype: str
    steps: tuple[Step, ...]
    target: Target
    units: tuple[str, ...] = ()

    def apply(self, raw: NDArray[Any]) -> Floats:
        """`(b, *raw)` examples as the source has them to what a network sees.

        Codes stand for the categories of a table; `encode` makes them of rows by name.

        Raises:
            ShapeError: examples of another form.
        """
        if raw.ndim != len(self.raw) + 1 or any(
            side not in (0, found) for side, found in zip(self.raw, raw.shape[1:], strict=True)
        ):
            raise ShapeError(f"a raw example has shape {self.raw}, not {raw.shape[1:]}")
        x = raw
        for step in self.steps:
            x = step.apply(x)
        return np.ascontiguousarray(x, dtype=np.float32)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of a table, in order; empty for everything else."""
        return next((step.columns for step in self.steps if isinstance(step, ColumnStep)), ())

    @property
    def axes(self) -> Axes:
        """Of a raw example, as letters; see `LayoutStep`."""
        return next((step.axes for step in self.steps if isinstance(step, LayoutStep)), "f")

    def encode(self, rows: Mapping[str, Sequence[object]]) -> NDArray[np.float64]:
        """`(n, columns)` raw numbers of a table given by the names of its columns.

        Args:
            rows: values by column; None, NaN and empty text are missing.

        Raises:
            InputError: a column is missing, or holds what is no number.
        """
        absent = [column.name for column in self.columns if column.name not in rows]
        if absent or not self.columns:
            raise InputError(f"need the columns {', '.join(c.name for c in self.columns)}; {absent} are missing")
        return np.stack([_encoded(column, rows[column.name]) for column in self.columns], axis=1)

    def to_json(self) -> str:
        """A JSON object, read back by `from_json`; numbers are exact."""
        held = {
            "format": _FORMAT,
            "inputs": self.inputs,
            "raw": self.raw,
            "dtype": self.dtype,
            "steps": [{"step": _NAMES[type(step)], **_plain(step)} for step in self.steps],
            "target": json.loads(self.target.to_json()),
            "units": self.units,
        }
        return json.dumps(held, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Preparation:
        """Read what `to_json` wrote.

        Raises:
            InputError: not such an object, or of another format.
        """
        try:
            held = json.loads(text)
            if held["format"] != _FORMAT:
                raise InputError(f"a preparation of format {held['format']!r}: this release reads {_FORMAT}")
            return Preparation(
                inputs=held["inputs"],
                raw=tuple(held["raw"]),
                dtype=held["dtype"],
                steps=tuple(_step(each) for each in held["steps"]),
                target=Target.from_json(json.dumps(held["target"])),
                units=tuple(held["units"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"not a preparation in JSON: {text[:80]!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The four splits on their way to a task.

    Attributes:
        parts: `train`, `validation`, `audit`, `test`.
        classes: 0 where examples have no class, or their classes an order.
        inputs: what an example is.
        nuisances: regions named so far.
        steps: what was done to every example alike, in order.
    """

    parts: Mapping[str, Split]
    classes: int
    inputs: InputKind = "image"
    nuisances: tuple[Nuisance, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial size of an example."""
        return self.parts["train"].x.shape[2:]

    def map(self, change: Callable[[Floats, Targets], tuple[Floats, Targets]]) -> Splits:
        """Every split changed alike."""
        changed = {name: change(part.x, part.y) for name, part in self.parts.items()}
        return replace(self, parts={name: Split(x=x, y=y) for name, (x, y) in changed.items()})

    def after(self, step: Step) -> Splits:
        """Every example of every split after one step, which is noted."""
        return replace(self.map(lambda x, y: (step.apply(x), y)), steps=(*self.steps, step))

    def scaled(self, step: ScaleStep) -> Splits:
        """As `after`, in the memory of these splits, which must not be used any more."""
        return replace(self.map(lambda x, y: (step.apply_to(x), y)), steps=(*self.steps, step))


def _encoded(column: Column, values: Sequence[object]) -> NDArray[np.float64]:
    codes = {name: code for code, name in enumerate(column.categories)}
    found = np.full(len(values), np.nan)
    for index, value in enumerate(values):
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            continue
        if column.categorical:
            found[index] = codes.get(str(value), len(codes))
            continue
        try:
            found[index] = float(str(value))
        except ValueError as error:
            raise InputError(f"column {column.name!r} holds {value!r} in row {index}: need a number") from error
    return found


def _plain(step: Step | Column) -> dict[str, object]:
    held = {field.name: getattr(step, field.name) for field in fields(step)}
    return {key: [_plain(each) for each in value] if key == "columns" else value for key, value in held.items()}


def _step(held: Mapping[str, Any]) -> Step:
    values = {key: value for key, value in held.items() if key != "step"}
    found: Step = TypeAdapter(_STEPS[held["step"]]).validate_json(json.dumps(values), strict=True)
    return found
