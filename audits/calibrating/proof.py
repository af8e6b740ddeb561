"""What a suite is known to catch: the kill matrix kept beside it under its digest, and gates that it does not prove.

Both are written as Markdown tables, for the terminal and the documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from audits.calibrating.matrix import HEALTHY, ROWS_BESIDE_AUDITS, Direction, Separation, Tally, as_record
from audits.catalogue.registry import AUDITS
from audits.verdicts.suite import SHIPPED, Suite
from selfnas.errors import InputError, Problem, cause

__all__ = [
    "Calibration",
    "calibration_file",
    "calibration_of",
    "listing",
    "matrix_table",
    "read_calibration",
    "unproven_gates",
    "write_calibration",
]

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a suite's audits caught.

    Attributes:
        suite: the suite's name.
        digest: the suite's digest; a calibration speaks for no other.
        tasks: names of the tasks.
        choose_seeds: seeds whose specimens thresholds may be chosen on.
        report_seeds: seeds whose specimens the matrix counts.
        matrix: per row (audit, or whole) and control.
        directions: statistics that prefer a bad control to healthy networks, on all seeds.
        separations: best thresholds on the seeds for choosing.
        skipped: controls that could not be made, a line each.
    """

    suite: str
    digest: str
    tasks: tuple[str, ...]
    choose_seeds: tuple[int, ...]
    report_seeds: tuple[int, ...]
    matrix: Mapping[str, Mapping[str, Tally]]
    directions: tuple[Direction, ...]
    separations: tuple[Separation, ...]
    skipped: tuple[str, ...]

    def kills(self, audit: str) -> int:
        """Bad controls that the audit caught."""
        return sum(tally.caught for control, tally in self.matrix.get(audit, {}).items() if control != HEALTHY)

    def row(self, audit: str) -> str:
        """What the audit caught, in a line: `untrained 12/12, undertrained 11/12; false alarms 0/12`."""
        cells = self.matrix.get(audit, {})
        caught = [f"{name} {cell.caught}/{cell.n}" for name, cell in cells.items() if cell.caught and name != HEALTHY]
        alarms = cells.get(HEALTHY)
        line = ", ".join(caught) or "nothing"
        return f"{line}; false alarms {alarms.caught}/{alarms.n}" if alarms else line


def calibration_file(suite: Suite) -> Path:
    """Where a suite's calibration lies: beside its file.

    Raises:
        InputError: the suite was read from a text.
    """
    if not suite.file:
        raise InputError("it was read from a text, so no calibration lies beside it")
    return Path(suite.file).with_suffix(".calibration.json")


def calibration_of(suite: Suite) -> Calibration | None:
    """The calibration of this very suite: beside its file, or a shipped one (a copied file has the same digest)."""
    beside = [calibration_file(suite)] if suite.file else []
    for path in (*beside, *sorted(SHIPPED.glob("*.calibration.json"))):
        try:
            calibration = read_calibration(path)
        except InputError:
            continue
        if calibration.digest == suite.digest:
            return calibration
    return None


