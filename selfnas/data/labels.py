"""What a source says under `y`, read as the target that a person states; never guessed from its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.targets import RawTargets, TargetKind, TargetSpec
from selfnas.errors import InputError

__all__ = ["Answers", "decoded", "read_targets"]


_MOST_NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The targets of a source.

    Attributes:
        kind: of the target.
        names: of classes, labels or numbers.
        parts: by the key that the source has them under: `(n,)` int64 classes, or `(n, k)` float64 labels or numbers.
    """

    kind: TargetKind
    names: tuple[str, ...]
    parts: Mapping[str, RawTargets]


def read_targets(parts: Mapping[str, NDArray[Any]], spec: TargetSpec | None) -> Answers:
    """The arrays under `y`, `y_train`, … as one target.

    Args:
        parts: by key; numbers or text, `(n,)` or `(n, k)`.
        spec: what is asked for; None is classification, and asks the person where that may not be meant.

    Raises:
        InputError: arrays of another form, with what would be right.
    """
    kind: TargetKind = "classification" if spec is None else spec.kind
    held = {key: decoded(_flat(value), key) for key, value in parts.items()}
    if kind == "multilabel":
        return _labels(held, spec)
    if kind == "regression":
        return _numbers(held, spec)
    values = [_class_values(value, key, stated=spec is not None) for key, value in held.items()]
    if len({value.dtype.kind in "US" for value in values}) > 1:
        raise InputError(f"{' and '.join(held)} must both hold numbers or both hold strings")
    if kind == "ordinal" and spec is not None:
        names, numbered = _ordered(values, spec.order)
    else:
        names, numbered = _numbered(values)
    return Answers(kind=kind, names=names, parts=dict(zip(held, numbered, strict=True)))


def decoded(values: NDArray[Any], key: str) -> NDArray[Any]:
    """Bytes, as HDF5 and MATLAB files give them, as the text that they are.

    Raises:
        InputError: not UTF-8.
    """
    if values.dtype.kind != "S":
        return values
    try:
        text: NDArray[np.str_] = np.char.decode(values, "utf-8")
        return text
    except UnicodeDecodeError as error:
        raise InputError(f"{key} holds bytes that are no UTF-8 text: {error.object[:20]!r}") from error


def _flat(y: NDArray[Any]) -> NDArray[Any]:
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _class_values(y: NDArray[Any], key: str, *, stated: bool) -> NDArray[Any]:
    """`(n,)` whole numbers or text."""
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "buif" and _one_hot(y):
        if stated:
            return np.asarray(y.argmax(axis=1))
        raise InputError(
            f"{key} has shape {y.shape} with a single 1 in each row: `target: classification` reads the rows as "
            "one-hot classes, `target: multilabel` as labels"
        )
    if y.ndim != 1:
        raise InputError(
            f"{key} must have shape ({len(y)},), not {y.shape}; of several labels or numbers for each example, "
            "`target: multilabel` or `target: regression` says what they are"
        )
    if y.dtype.kind == "f":
        wide = y.astype(np.float64)
        if np.isfinite(wide).all() and (wide == np.round(wide)).all() and (np.abs(wide) < 2**53).all():
            return wide.astype(np.int64)
    if y.dtype.kind not in "buiU":
        fraction = y[~(np.isfinite(y) & (y == np.round(y)))] if y.dtype.kind == "f" else y[:0]
        found = fraction[0] if len(fraction) else y.dtype
        hint = "; `target: regression` asks for numbers" if len(fraction) and np.isfinite(fraction[0]) else ""
        raise InputError(f"{key} holds {found}: labels are whole numbers or strings{hint}")
    return y


def _one_hot(y: NDArray[Any]) -> bool:
    return _flags(y) and bool((y.sum(axis=1) == 1).all())


def _flags(y: NDArray[Any]) -> bool:
    return bool(((y == 0) | (y == 1)).all())


