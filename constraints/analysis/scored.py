"""Lists of architectures and tables of scored cells, as people keep them in text and CSV files."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

from selfnas.errors import ArchitectureError, InputError, Problem, cause, suggestion
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import parse_architecture

__all__ = ["read_library", "read_scores"]

_MAX_BYTES = 100_000_000  # unpacked; the tables that are published take a few megabytes


def read_library(path: Path) -> list[Architecture]:
    """Architectures from a text file, one a line; raises `InputError` with every line that is none."""
    found, problems = [], []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(f"cannot be read: {cause(error)}", str(path))]) from error
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                found.append(parse_architecture(line.strip()))
        except ArchitectureError as error:
            problems.append(Problem(str(error), str(path), number))
    if problems:
        raise InputError(problems)
    return found


def read_scores(path: Path, column: str, cells: str, space: Space) -> dict[str, float]:
    """Scores by cell text, from a CSV file, gzipped or not; rows without a number are left out."""
    try:
        raw = b"" if path.suffix == ".gz" else path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise InputError([Problem(f"larger than {_MAX_BYTES:,} bytes", str(path))])
        text = raw.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError([Problem(f"cannot be read: {cause(error)}", str(path))]) from error
    reader = csv.DictReader(io.StringIO(text))
    try:
        known, rows = list(reader.fieldnames or []), list(reader)
    except csv.Error as error:
        raise InputError([Problem(f"not a table of commas and lines: {error}", str(path), reader.line_num)]) from error
    for name in (column, cells):
        if name not in known:
            raise InputError([Problem(f"no column {name!r}{suggestion(name, known or ['none'])}", str(path), 1)])
    macro = Macro()
    scores: dict[str, float] = {}
    for number, row in enumerate(rows, start=2):
        try:
            score = float(row[column] or "nan")
            if score == score:
                architecture = space.parse_cells(row[cells] or "", macro=macro)
                scores[str(architecture).partition(":")[2]] = score
        except ValueError as error:
            raise InputError([Problem(str(error), str(path), number)]) from error
    return scores
