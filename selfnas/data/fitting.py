"""A preparation fitted on training examples, and the splits that it makes of a source's examples."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.columns import Column
from selfnas.data.preparation import (
    AmplitudeStep,
    ColumnStep,
    FillStep,
    LayoutStep,
    OneHotStep,
    PadStep,
    ResizeStep,
    ScaleStep,
    Splits,
    Step,
)
from selfnas.data.raw import Part, RawData, Rows, check_memory
from selfnas.data.spec import TaskSpec
from selfnas.data.targets import Floats, RawTargets, Split, Target, Targets
from selfnas.errors import InputError

__all__ = ["MOST_TOKENS", "SCALED", "fitted", "repeated", "standardised", "target_of"]

MOST_TOKENS = 512  # of a vocabulary, which become a channel each
_MOST_CATEGORIES = 32  # of a column, the most frequent in training, that have a feature of their own
_CONSTANT = 1e-12  # a channel whose deviation is a smaller share of its largest number shows one value
_FAR = 1e3  # a channel whose mean is more deviations from 0 is moved before float32 takes its digits away
_LOUDER = 10.0  # times as large as quiet deviations are loud ones where each series is brought to its own
_SILENT = 1e-6  # share of the largest deviation that counts as none
_SMALLEST = 1e-60  # width of a column's numbers that can still be divided by
_FEWEST_STEPS = 4  # of a series that has an amplitude
_AT_ONCE = 2**24  # numbers that are measured at once; more in blocks of
_BLOCK = 2**20
_FLOAT_BYTES = 4
SCALED = ("image", "series")  # channels of these have mean 0 and standard deviation 1


def fitted(
    raw: RawData, rows: Mapping[str, Rows], spec: TaskSpec, *, further: Mapping[str, Part]
) -> tuple[Splits, Target]:
    """The splits of a task before any transformation, and what is asked.

    Args:
        raw: the source.
        rows: which examples each split has.
        spec: for `resize`, `vocabulary` and `memory`.
        further: examples of the same source by a name that is no split's, in the form of `raw.x` and numbered as
            `raw.y`.

    Raises:
        InputError: too large for memory, or not of the form that the source's kind has.
    """
    target = target_of(raw, rows)
    first = _first_steps(raw, rows, spec)
    counted = sum(len(each.rows) for each in rows.values())
    check_memory(counted * _numbers(raw, first, spec) * _FLOAT_BYTES, spec.most_bytes)
    prepared = _prepared(raw, rows, first)
    parts = {
        name: Split(x=prepared.pop(name), y=_stored(raw.parts[each.part][1][each.rows], target))
        for name, each in rows.items()
    }
    for name, (x, y) in further.items():
        parts[name] = Split(x=_after(x, first).copy(), y=_stored(y, target))  # scaled in place below
    classes = len(target.names) if target.kind == "classification" else 0
    data = Splits(parts=parts, classes=classes, inputs=raw.kind, steps=first)
    if raw.kind == "table":
        return data, target
    if raw.kind == "tokens":
        return data.after(OneHotStep(size=_vocabulary(raw, spec))), target
    amplitude = _amplitude(data, spec)
    data = standardised(data if amplitude is None else data.after(amplitude))
    return (
        data.after(FillStep()) if any(np.isnan(part.x.max(initial=0)) for part in data.parts.values()) else data
    ), target


def target_of(raw: RawData, rows: Mapping[str, Rows]) -> Target:
    """What is asked of each example; numbers are scaled by the training split."""
    if raw.target != "regression":
        return Target(kind=raw.target, names=raw.labels)
    y = raw.parts[rows["train"].part][1][rows["train"].rows].astype(np.float64)
    spread = y.std(axis=0)
    spread[spread <= _CONSTANT * np.abs(y).max(axis=0)] = 1.0
    return Target(
        kind="regression",
        names=raw.labels,
        quantiles=raw.quantiles,
        center=tuple(y.mean(axis=0).tolist()),
        scale=tuple(spread.tolist()),
    )


def _stored(y: RawTargets, target: Target) -> Targets:
    """Targets as a split has them."""
    if target.counted:
        return y.astype(np.int64, copy=False)
    if target.kind == "multilabel":
        return y.astype(np.float32)
    moved: Floats = ((y - np.asarray(target.center)) / np.asarray(target.scale)).astype(np.float32)
    return moved


def _numbers(raw: RawData, first: tuple[Step, ...], spec: TaskSpec) -> int:
    """How many numbers an example has once it is prepared."""
    if isinstance(first[0], ColumnStep):
        return len(first[0].features)
    if raw.kind == "tokens":
        return _vocabulary(raw, spec) * int(raw.x.shape[-1])
    sides = raw.x.shape[2:]
    return math.prod(raw.x.shape[1:] if spec.resize is None else (raw.x.shape[1], *(spec.resize,) * len(sides)))


def _vocabulary(raw: RawData, spec: TaskSpec) -> int:
    ranges = [(int(np.nanmin(x)), int(np.nanmax(x))) for x, _ in raw.parts.values()]
    smallest, largest = min(low for low, _ in ranges), max(high for _, high in ranges)
    size = spec.vocabulary or largest + 1
    if smallest < 0 or largest >= size:
        told = smallest if smallest < 0 else largest
        raise InputError(f"tokens are whole numbers 0..{size - 1}, not {told}; NaN stands where there is none")
    if size > MOST_TOKENS:
        raise InputError(
            f"a vocabulary of {size:,} tokens: at most {MOST_TOKENS} become channels; give rare tokens one number"
        )
    return size


def _first_steps(raw: RawData, rows: Mapping[str, Rows], spec: TaskSpec) -> tuple[Step, ...]:
    """What is done to each example before anything is measured."""
    if raw.kind == "table":
        if spec.resize is not None:
            raise InputError("resize: a table has no sides; leave it out")
        x = raw.rows(rows["train"].part, rows["train"].rows)
        return (ColumnStep(columns=tuple(_column(column, x[:, k]) for k, column in enumerate(raw.columns))),)
    steps: list[Step] = [LayoutStep(axes=raw.layout, offset=_offset(raw, rows))]
    if raw.kind in ("series", "tokens") and 0 in raw.example:
        steps.append(PadStep(length=raw.x.shape[-1]))
    if spec.resize is not None and raw.kind == "tokens":
        raise InputError("resize: tokens cannot be averaged; cut the sequences instead")
    if spec.resize is not None:
        steps.append(ResizeStep(size=(spec.resize,) * len(raw.x.shape[2:])))
    return tuple(steps)


def _offset(raw: RawData, rows: Mapping[str, Rows]) -> tuple[float, ...]:
    """By channel, what is taken off before float32; empty where float32 holds the numbers well enough."""
    if raw.kind not in SCALED or raw.x.dtype.itemsize <= _FLOAT_BYTES or raw.fetch is not None:
        return ()
    x = raw.rows(rows["train"].part, rows["train"].rows)
    axes = (0, *range(2, x.ndim))
    mean, spread = np.nanmean(x, axis=axes, dtype=np.float64), np.nanstd(x, axis=axes, dtype=np.float64)
    far = (np.abs(mean) > _FAR * spread) & (spread > _CONSTANT * np.abs(mean))
    return tuple(np.where(far, mean, 0.0).tolist()) if far.any() else ()


def _amplitude(data: Splits, spec: TaskSpec) -> AmplitudeStep | None:
    """What brings series to amplitudes of their own; None where the training series are about as loud as each other.

    Scaled all alike, quiet series would be hardly more than 0 beside loud ones, and networks do not see them.
    """
    if data.inputs != "series" or spec.amplitude == "common":
        return None
    x = data.parts["train"].x
    if x.shape[2] < _FEWEST_STEPS:
        return None
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a series without a number
        spread = np.nanstd(x, axis=2, dtype=np.float64)
    found: dict[int, tuple[float, float]] = {}
    for channel, deviations in enumerate(spread.T):
        heard = deviations[np.nan_to_num(deviations) > _SILENT * np.nanmax(deviations, initial=0.0)]
        if not len(heard):
            continue
        quiet, usual, loud = np.quantile(heard, (0.05, 0.5, 0.95))
        if spec.amplitude == "own" or loud > _LOUDER * quiet:
            found[channel] = (_SILENT * float(heard.max()), float(usual))
    if not found:
        return None
    floors, units = zip(*found.values(), strict=True)
    return AmplitudeStep(channels=tuple(found), floor=floors, unit=units)


def _prepared(raw: RawData, rows: Mapping[str, Rows], steps: tuple[Step, ...]) -> dict[str, Floats]:
    """Examples of each split after the first steps; block by block where the whole is not in memory."""
    if raw.fetch is None:
        return {name: _after(raw.rows(each.part, each.rows), steps) for name, each in rows.items()}
    found: dict[str, Floats] = {}
    for part in {each.part for each in rows.values()}:
        found |= _streamed(raw, part, {name: each.rows for name, each in rows.items() if each.part == part}, steps)
    return {name: found[name] for name in rows}


def _streamed(
    raw: RawData, part: str, rows: Mapping[str, NDArray[np.int64]], steps: tuple[Step, ...]
) -> dict[str, Floats]:
    """Examples of the splits that come from one part, which is read once."""
    assert raw.fetch is not None  # noqa: S101 -- the caller has looked
    every = np.sort(np.concatenate(list(rows.values())))
    found: dict[str, Floats] = {}
    begin = 0
    for block in raw.fetch(part, every):
        x, numbers = _after(block, steps), every[begin : begin + len(block)]
        begin += len(block)
        if raw.kind == "image" and np.isnan(x.max(initial=0)):
            bad = int(np.argwhere(np.isnan(x))[0][0])
            raise InputError(f"example {numbers[bad]} has values that are not finite")
        for name, mine in rows.items():
            held = found.setdefault(name, np.empty((len(mine), *x.shape[1:]), dtype=np.float32))
            start, stop = np.searchsorted(mine, (numbers[0], numbers[-1] + 1))
            held[start:stop] = x[np.searchsorted(numbers, mine[start:stop])]
    return found


def _after(x: NDArray[Any], steps: tuple[Step, ...]) -> Floats:
    """Steps on examples whose axes are in place already."""
    for step in steps:
        x = step.floats(x) if isinstance(step, LayoutStep) else step.apply(x)
    return np.ascontiguousarray(x, dtype=np.float32)


def standardised(data: Splits) -> Splits:
    """Mean 0 and standard deviation 1 in every channel of train; the other splits by the same numbers.

    NaN is left out of what is measured. The memory of the splits is used again: these must not be used any more.
    """
    mean, spread, largest = _moments(data.parts["train"].x)
    spread = np.where(spread <= _CONSTANT * largest, 1.0, spread)
    center, scale = (tuple(each.astype(np.float32).tolist()) for each in (mean, spread))
    return data.scaled(ScaleStep(center=center, scale=scale))


def _moments(x: Floats) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """By channel mean, standard deviation and largest magnitude, in float64 whatever the order of summation."""
    axes = (0, *range(2, x.ndim))
    high, low = x.max(axis=axes), x.min(axis=axes)
    if np.isnan(high).any():
        held = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
        if np.isnan(held).all(axis=1).any():
            raise InputError("a channel holds no number in any training example: leave it out")
        measured = (np.nanmean(held, axis=1, dtype=np.float64), np.nanstd(held, axis=1, dtype=np.float64))
        return (*map(np.asarray, measured), np.nanmax(np.abs(held), axis=1))
    largest = np.maximum(high, -low)
    if x.size <= _AT_ONCE:
        return x.mean(axis=axes, dtype=np.float64), x.std(axis=axes, dtype=np.float64), largest
    # Float64 takes a copy of twice the size: block by block it does not.
    block, count = max(1, _BLOCK // math.prod(x.shape[1:])), x.size // x.shape[1]
    mean = (
        sum((x[k : k + block].sum(axis=axes, dtype=np.float64) for k in range(0, len(x), block)), np.zeros(1)) / count
    )
    total, one = np.zeros(x.shape[1]), (1, -1, *(1,) * (x.ndim - 2))
    for start in range(0, len(x), block):
        total += ((x[start : start + block] - mean.reshape(one)) ** 2).sum(axis=axes)
    return mean, np.sqrt(total / count), largest


def _column(column: Column, values: NDArray[Any]) -> Column:
    """What training says of a column: which categories it has, where its numbers lie, whether any is missing."""
    present = values[~np.isnan(values)]
    missing = len(present) < len(values)
    if column.categorical:
        counts = np.bincount(present.astype(np.int64), minlength=len(column.categories))
        common = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
        return replace(column, kept=tuple(sorted(common[counts[common] > 0].tolist())), missing=missing)
    if not len(present):
        return replace(column, factor=0.0, missing=missing)
    low, center, high = np.quantile(present, (0.25, 0.5, 0.75))
    width = (high - low) or (present.max() - present.min()) / 2
    factor = 1 / width if width > max(_CONSTANT * np.abs(present).max(), _SMALLEST) else 0.0
    return replace(column, center=float(center), factor=float(factor), missing=missing)


def repeated(data: Splits) -> int:
    """How many test examples are training or validation examples as well."""
    seen = {_key(row) for name in ("train", "validation") for row in data.parts[name].x}
    return sum(_key(row) in seen for row in data.parts["test"].x)


def _key(row: Floats) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest()
