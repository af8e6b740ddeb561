"""Cells of a table as numbers and codes: by the types that a person states, else by what the cells are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.columns import Column, ColumnType
from selfnas.errors import InputError

__all__ = ["MISSING", "Cells", "Typed", "typed"]

Cells = Mapping[str, NDArray[Any]]

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "None", "?"})  # cells of text that stand for no value
_LARGEST = 1e30  # squares of larger numbers leave float64 once they are scaled
_MOST_CATEGORIES = 1000  # of one column; more are names of examples rather than kinds of them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Typed:
    """Parts of a table as numbers.

    Attributes:
        parts: by name `(n, columns)` float64; NaN where a value is missing.
        columns: names and categories.
        notes: what was guessed or left out.
    """

    parts: Mapping[str, NDArray[np.float64]]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def typed(
    parts: Mapping[str, Cells],
    types: Mapping[str, ColumnType],
    *,
    written: bool,
    where: Callable[[str, int], str] = lambda part, row: f"example {row}" + (f" of {part}" if part != "x" else ""),
) -> Typed:
    """Tables of equal columns as numbers and codes.

    Args:
        parts: by name, cells by column, in order: numbers, or text with `MISSING` or None where there is no value.
        types: as stated, of some columns.
        written: whether text may stand for numbers, as in a CSV file; else text is categories.
        where: names a row of a part, for messages.

    Raises:
        InputError: every column whose cells are of no type, or not of the stated one.
    """
    names = list(next(iter(parts.values())))
    problems = [f"columns: there is no column {name!r}, only {_few(names)}" for name in types if name not in names]
    for part, cells in parts.items():
        if list(cells) != names:
            problems.append(f"{part} has the columns {_few(list(cells))}, not {_few(names)}")
    if problems:
        raise InputError(problems[0])
    columns, values, notes = [], [], []
    for name in names:
        stated = types.get(name)
        if stated == "ignore":
            continue
        held = {part: cells[name] for part, cells in parts.items()}
        column, numbers = _one(name, held, stated, written=written, where=where)
        if all(np.isnan(each).all() for each in numbers.values()):
            notes.append(f"column {name!r} has no value and was left out")
            continue
        columns.append(column)
        values.append(numbers)
    if not columns:
        raise InputError("columns: none is left to learn from")
    stacked = {part: np.stack([each[part] for each in values], axis=1) for part in parts}
    return Typed(parts=stacked, columns=tuple(columns), notes=tuple(notes))


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")


def _one(
    name: str,
    held: Mapping[str, NDArray[Any]],
    stated: ColumnType | None,
    *,
    written: bool,
    where: Callable[[str, int], str],
) -> tuple[Column, dict[str, NDArray[np.float64]]]:
    numeric = all(each.dtype.kind in "buif" for each in held.values())
    if numeric and stated != "categorical":
        return Column(name=name), _finite(name, {part: each.astype(np.float64) for part, each in held.items()}, where)
    text = {part: _text(each, name) for part, each in held.items()}
    if not numeric and (stated == "numeric" or (stated is None and written)):
        read = {part: _read(each) for part, each in text.items()}
        failed = [
            (part, int(row))
            for part in text
            for row in np.flatnonzero(np.isnan(read[part]) & np.array([cell is not None for cell in text[part]]))
        ]
        count = sum(cell is not None for each in text.values() for cell in each)
        if not failed:
            return Column(name=name), _finite(name, read, where)
        if stated == "numeric" or len(failed) < count:
            part, row = failed[0]
            raise InputError(
                f"column {name!r} holds {text[part][row]!r} in {where(part, row)}, where a number belongs: mend the "
                f"{len(failed):,} cell{'s' if len(failed) > 1 else ''}, leave missing values empty, or say `columns: "
                f"{{{name}: categorical}}`, or `ignore`"
            )
    return _coded(name, text)


def _finite(
    name: str, held: dict[str, NDArray[np.float64]], where: Callable[[str, int], str]
) -> dict[str, NDArray[np.float64]]:
    """The same numbers, where all that are there can be reckoned with."""
    for part, values in held.items():
        bad = np.flatnonzero(np.abs(values) > _LARGEST)
        if len(bad):
            raise InputError(
                f"column {name!r} holds {values[bad[0]]} in {where(part, int(bad[0]))}: need numbers up to "
                f"{_LARGEST:.0e}, and none where a value is missing"
            )
    return held


def _text(values: NDArray[Any], name: str) -> list[str | None]:
    """Cells as text, None where there is no value."""
    if values.dtype.kind in "mM":
        raise InputError(f"column {name!r} holds dates: give a number for each, or say `columns: {{{name}: ignore}}`")
    found: list[str | None] = []
    for cell in values.tolist():
        if isinstance(cell, bytes | list | dict | tuple | set | np.ndarray):
            raise InputError(
                f"column {name!r} holds {type(cell).__name__}s: need numbers or text; `columns: {{{name}: ignore}}` "
                "leaves it out"
            )
        missing = cell is None or cell != cell or str(cell).strip() in MISSING
        found.append(None if missing else str(cell).strip())
    return found


def _read(cells: Sequence[str | None]) -> NDArray[np.float64]:
    """Numbers, NaN where a cell holds none; `007` is a code and no number."""
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None or not cell.isascii() or "_" in cell or _padded(cell):
            continue
        try:
            number = float(cell)
        except ValueError:
            continue
        found[row] = number if np.isfinite(number) else np.nan
    return found


def _padded(cell: str) -> bool:
    digits = cell.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdecimal()


def _coded(name: str, text: Mapping[str, Sequence[str | None]]) -> tuple[Column, dict[str, NDArray[np.float64]]]:
    categories = sorted({cell for cells in text.values() for cell in cells if cell is not None})
    if len(categories) > _MOST_CATEGORIES:
        raise InputError(
            f"column {name!r} holds {len(categories):,} different texts, such as {categories[0]!r}: at most "
            f"{_MOST_CATEGORIES:,} are taken for categories; `columns: {{{name}: ignore}}` leaves it out"
        )
    codes = {category: float(code) for code, category in enumerate(categories)}
    values = {
        part: np.array([np.nan if cell is None else codes[cell] for cell in cells]) for part, cells in text.items()
    }
    return Column(name=name, categories=tuple(categories)), values
