"""Audits and calibrations as Markdown tables, for the terminal and the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from audits.calibrating.matrix import ROWS_BESIDE_AUDITS
from audits.calibrating.proof import Calibration, calibration_of, unproven_gates
from audits.catalogue.registry import AUDITS
from audits.verdicts.suite import Suite

__all__ = ["listing", "matrix_table"]


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
