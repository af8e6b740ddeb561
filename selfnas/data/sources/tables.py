"""Tables in files: CSV and Parquet, their columns by name and type, their target, groups and split by columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
            _check_header(header, delimiter)
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
    held = {name: _objects(cells) for name, cells in zip(header, columns, strict=True)}
    with _naming(path):
        return _read(_Table(path=path, cells=held, written=True, first=2), spec)


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
            schema, ignored = file.schema_arrow, {k for k, v in (spec.columns or {}).items() if v == "ignore"}
            needed = file.metadata.num_rows * len(schema.names) * np.dtype(np.float64).itemsize
            check_memory(needed, spec.most_bytes, "the file")
            _check_header(list(schema.names), None)
            wanted = [field for field in schema if field.name not in ignored]
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
        return _read(_Table(path=path, cells={**held, **left}, written=False), spec)


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
    parts = _parts(table, spec)
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
        notes=made.notes,
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
        if values.dtype.kind == "f" and not numbers and np.isnan(values).any():
            values = values.astype(object)
            values[np.isnan(values.astype(float))] = None
        text = values.dtype == object
        gone = [row for row, cell in enumerate(values.tolist()) if text and (cell is None or str(cell) in MISSING)]
        if gone:
            raise InputError(
                f"column {name!r} has no value in {where(part, gone[0])}: leave out rows without an answer"
            )
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