def _numbered(parts: Sequence[NDArray[Any]]) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Names in sorted order, and the number of each value."""
    names, index = np.unique(np.concatenate(parts), return_inverse=True)
    stops = np.cumsum([len(part) for part in parts])[:-1]
    return tuple(str(name) for name in names.tolist()), np.split(index.reshape(-1).astype(np.int64), stops)


def _ordered(
    parts: Sequence[NDArray[Any]], order: Sequence[str] | None
) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """As `_numbered`, by a stated order; numbers have one of their own."""
    names, numbered = _numbered(parts)
    if order is None:
        if parts[0].dtype.kind == "U":
            raise InputError(f"ordinal classes in text need `order`, from the lowest to the highest of {_told(names)}")
        return names, numbered
    places = {name: place for place, name in enumerate(order)}
    unknown, unseen = [name for name in names if name not in places], [name for name in order if name not in names]
    if unknown or unseen:
        told = f"does not have class {unknown[0]!r}" if unknown else f"names {unseen[0]!r}, which no example is of"
        raise InputError(f"order {told}; the data hold {_told(names)}")
    moved = np.array([places[name] for name in names], dtype=np.int64)
    return tuple(order), [moved[part] for part in numbered]


def _told(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")


def _labels(held: Mapping[str, NDArray[Any]], spec: TargetSpec | None) -> Answers:
    parts: dict[str, RawTargets] = {}
    for key, value in held.items():
        rows = value[:, None] if value.ndim == 1 else value
        if rows.ndim != 2 or not rows.shape[1] or rows.dtype.kind not in "buif" or not _flags(rows):
            raise InputError(
                f"{key} has shape {value.shape} of {value.dtype}: the labels of a multilabel task are (n, labels) of "
                "0 and 1, a column for each label"
            )
        parts[key] = rows.astype(np.float64)
    return Answers(kind="multilabel", names=_column_names(parts, spec, "label"), parts=parts)


def _numbers(held: Mapping[str, NDArray[Any]], spec: TargetSpec | None) -> Answers:
    parts: dict[str, RawTargets] = {}
    for key, value in held.items():
        rows = value[:, None] if value.ndim == 1 else value
        if rows.dtype.kind == "U":
            raise InputError(f"{key} holds text, the first {rows.reshape(-1)[:1].tolist()}: {_NOT_NUMBERS}")
        if rows.ndim != 2 or not rows.shape[1] or rows.dtype.kind not in "buif":
            raise InputError(f"{key} has shape {value.shape} of {value.dtype}: {_NOT_NUMBERS}")
        wide = rows.astype(np.float64)
        bad = np.flatnonzero(~(np.isfinite(wide) & (np.abs(wide) < _LARGEST)).all(axis=1))
        if len(bad):
            raise InputError(f"{key} holds {rows[bad[0]].tolist()} in example {bad[0]}: {_NOT_NUMBERS}")
        parts[key] = rows.astype(np.float64)
    names = _column_names(parts, spec, "number")
    if spec is not None and spec.quantiles and len(names) > 1:
        raise InputError(f"quantiles are of one number, and the target has {len(names)}")
    if spec is not None and spec.units and len(spec.units) != len(names):
        raise InputError(f"units: one for each of {len(names)} numbers, not {len(spec.units)}")
    return Answers(kind="regression", names=names, parts=parts)


_LARGEST = 1e30  # squares of larger numbers leave float64 or float32
_NOT_NUMBERS = (
    "regression asks for finite numbers, (n,) or (n, numbers); leave out examples without one, or see "
    "`target: classification` and `target: ordinal`"
)


def _column_names(parts: Mapping[str, RawTargets], spec: TargetSpec | None, what: str) -> tuple[str, ...]:
    widths = {key: value.shape[1] for key, value in parts.items()}
    if len(set(widths.values())) > 1:
        raise InputError(f"need equally many columns: {', '.join(f'{key} has {n}' for key, n in widths.items())}")
    width = next(iter(widths.values()))
    stated = [] if spec is None else spec.names or spec.columns or ([spec.column] if spec.column else [])
    if stated and len(stated) != width:
        raise InputError(f"names: one for each of {width} {what}s, not {len(stated)}")
    return tuple(stated) or tuple(what if width == 1 else f"{what} {column}" for column in range(width))
