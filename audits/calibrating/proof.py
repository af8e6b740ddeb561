"""What a suite is known to catch: the kill matrix kept beside it under its digest, and gates that it does not prove.

Both are written as Markdown tables, for the terminal and the documentation.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from audits.calibrating.matrix import HEALTHY, ROWS_BESIDE_AUDITS, Direction, Separation, Tally
from audits.catalogue.registry import audit_named
from audits.contract.reviewing import USUAL_TERMS
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
        unused: names of controls that no audit was made for and no threshold was chosen on.
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
    unused: tuple[str, ...] = ()

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
    """The calibration of this very suite: beside its file, or a shipped one (a copied file has the same digest).

    Whether attempts are paid for does not matter, nor what is wanted of people: that lets in less, and changes nothing
    that an audit finds.
    """
    plain = replace(suite, attempts="counted", review=USUAL_TERMS)
    known = {suite.digest, plain.digest, replace(plain, approval="none").digest}
    beside = [calibration_file(suite)] if suite.file else []
    for path in (*beside, *sorted(SHIPPED.glob("*.calibration.json"))):
        try:
            calibration = read_calibration(path)
        except InputError:
            continue
        if calibration.digest in known:
            return calibration
    return None


def write_calibration(calibration: Calibration, path: Path) -> None:
    """As JSON; replaces what was there in one step."""
    matrix = {
        row: {control: [tally.caught, tally.n, *tally.interval] for control, tally in cells.items()}
        for row, cells in calibration.matrix.items()
    }
    record = {"format": _FORMAT, **asdict(calibration), "matrix": matrix}
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
        f"{suite.role(audit)} audit {audit!r} of suite {suite.name!r} caught no control: make it advisory"
        for audit in suite.deciding
        if calibration.kills(audit) == 0
    )


def listing(suite: Suite) -> str:
    """A suite's audits, with what they caught if the suite was calibrated."""
    calibration = calibration_of(suite)
    lines = [
        f"suite {suite.name}, digest {suite.digest[:16]}, approval: {suite.approval}",
        "",
        "| audit | role | passes when | caught, of planted defects | can catch | cannot catch | cost |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in suite.entries:
        audit = audit_named(entry.audit)
        limits = ", ".join(
            f"{each.name} {'≥' if each.bound == 'floor' else '≤'} {entry.thresholds[each.name]:g}"
            for each in audit.statistics
        )
        caught = calibration.row(entry.audit) if calibration else "not calibrated"
        cells = (audit.name, entry.role, limits, caught, audit.catches, audit.misses, audit.cost)
        lines.append(f"| {' | '.join(cells)} |")
    problems = unproven_gates(suite)
    return "\n".join([*lines, "", *problems] if problems else lines)


def matrix_table(calibration: Calibration) -> str:
    """The kill matrix with exact 95 % intervals, directions to beware of, and thresholds chosen on other seeds."""
    controls = list(next(iter(calibration.matrix.values()), {}))
    chosen, counted = (", ".join(map(str, seeds)) for seeds in (calibration.choose_seeds, calibration.report_seeds))
    lines = [
        f"suite {calibration.suite}, digest {calibration.digest[:16]}; tasks {', '.join(calibration.tasks)}",
        f"thresholds chosen on seeds {chosen}, counted on seeds {counted}; caught of n [exact 95 % interval, %]",
        "",
        f"| | {' | '.join(controls)} | *defects not used in calibration* |",
        "|---" * (len(controls) + 2) + "|",
    ]
    for row, cells in calibration.matrix.items():
        name = f"**{row}**" if row in ROWS_BESIDE_AUDITS else row
        shown = [*(cells[control] for control in controls), _pooled(cells, calibration.unused)]
        lines.append(f"| {name} | {' | '.join(map(_cell, shown))} |")
    if calibration.unused:
        names = ", ".join(calibration.unused)
        lines += ["", f"Not used in calibration, so that no audit was made for them or fitted to them: {names}."]
    lines += [
        "",
        "Never an objective, because a bad control looks better than its healthy twin (pairs of one task and seed):",
        "",
        *(f"- {each.statistic} prefers {each.control} ({each.better} of {each.n})" for each in calibration.directions),
        "",
        "| statistic | healthy end at | its controls begin at | best threshold | errors |",
        "|---|---|---|---|---|",
    ]
    for one in calibration.separations:
        limits = f"{one.healthy:.3f} | {one.controls:.3f} | {one.threshold:.3f}"
        lines.append(f"| {one.statistic} | {limits} | {one.errors} |")
    if calibration.skipped:
        lines += ["", *(f"- not made: {line}" for line in calibration.skipped)]
    return "\n".join(lines)


def _pooled(cells: Mapping[str, Tally], controls: Collection[str]) -> Tally:
    own = [tally for control, tally in cells.items() if control in controls]
    return Tally(caught=sum(tally.caught for tally in own), n=sum(tally.n for tally in own))


def _cell(tally: Tally) -> str:
    if tally.n == 0:
        return "–"
    low, high = (round(100 * limit) for limit in tally.interval)
    return f"{tally.caught}/{tally.n} [{low}, {high}]"
