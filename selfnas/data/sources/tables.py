"""Tables in files: CSV and Parquet, their columns by name and type, their target, groups and split by columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.cells import MISSING, typed
from selfnas.data.labels import read_targets
from selfnas.data.raw import Part, RawData, check_memory
from selfnas.data.spec import TaskSpec
from selfnas.data.targets import TargetSpec
from selfnas.errors import InputError, cause, suggestion

__all__ = ["read_csv", "read_parquet"]

_SPLITS = {"train": "x", "validation": "validation", "test": "test"}
_CELL_BYTES = 64  # of a cell of text in memory, roughly
_INDEX = re.compile(r"__index_level_\d+__")  # as pandas writes an index without a name to Parquet
_MOST_UNANSWERED = 0.5  # of the rows
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Cells by column, as a file has them.

    Attributes:
        path: of the file.
        cells: equally many by column: numbers, or objects that are text or None.
        written: whether text may stand for numbers.
        first: how messages count the rows: the number of the first.
    """

    path: Path
    cells: Mapping[str, NDArray[Any]]
    written: bool
    first: int = 0


def read_csv(path: Path, spec: TaskSpec) -> RawData:
    """A text file with a header, one example a row; cells in quotes may hold anything.

    Raises:
        InputError: missing, too large, not UTF-8, without a header, rows of other lengths; or no such table as `spec`
            states.
    """
    delimiter = spec.delimiter or ("\t" if path.suffix == ".tsv" else ",")
    with _naming(path):
        check_memory(path.stat().st_size, spec.most_bytes, "the file")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(rows, [])]
            numbered = len(header) > 1 and not header[0]  # as data frames are written with their index
            _check_header(header[numbered:], delimiter)
            columns: list[list[str]] = [[] for _ in header]
            most = spec.most_bytes // (_CELL_BYTES * len(header))
            for row in rows:
                if len(columns[0]) >= most:
                    raise InputError(f"more than {most:,} lines do not fit into memory: `memory: 4 GiB` gives more")
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"line {rows.line_num} has {len(row)} cells, the header has {len(header)}: mend the line, or "
                        "`delimiter` says what stands between cells"
                    )
                for cells, cell in zip(columns, row, strict=True):
                    cells.append(cell.strip())
    with _naming(path):
        notes = (_row_names(columns[0]),) if numbered else ()
        named = list(zip(header, columns, strict=True))[numbered:]
        held = {name: _objects(cells) for name, cells in named}
        found = _read(_Table(path=path, cells=held, written=True, first=2), spec)
    return replace(found, notes=(*notes, *found.notes))


def _row_names(cells: Sequence[str]) -> str:
    """What is said of a first column without a name, which is left out where it names rows.

    Raises:
        InputError: it does not, so it may be a feature.
    """
    if len(set(cells)) < len(cells):
        raise InputError(
            "column 1 has no name, and equal values in several lines: give each column one name of its own"
        )
    return "the first column has no name and another value in each line: it numbers the rows and is left out"


def read_parquet(path: Path, spec: TaskSpec) -> RawData:
    """A Parquet file, one example a row; the columns' types are the file's.

    Raises:
        InputError: missing, damaged, too large, with nested columns that are not left out; or no such table as `spec`
            states.
    """
    from pyarrow import ArrowException, parquet, types

    with _naming(path):
        if not path.is_file():
            raise FileNotFoundError(2, "no such file")
        try:
            file = parquet.ParquetFile(path)
            schema, stated = file.schema_arrow, spec.columns or {}
            ignored = {name for name, kind in stated.items() if kind == "ignore"}
            index = [name for name in schema.names if _INDEX.fullmatch(name) and name not in stated]
            needed = file.metadata.num_rows * len(schema.names) * np.dtype(np.float64).itemsize
            check_memory(needed, spec.most_bytes, "the file")
            _check_header(list(schema.names), None)
            wanted = [field for field in schema if field.name not in {*ignored, *index}]
            for field in wanted:
                if types.is_nested(field.type):
                    raise InputError(
                        f"column {field.name!r} holds {field.type}: need numbers, text, true or false; `columns: "
                        f"{{{field.name}: ignore}}` leaves it out"
                    )
            table = file.read(columns=[field.name for field in wanted])
            held = {field.name: _column(table.column(field.name)) for field in wanted}
        except ArrowException as error:
            raise InputError(f"cannot be read: {error}") from error
        left = {name: np.full(file.metadata.num_rows, np.nan) for name in schema.names if name in ignored}
        found = _read(_Table(path=path, cells={**held, **left}, written=False), spec)
        notes = [f"column {name!r} numbers the rows of a data frame and is left out" for name in index]
        return replace(found, notes=(*notes, *found.notes))


