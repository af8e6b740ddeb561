"""A certificate of one input, checked again with NumPy alone: `python checking.py FILE.json`.

This file imports nothing of the project and no PyTorch, so that whoever doubts a certificate can read it, copy it and
run it. It is written from the formulas, by another way than `bounds.py`: positive and negative weights apart, instead
of centre and radius.

What is proved: of every input `z` with `|z - x| <= radius * (high - low)` in each value of a channel, inside the range
`low..high` of that channel (or as far out as `x` itself), the network gives class `y` the largest output, also when it
computes in float32 and adds its sums up in any order. What is not proved: that these weights are those of a network in
use. `weights_sha256` tells which file they were read from.

Rounding: a number of float32 is off by at most `UNIT / 2` of itself when it is rounded, a sum of `n` products by at
most `n * UNIT / 2` of the sum of their absolute values, up to squares of it (Higham 2002, section 3.1). Here the whole
`UNIT` is taken, which leaves room for this file's own rounding in double precision.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["FORMAT", "Checked", "check_bound", "margins_of"]

FORMAT = "selfnas-bound-1"
UNIT = 2.0**-23
LEAST = 1e-30  # more than numbers too small for float32 can add up to
_MOST_TERMS = 50_000
_ALIKE = 1e-6  # recorded margins may differ by so much of themselves
_FUNCTION, _NORM = 16, 10  # roundings of a function of the C library, and of a batch norm

Array: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[Array, Array]  # least and greatest values


@dataclass(frozen=True)
class Checked:
    """What a certificate says, found out again.

    Attributes:
        proved: whether the class is proved.
        answer: the class.
        margin: the least margin over another class.
        problems: why the file must not be relied on; empty when all holds.
    """

    proved: bool
    answer: int
    margin: float
    problems: tuple[str, ...]


def check_bound(path: Path) -> Checked:
    """Check a certificate.

    Raises:
        ValueError: not such a file, or one of another form.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, need {FORMAT!r}")
        arrays = path.with_name(Path(record["arrays"]).name)
        content = arrays.read_bytes()
        problems = []
        if hashlib.sha256(content).hexdigest() != record["arrays_sha256"]:
            problems.append(f"{arrays.name} is not the file that the certificate names by its SHA-256")
        with np.load(arrays, allow_pickle=False) as loaded:
            held = {name: np.asarray(loaded[name], dtype=np.float64) for name in loaded.files}
        found = _margins(record, held)
    except (OSError, KeyError, TypeError, IndexError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a certificate of a bound: {type(error).__name__}: {error}") from error
    answer, claimed = int(record["class"]), np.asarray(record["margins"], dtype=np.float64)
    others = np.delete(found, answer)
    proved = bool(np.all(others > 0))
    if claimed.shape != found.shape or not np.allclose(claimed, found, rtol=_ALIKE, atol=_ALIKE):
        problems.append("its margins are not those that its weights and its input give")
    if bool(record["proved"]) != proved:
        problems.append(f"it says that the class is {'' if record['proved'] else 'not '}proved, which is not so")
    return Checked(proved=proved and not problems, answer=answer, margin=float(others.min()), problems=tuple(problems))


def margins_of(path: Path) -> Array:
    """`(c,)` margins over each class, from the arrays of a certificate and not from what it claims.

    Raises:
        OSError: a file cannot be read.
        KeyError: not a certificate.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    with np.load(path.with_name(Path(record["arrays"]).name), allow_pickle=False) as loaded:
        return _margins(record, {name: np.asarray(loaded[name], dtype=np.float64) for name in loaded.files})


def _margins(record: Mapping[str, Any], held: Mapping[str, Array]) -> Array:
    """By class the lower limit of the answer's output less that of the class."""
    values: dict[str, Pair] = {"x": _box(record, held["x"])}
    *steps, last = record["steps"]
    for step in steps:
        values[step["out"]] = _STEPS[step["op"]](step, [values[name] for name in step["in"]], held)
    if last["op"] != "linear":
        raise KeyError("the last step of a network is a linear layer")
    (low, high), weight = values[last["in"][0]], held[last["weight"]]
    bias = held[last["bias"]] if "bias" in last else np.zeros(len(weight))
    low, high, own = low[0], high[0], int(record["class"])
    rows = weight[own] - weight
    exact = np.maximum(rows, 0) @ low + np.minimum(rows, 0) @ high + (bias[own] - bias)
    sizes = np.abs(weight) @ np.maximum(np.abs(low), np.abs(high)) + np.abs(bias)
    found: Array = exact - _share(weight.shape[1] + 2) * (sizes[own] + sizes) - LEAST
    found[own] = 0.0
    return found


def _box(record: Mapping[str, Any], x: Array) -> Pair:
    """The inputs that the certificate is about."""
    radius = float(record["radius"])
    if not 0 < radius <= 0.5:
        raise KeyError(f"a radius lies above 0 and is at most 0.5, not {radius:g}")
    wide = (1, -1, *[1] * (x.ndim - 2))
    low, high = (np.asarray(record[name], dtype=np.float64).reshape(wide) for name in ("low", "high"))
    reach = radius * (high - low)
    return np.maximum(x - reach, np.minimum(low, x)), np.minimum(x + reach, np.maximum(high, x))


def _share(terms: int) -> float:
    if terms > _MOST_TERMS:
        raise KeyError(f"a sum of {terms} terms is longer than its rounding was looked into")
    return 1.01 * terms * UNIT


def _size(pair: Pair) -> Array:
    return np.maximum(np.abs(pair[0]), np.abs(pair[1]))


def _wider(low: Array, high: Array, sizes: Array | float, *, terms: int) -> Pair:
    by = _share(terms) * sizes + LEAST
    return low - by, high + by


def _windows(x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """`(1, channels, *out, *kernel)` a view of padded `(1, channels, *size)`."""
    reach = [(side - 1) * step + 1 for side, step in zip(kernel, dilation, strict=True)]
    axes = tuple(range(2, x.ndim))
    seen = sliding_window_view(x, reach, axis=axes)
    every = tuple(slice(None, None, step) for step in stride)
    inside = tuple(slice(None, None, step) for step in dilation)
    found: Array = seen[(slice(None), slice(None), *every, *inside)]
    return found


def _padded(x: Array, padding: Sequence[int], behind: Sequence[int], value: float) -> Array:
    pads = [(before, before + more) for before, more in zip(padding, behind, strict=True)]
    return np.pad(x, [(0, 0), (0, 0), *pads], constant_values=value)


def _convolution(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    weight, groups = held[step["weight"]], int(step["groups"])
    space = weight.ndim - 2
    none = [0] * space

    def slid(kernel: Array, x: Array) -> Array:
        seen = _windows(_padded(x, step["padding"], none, 0.0), weight.shape[2:], step["stride"], step["dilation"])
        parts = []
        for part, rows in zip(np.split(seen, groups, axis=1), np.split(kernel, groups), strict=True):
            axes = [1, *range(part.ndim - space, part.ndim)]
            parts.append(np.moveaxis(np.tensordot(part, rows, axes=(axes, range(1, rows.ndim))), -1, 1))
        return np.concatenate(parts, axis=1)

    (low, high), up, down = given[0], np.maximum(weight, 0), np.minimum(weight, 0)
    bias = (held[step["bias"]] if "bias" in step else np.zeros(len(weight))).reshape(1, -1, *[1] * space)
    by = _share(weight[0].size + 2) * slid(np.abs(weight), _size(given[0])) + 2 * UNIT * np.abs(bias) + LEAST
    return slid(up, low) + slid(down, high) + bias - by, slid(up, high) + slid(down, low) + bias + by


def _linear(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    weight, (low, high) = held[step["weight"]], given[0]
    bias = held[step["bias"]] if "bias" in step else np.zeros(len(weight))
    up, down = np.maximum(weight, 0).T, np.minimum(weight, 0).T
    by = _share(weight.shape[1] + 2) * (_size(given[0]) @ np.abs(weight).T) + 2 * UNIT * np.abs(bias) + LEAST
    return low @ up + high @ down + bias - by, high @ up + low @ down + bias + by


def _norm(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    (low, high), wide = given[0], (1, -1, *[1] * (given[0][0].ndim - 2))
    mean, variance, weight, bias = (held[step[name]] for name in ("mean", "var", "weight", "bias"))
    scale = weight / np.sqrt(variance + step["eps"])
    shift = (bias - mean * scale).reshape(wide)
    sizes = _size(given[0]) * np.abs(scale).reshape(wide) + (np.abs(mean * scale) + np.abs(bias)).reshape(wide)
    ends = low * scale.reshape(wide), high * scale.reshape(wide)
    return _wider(np.minimum(*ends) + shift, np.maximum(*ends) + shift, sizes, terms=_NORM)


def _averages(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    kernel, stride, padding = step["kernel"], step["stride"], step["padding"]
    size = given[0][0].shape[2:]
    behind = [
        max(0, (out - 1) * step_ + side - length - 2 * pad)
        for out, step_, side, length, pad in zip(step["size"], stride, kernel, size, padding, strict=True)
    ]
    every, once = tuple(slice(0, out) for out in step["size"]), [1] * len(kernel)

    def summed(x: Array) -> Array:
        seen = _windows(_padded(x, padding, behind, 0.0), kernel, stride, once)
        total: Array = seen.sum(axis=tuple(range(seen.ndim - len(kernel), seen.ndim)))
        return total[(slice(None), slice(None), *every)]

    count = summed(np.ones_like(given[0][0]))  # what lies beyond the border does not count
    low, high, sizes = (summed(each) / count for each in (*given[0], _size(given[0])))
    return _wider(low, high, sizes, terms=math.prod(kernel) + 2)


def _largest(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    none, once = [0] * len(step["kernel"]), [1] * len(step["kernel"])

    def highest(x: Array) -> Array:
        seen = _windows(_padded(x, step["padding"], none, -np.inf), step["kernel"], step["stride"], once)
        found: Array = seen.max(axis=tuple(range(seen.ndim - len(none), seen.ndim)))
        return found

    return highest(given[0][0]), highest(given[0][1])


def _mean(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    axes, keep = tuple(step["axes"]), bool(step["keep"])
    low, high, sizes = (each.mean(axis=axes, keepdims=keep) for each in (*given[0], _size(given[0])))
    return _wider(low, high, sizes, terms=given[0][0].size // low.size + 2)


def _sum(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    (low, high), (least, most) = given
    return _wider(low + least, high + most, _size(given[0]) + _size(given[1]), terms=1)


def _product(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    every = np.stack([one * other for one in given[0] for other in given[1]])
    return _wider(every.min(axis=0), every.max(axis=0), np.abs(every).max(axis=0), terms=1)


def _logistic(step: Mapping[str, Any], given: Sequence[Pair], held: Mapping[str, Array]) -> Pair:
    low, high = (1 / (1 + np.exp(-each)) for each in given[0])
    return _wider(low, high, 1.0, terms=_FUNCTION)


def _both(change: Callable[[Mapping[str, Any], Array], Array]) -> Callable[..., Pair]:
    """A step that hands numbers on as they are."""
    return lambda step, given, held: (change(step, given[0][0]), change(step, given[0][1]))


_STEPS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Pair], Mapping[str, Array]], Pair]] = {
    "convolution": _convolution,
    "linear": _linear,
    "norm": _norm,
    "averages": _averages,
    "largest": _largest,
    "mean": _mean,
    "sum": _sum,
    "product": _product,
    "logistic": _logistic,
    "constant": lambda step, given, held: (held[step["array"]], held[step["array"]]),
    "rectified": _both(lambda step, x: np.maximum(x, 0)),
    "reshape": _both(lambda step, x: x.reshape(step["shape"])),
    "peak": _both(lambda step, x: x.max(axis=tuple(step["axes"]), keepdims=bool(step["keep"]))),
    "join": lambda step, given, held: (
        np.concatenate([pair[0] for pair in given], axis=step["axis"]),
        np.concatenate([pair[1] for pair in given], axis=step["axis"]),
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Check each file and say what was found; 0 where all are proved."""
    code = 0
    for name in arguments:
        found = check_bound(Path(name))
        said = "proved" if found.proved else "NOT proved"
        print(f"{name}: class {found.answer} {said}, least margin {found.margin:.6g}")
        for problem in found.problems:
            print(f"{name}: {problem}")
        code = code if found.proved else 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
