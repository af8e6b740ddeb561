"""Lists of architectures and tables of scored cells, as people keep them in text and CSV files."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

from selfnas.architecture import Architecture, Macro
from selfnas.errors import ArchitectureError, InputError, Problem, suggestion
from selfnas.space import parse_architecture, space_named

__all__ = ["read_library", "read_scores"]


def read_library(path: Path) -> list[Architecture]:
    """Architectures from a text file, one a line; raises `InputError` with every line that is none."""
    found, problems = [], []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(f"cannot be read: {error}", str(path))]) from error
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                found.append(parse_architecture(line.strip()))
        except ArchitectureError as error:
            problems.append(Problem(str(error), str(path), number))
    if problems:
        raise InputError(problems)
    return found


def read_scores(path: Path, column: str, cells: str, space: str) -> dict[str, float]:
    """Scores by cell text, from a CSV file, gzipped or not; rows without a number are left out."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(f"cannot be read: {error}", str(path))]) from error
    reader = csv.DictReader(io.StringIO(text))
    known = list(reader.fieldnames or [])
    for name in (column, cells):
        if name not in known:
            raise InputError([Problem(f"no column {name!r}{suggestion(name, known or ['none'])}", str(path), 1)])
    here, macro = space_named(space), Macro()
    scores: dict[str, float] = {}
    for number, row in enumerate(reader, start=2):
        try:
            score = float(row[column] or "nan")
            if score == score:
                architecture = here.parse_cells(row[cells] or "", macro=macro)
                scores[str(architecture).partition(":")[2]] = score
        except ValueError as error:
            raise InputError([Problem(str(error), str(path), number)]) from error
    return scores