def _column(column: Any) -> NDArray[Any]:
    """Numbers with NaN for what is missing, or objects."""
    values: NDArray[Any] = column.to_numpy()
    if values.dtype != object:
        return values
    cells = column.to_pylist()
    if all(cell is None or isinstance(cell, bool | int | float) for cell in cells):
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    return _objects([cell if cell is None or isinstance(cell, str) else _plain(cell) for cell in cells])


def _plain(cell: object) -> object:
    """Decimals as numbers; what is neither number nor text as it is, for the message about it."""
    return str(cell) if type(cell).__name__ == "Decimal" else cell


def _objects(cells: Sequence[object]) -> NDArray[Any]:
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Every problem names the file."""
    try:
        yield
    except InputError as error:
        raise InputError("\n".join(_named(path, problem.message) for problem in error.problems)) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {cause(error)}") from error


def _named(path: Path, message: str) -> str:
    # What begins with a key of the task is told at that key of the stream file.
    return message if message.startswith((str(path), *_KEYS)) else f"{path}: {message}"


_KEYS = ("columns", "groups", "split", "target", "order", "units", "names", "quantiles")


def _check_header(header: Sequence[str], delimiter: str | None) -> None:
    if not header:
        raise InputError("no header: the first line names the columns")
    empty = [index for index, name in enumerate(header) if not name]
    twice = sorted({name for name in header if header.count(name) > 1})
    if empty or twice:
        told = f"column {empty[0] + 1} has no name" if empty else f"two columns are called {twice[0]!r}"
        raise InputError(f"{told}: give each column one name of its own")
    if len(header) == 1 and delimiter:
        other = next((mark for mark in (";", "\t", "|", ",") if mark != delimiter and mark in header[0]), None)
        if other:
            raise InputError(f"one column called {header[0][:60]!r}: `delimiter: {other!r}` splits it")
    if header and all(_number(name) for name in header):
        raise InputError("the first line holds numbers alone: it must name the columns")


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read(table: _Table, spec: TaskSpec) -> RawData:
    """A task's examples of a table."""
    names, cells = list(table.cells), table.cells
    if not len(cells[names[0]]):
        raise InputError("there are no examples")
    target = spec.target
    wanted = _target_columns(target, names)
    for key, name in (("groups", spec.groups), ("split", spec.split)):
        if name is not None and name not in names:
            raise InputError(f"{key}: there is no column {name!r}{suggestion(name, names)}")
    apart = {*wanted, *filter(None, (spec.groups, spec.split))}
    gone = _unanswered(cells, wanted)
    answered = {part: rows[~gone[rows]] for part, rows in _parts(table, spec).items()}
    parts = {part: rows for part, rows in answered.items() if len(rows)}
    if "x" not in parts:
        raise InputError("no example to train on has an answer")
    features = {part: {name: cells[name][rows] for name in names if name not in apart} for part, rows in parts.items()}

    def where(part: str, row: int) -> str:
        number = int(parts[part][row]) + table.first
        return f"line {number}" if table.written else f"row {number}"

    stated = {name: kind for name, kind in (spec.columns or {}).items() if name in names and name not in apart}
    unknown = [name for name in spec.columns or {} if name not in names]
    if unknown:
        raise InputError(f"columns: there is no column {unknown[0]!r}{suggestion(unknown[0], names)}")
    if not any(kind != "ignore" for kind in (stated.get(name) for name in names if name not in apart)):
        raise InputError("columns: none is left to learn from")
    made = typed(features, stated, written=table.written, where=where)
    answers = read_targets(
        {_y(part): _answers(cells, wanted, rows, target, where, part) for part, rows in parts.items()},
        _named_target(target, wanted),
    )
    held: dict[str, Part] = {part: (made.parts[part], answers.parts[_y(part)]) for part in parts}
    as_series = spec.kind == "series"
    if as_series and any(column.categorical for column in made.columns):
        raise InputError("kind: series needs numbers in every column")
    if as_series:
        held = {part: (x[:, None], y) for part, (x, y) in held.items()}
    groups = None if spec.groups is None else _groups(cells[spec.groups], parts, spec.groups)
    return RawData(
        kind="series" if as_series else "table",
        x=held["x"][0],
        y=held["x"][1],
        test=held.get("test"),
        validation=held.get("validation"),
        labels=answers.names,
        target=answers.kind,
        axes="l" if as_series else "f",
        groups=groups,
        columns=() if as_series else made.columns,
        notes=(*made.notes, *_left_out(gone)),
        units=tuple((target.units if target else None) or ()),
        quantiles=tuple((target.quantiles if target else None) or ()),
    )


def _y(part: str) -> str:
    return {"x": "y", "test": "y_test", "validation": "y_validation"}[part]