def write_calibration(calibration: Calibration, path: Path) -> None:
    """As JSON; replaces what was there in one step."""
    record = {"format": _FORMAT, **asdict(calibration), "matrix": as_record(calibration.matrix)}
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_calibration(path: Path) -> Calibration:
    """Read what `write_calibration` wrote.

    Raises:
        InputError: missing, or not such a file.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != _FORMAT:
            raise InputError([Problem(f"calibration format {record['format']!r}, need {_FORMAT}", str(path))])
        matrix = {
            row: {control: {"caught": cell[0], "n": cell[1]} for control, cell in cells.items()}
            for row, cells in record["matrix"].items()
        }
        return msgspec.convert(record | {"matrix": matrix}, Calibration)
    except OSError as error:
        raise InputError([Problem(f"no calibration: {cause(error)}", str(path))]) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError([Problem(f"not a calibration: {type(error).__name__}: {error}", str(path))]) from error


def unproven_gates(suite: Suite) -> tuple[str, ...]:
    """Why gates of a suite must not be relied on: a sentence for each gate that caught nothing, or for all.

    Empty when the calibration beside the suite is of this very suite and every gate audit caught at least one control.
    """
    calibration = calibration_of(suite)
    if calibration is None:
        remedy = f"run `selfnas audits calibrate {suite.file or suite.name}`"
        try:
            read_calibration(calibration_file(suite))
        except InputError as error:
            return (f"suite {suite.name!r} has no usable calibration ({error}): {remedy}",)
        return (f"suite {suite.name!r} was edited since it was calibrated: {remedy}",)
    return tuple(
        f"gate audit {audit!r} of suite {suite.name!r} caught no control: make it advisory"
        for audit in suite.gates
        if calibration.kills(audit) == 0
    )


def listing(suite: Suite) -> str:
    """A suite's audits, with what they caught if the suite was calibrated."""
    return "\n".join(_listing(suite, calibration_of(suite)))


def matrix_table(calibration: Calibration) -> str:
    """The kill matrix with exact 95 % intervals, directions to beware of, and thresholds chosen on other seeds."""
    return "\n".join(_matrix(calibration))


def _listing(suite: Suite, calibration: Calibration | None) -> Iterator[str]:
    yield f"suite {suite.name}, digest {suite.digest[:16]}, approval: {suite.approval}"
    yield ""
    yield "| audit | role | passes when | caught, of planted defects | can catch | cannot catch | cost |"
    yield "|---|---|---|---|---|---|---|"
    for entry in suite.entries:
        audit = AUDITS[entry.audit]
        limits = ", ".join(
            f"{each.name} {'≥' if each.bound == 'floor' else '≤'} {entry.thresholds[each.name]:g}"
            for each in audit.statistics
        )
        caught = calibration.row(entry.audit) if calibration else "not calibrated"
        yield f"| {audit.name} | {entry.role} | {limits} | {caught} | {audit.catches} | {audit.misses} | {audit.cost} |"
    problems = unproven_gates(suite)
    if problems:
        yield ""
        yield from problems


def _matrix(calibration: Calibration) -> Iterator[str]:
    rows = {row: cells for row, cells in calibration.matrix.items()}
    controls = list(next(iter(rows.values()), {}))
    yield f"suite {calibration.suite}, digest {calibration.digest[:16]}; tasks {', '.join(calibration.tasks)}"
    yield (
        f"thresholds chosen on seeds {_listed(calibration.choose_seeds)}, counted on seeds "
        f"{_listed(calibration.report_seeds)}; caught of n [exact 95 % interval, %]"
    )
    yield ""
    yield "| | " + " | ".join(controls) + " |"
    yield "|---" * (len(controls) + 1) + "|"
    for row, cells in rows.items():
        name = f"**{row}**" if row in ROWS_BESIDE_AUDITS else row
        yield (
            f"| {name} | "
            + " | ".join(
                _cell(cells[control].caught, cells[control].n, cells[control].interval) for control in controls
            )
            + " |"
        )
    yield ""
    yield "Never an objective, because a bad control looks better than its healthy twin (pairs of one task and seed):"
    yield ""
    for direction in calibration.directions:
        yield f"- {direction.statistic} prefers {direction.control} ({direction.better} of {direction.n})"
    yield ""
    yield "| statistic | healthy end at | its controls begin at | best threshold | errors |"
    yield "|---|---|---|---|---|"
    for each in calibration.separations:
        yield f"| {each.statistic} | {each.healthy:.3f} | {each.controls:.3f} | {each.threshold:.3f} | {each.errors} |"
    if calibration.skipped:
        yield ""
        yield from (f"- not made: {line}" for line in calibration.skipped)


def _cell(caught: int, n: int, interval: tuple[float, float]) -> str:
    if n == 0:
        return "–"
    low, high = (round(100 * limit) for limit in interval)
    return f"{caught}/{n} [{low}, {high}]"


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))
