"""Which axis of an array is what: stated by the person, told by the shape, or asked for; each guess is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfnas.data.targets import Axes, InputKind
from selfnas.errors import InputError

__all__ = ["Channels", "Form", "form_of"]

Channels = Literal["first", "last"]

_MIN_SIDE = 4  # what `TaskShape` asks for
_USUAL_CHANNELS = (1, 3, 4)  # of an image
_SMOOTH = 0.35  # roughness of rows that are series; columns of tables and tokens are rougher
_LOOKED_AT = 1000  # examples
_WANTED: Mapping[InputKind, str] = {
    "image": f"(n, h, w), (n, h, w, c) or (n, c, h, w) with sides of at least {_MIN_SIDE}",
    "series": f"(n, length), (n, channels, length) or (n, length, channels) with a length of at least {_MIN_SIDE}",
    "table": "(n, columns)",
    "tokens": f"(n, length) whole numbers, with a length of at least {_MIN_SIDE}",
}
_KINDS: Mapping[int, tuple[InputKind, ...]] = {2: ("series", "table", "tokens"), 3: ("image", "series"), 4: ("image",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an array is read.

    Attributes:
        kind: what an example is.
        axes: of one example.
        note: what was guessed, for the person to see; empty where nothing was.
    """

    kind: InputKind
    axes: Axes
    note: str = ""


def form_of(x: NDArray[Any], key: str, *, kind: InputKind | None = None, channels: Channels | None = None) -> Form:
    """The form of `x`, whose first axis counts the examples.

    Args:
        x: numbers.
        key: as messages call it.
        kind: as the person states it; None lets the shape and the type decide, where they can.
        channels: which end the axis of channels is at, as the person states it.

    Raises:
        InputError: an array of no known form, or of several, with the key that decides.

    Example:
        >>> form_of(np.zeros((9, 8, 8), np.uint8), "x")
        Form(kind='image', axes='hw', note='')
    """
    if x.dtype.kind not in "buif":
        raise InputError(f"{key} holds {x.dtype}: need integers or floats")
    found = _kind(x, key, kind)
    if channels is not None and x.ndim < (4 if found.kind == "image" else 3):
        raise InputError(f"{key} has shape {x.shape} without an axis of channels: leave out channels")
    if found.kind == "image" and x.ndim == 4:
        axes, note = _image_axes(x, key, channels)
    elif found.kind == "series" and x.ndim == 3:
        axes, note = _series_axes(x, key, channels)
    else:
        axes, note = found.axes, ""
    sides = [side for axis, side in zip(axes, x.shape[1:], strict=True) if axis in "hwl"]
    if min(sides, default=_MIN_SIDE) < _MIN_SIDE or min(x.shape[1:]) < 1:
        raise _unlike(x, key, found.kind)
    return Form(kind=found.kind, axes=axes, note="; ".join(filter(None, (found.note, note))))


def _unlike(x: NDArray[Any], key: str, kind: InputKind) -> InputError:
    return InputError(
        f"{key} has shape {x.shape}: {kind} data are {_WANTED[kind]}; `kind` says image, series, table or tokens"
    )


def _kind(x: NDArray[Any], key: str, stated: InputKind | None) -> Form:
    """The kind, with the axes that it has where there is no axis of channels."""
    if stated is not None:
        if stated not in _KINDS.get(x.ndim, ()):
            raise _unlike(x, key, stated)
        if stated == "tokens" and x.dtype.kind == "f" and not (np.isnan(x) | (x == np.round(x))).all():
            raise InputError(f"{key} holds {x.dtype} with fractions: tokens are whole numbers")
        return Form(kind=stated, axes=_axes(x, stated))
    if x.ndim == 2:
        return _flat(x, key)
    if x.ndim == 3:
        return _solid(x, key)
    if x.ndim == 4:
        return Form(kind="image", axes="hwc")
    raise _unlike(x, key, "series")


def _axes(x: NDArray[Any], kind: InputKind) -> Axes:
    return "f" if kind == "table" else "hw" if kind == "image" else "l"


def _flat(x: NDArray[Any], key: str) -> Form:
    """Rows of numbers: series where neighbours are alike, else nothing tells what they are."""
    if x.shape[1] >= _MIN_SIDE and _roughness(x) < _SMOOTH:
        note = f"rows of {x.shape[1]} were read as series, since neighbouring numbers are alike; `kind: table` if not"
        return Form(kind="series", axes="l", note=note)
    tokens = "" if x.dtype.kind == "f" else ", `kind: tokens` as sequences of tokens"
    raise InputError(
        f"{key} has shape {x.shape}, which does not tell what a row is: `kind: table` reads it as {x.shape[1]} "
        f"columns, `kind: series` as a series{tokens}"
    )


def _roughness(x: NDArray[Any]) -> float:
    """Mean squared difference of neighbours over twice the variance: near 0 for smooth rows, 1 for unrelated ones."""
    some = x[:_LOOKED_AT].astype(np.float64)
    with np.errstate(all="ignore"):
        spread = float(np.nanvar(some)) if some.size else 0.0
        steps = float(np.nanmean(np.diff(some, axis=1) ** 2)) if spread else 0.0
    return steps / (2 * spread) if spread and np.isfinite(spread + steps) else 0.0


def _solid(x: NDArray[Any], key: str) -> Form:
    """Three axes: grey images, or series of channels."""
    square = x.shape[1] == x.shape[2]
    if x.dtype in (np.uint8, np.bool_):
        return Form(kind="image", axes="hw")
    if square:
        note = f"read as images, for {x.shape[1]}×{x.shape[2]} is square; `kind: series` if not"
        return Form(kind="image", axes="hw", note="" if x.dtype.kind in "ui" else note)
    if x.dtype.kind == "f":
        return Form(kind="series", axes="cl")
    raise InputError(
        f"{key} has shape {x.shape} of {x.dtype}, which may be images or series: `kind: image` or `kind: series` "
        "says it"
    )


def _image_axes(x: NDArray[Any], key: str, channels: Channels | None) -> tuple[Axes, str]:
    if channels is not None:
        return ("hwc" if channels == "last" else "chw"), ""
    _, first, middle, last = x.shape
    if last in _USUAL_CHANNELS:
        twice = first in _USUAL_CHANNELS and middle == last
        return "hwc", (f"channels were read as last in {x.shape[1:]}; `channels: first` if not" if twice else "")
    if first in _USUAL_CHANNELS:
        return "chw", ""
    if first == middle != last and last < first:
        return "hwc", f"the {last} channels were read as last; `channels: first` if not"
    if middle == last != first and first < last:
        return "chw", f"the {first} channels were read as first; `channels: last` if not"
    raise InputError(
        f"{key} has shape {x.shape}, which does not tell where the channels are: `channels: first` or `channels: last` "
        f"says it; image data are {_WANTED['image']}"
    )


def _series_axes(x: NDArray[Any], key: str, channels: Channels | None) -> tuple[Axes, str]:
    if channels is not None:
        return ("lc" if channels == "last" else "cl"), ""
    _, first, last = x.shape
    if first > last:
        raise InputError(
            f"{key} has shape {x.shape}, which may be {first} channels of {last} steps or {first} steps of {last} "
            "channels: `channels: first` or `channels: last` says it"
        )
    twice = f"read as {first} channels of {last} steps; `channels: last` if not"
    return "cl", (twice if first == last else "")