def _target_columns(target: TargetSpec | None, names: Sequence[str]) -> list[str]:
    """The columns that hold what is asked."""
    wanted = [] if target is None else target.columns or ([target.column] if target.column else [])
    if not wanted:
        kind = target.kind if target else "classification"
        if kind != "multilabel":
            raise InputError(
                f"target: which column is asked for? `target: {{kind: {kind}, column: {names[-1]}}}` or "
                f"another of {', '.join(names[:12])}"
            )
        raise InputError("target: which columns hold the labels? `columns` lists them")
    for name in wanted:
        if name not in names:
            raise InputError(f"target: there is no column {name!r}{suggestion(name, names)}")
    return list(wanted)


def _unanswered(cells: Mapping[str, NDArray[Any]], wanted: Sequence[str]) -> NDArray[np.bool_]:
    """`(n,)` rows that lack some answer.

    Raises:
        InputError: more than half of them do, so something else is wrong.
    """
    gone = np.zeros(len(cells[wanted[0]]), dtype=np.bool_)
    for name in wanted:
        values = cells[name]
        if values.dtype == object:
            own = [cell is None or str(cell) in MISSING for cell in values.tolist()]
            gone |= np.array(own, dtype=np.bool_)
        elif values.dtype.kind == "f":
            gone |= np.isnan(values)
        if gone.sum() > _MOST_UNANSWERED * len(gone):
            raise InputError(
                f"column {name!r} has no value in {int(gone.sum()):,} of {len(gone):,} rows: is it the one that is "
                "asked for? Then leave these rows out"
            )
    return gone


def _left_out(gone: NDArray[np.bool_]) -> tuple[str, ...]:
    count = int(gone.sum())
    return (f"{count:,} of {len(gone):,} rows have no answer and are left out",) if count else ()


def _named_target(target: TargetSpec | None, wanted: list[str]) -> TargetSpec | None:
    """Labels and numbers are called like their columns."""
    if target is None or target.kind not in ("multilabel", "regression") or target.names:
        return target
    return target.model_copy(update={"names": wanted})


def _answers(
    cells: Mapping[str, NDArray[Any]],
    wanted: Sequence[str],
    rows: NDArray[np.int64],
    target: TargetSpec | None,
    where: Any,
    part: str,
) -> NDArray[Any]:
    """`(n,)` names of classes, or `(n, k)` numbers."""
    numbers = target is not None and target.kind in ("multilabel", "regression")
    found = []
    for name in wanted:
        values = cells[name][rows]
        text = values.dtype == object
        found.append(_as_numbers(name, values, where, part) if numbers and text else _as_classes(values))
    return found[0] if len(found) == 1 else np.stack(found, axis=1)


def _as_numbers(name: str, values: NDArray[Any], where: Any, part: str) -> NDArray[np.float64]:
    found = np.empty(len(values))
    for row, cell in enumerate(values.tolist()):
        try:
            found[row] = _TRUTH[str(cell).lower()] if str(cell).lower() in _TRUTH else float(cell)
        except ValueError as error:
            raise InputError(
                f"column {name!r} holds {cell!r} in {where(part, row)}, where a number belongs: regression asks for "
                "numbers, `target: {kind: classification, …}` for classes"
            ) from error
    return found


def _as_classes(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.str_) if values.dtype == object else values


def _parts(table: _Table, spec: TaskSpec) -> dict[str, NDArray[np.int64]]:
    """Rows of each part, by the column that says it."""
    count = len(next(iter(table.cells.values())))
    if spec.split is None:
        return {"x": np.arange(count)}
    said = np.array([str(cell) for cell in table.cells[spec.split].tolist()])
    odd = np.flatnonzero(~np.isin(said, list(_SPLITS)))
    if len(odd):
        raise InputError(
            f"split: column {spec.split!r} says {str(said[odd[0]])!r} in row {odd[0] + table.first}: need train, "
            "validation or test"
        )
    found = {part: np.flatnonzero(said == name) for name, part in _SPLITS.items()}
    if not len(found["x"]):
        raise InputError(f"split: column {spec.split!r} says train of no row")
    return {part: rows for part, rows in found.items() if len(rows)}


def _groups(values: NDArray[Any], parts: Mapping[str, NDArray[np.int64]], name: str) -> NDArray[np.int64]:
    """Numbers of the groups of the training rows."""
    said = np.array([str(cell) for cell in values.tolist()])
    own = set(said[parts["x"]].tolist())
    for part, rows in parts.items():
        shared = own & set(said[rows].tolist()) if part != "x" else set()
        if shared:
            told = str(min(shared))
            raise InputError(f"groups: {name} {told!r} is in the train part and in the {part} part")
    return np.unique(said[parts["x"]], return_inverse=True)[1].astype(np.int64)
