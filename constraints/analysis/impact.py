"""What a set costs: what each rule alone turns away, what of a library it would revoke, what it costs on a table."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Overgrown
from constraints.judging.admitted import CountInterval
from constraints.judging.guard import Guard
from selfnas.errors import ArchitectureError, InputError, Problem, cause, suggestion
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import parse_architecture

__all__ = [
    "Price",
    "Revoked",
    "RuleImpact",
    "price_on_table",
    "read_library",
    "read_scores",
    "revoked",
    "sole_stops",
]

_DRAWS = 200_000
_MAX_BYTES = 100_000_000  # of a table, unpacked; those that are published take a few megabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleImpact:
    """What one rule turns away that no other rule would, with examples drawn uniformly from it."""

    rule: str
    alone: CountInterval
    samples: tuple[Architecture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """An architecture that a set would no longer admit, and the rules that stop it; none if it was left undecided."""

    architecture: str
    verdict: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a rule costs on a table of scored architectures (higher is better)."""

    rule: str  # the rule, or empty for the whole set
    admitted: int  # how many of the table's architectures pass
    best: float  # the best score of all
    best_admitted: float | None  # the best score of those; None when there are none


def sole_stops(guard: Guard, *, samples: int = 3, seed: int = 0) -> tuple[RuleImpact, ...]:
    """For each rule that applies, what only it turns away."""
    return tuple(
        _sole(guard, index, samples, seed) for index, root in enumerate(guard.encoding.roots) if root is not None
    )


def _sole(guard: Guard, index: int, samples: int, seed: int) -> RuleImpact:
    rng = np.random.default_rng(seed)
    try:
        diagram = guard.admitted.diagram
        stopped = diagram.domain & ~diagram.function(guard.encoding.roots[index] or 0)
        for other, root in enumerate(guard.encoding.roots):
            if other != index and root is not None:
                stopped = diagram.conjoin((stopped, diagram.function(root)))
        table = SlotTable(diagram, stopped)
        count = CountInterval.known(table.count)
        rows = table.draw(rng, min(samples, table.count)) if table.count else ()
    except Overgrown:
        vectors = guard.space.draw(rng, _DRAWS)
        broken = guard.violations(vectors)
        rows = vectors[broken[:, index] & (broken.sum(axis=1) == 1)]
        share, total = len(rows) / _DRAWS, guard.space.count()
        margin = 3.29 * (share * (1 - share) / _DRAWS) ** 0.5 + 11 / _DRAWS
        low, high = int(max(0.0, share - margin) * total), int(min(1.0, share + margin) * total)
        count, rows = CountInterval(value=round(share * total), low=low, high=high, exact=False), rows[:samples]
    architectures = tuple(guard.space.decode(row, macro=guard.context.macro) for row in rows)
    return RuleImpact(rule=guard.rules[index].id, alone=count, samples=architectures)


def revoked(guard: Guard, library: Sequence[Architecture]) -> tuple[Revoked, ...]:
    """The architectures of a library that the set does not admit."""
    decisions = [(architecture, guard.decide(architecture)) for architecture in library]
    return tuple(
        Revoked(architecture=str(architecture), verdict=decision.verdict, rules=decision.failed)
        for architecture, decision in decisions
        if decision.verdict != "admit"
    )


def price_on_table(guard: Guard, scores: Mapping[str, float]) -> tuple[Price, ...]:
    """What each rule costs alone, and the whole set (first), on scores by cell text.

    Raises:
        InputError: the table is empty.
    """
    if not scores:
        raise InputError("the table has no scored architectures of this space")
    macro = guard.context.macro
    vectors = np.stack([guard.space.encode(guard.space.parse_cells(text, macro=macro)) for text in scores])
    values = np.array(list(scores.values()))
    broken = guard.violations(vectors)
    columns = [("", broken.any(axis=1)), *((rule.id, broken[:, i]) for i, rule in enumerate(guard.rules))]
    return tuple(
        Price(
            rule=name,
            admitted=int((~stopped).sum()),
            best=float(values.max()),
            best_admitted=None if stopped.all() else float(values[~stopped].max()),
        )
        for name, stopped in columns
    )


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
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
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
