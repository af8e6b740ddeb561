"""Calibrating a suite: train what is known to be bad, audit it, keep the kill matrix beside the suite, by digest."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audits.matrix import (
    HEALTHY,
    Direction,
    Observation,
    Separation,
    Tally,
    as_record,
    directions,
    kill_matrix,
    redecided,
    separations,
)
from audits.records import append_record, read_records
from audits.run import run_suite
from audits.suite import Suite
from selfnas.errors import InputError, Problem, suggestion
from selfnas.tasks import TaskSpec

__all__ = [
    "CALIBRATION_TASKS",
    "Calibration",
    "calibrate",
    "calibration_file",
    "read_calibration",
    "task_specs",
    "unproven_gates",
    "write_calibration",
]

_log = logging.getLogger(__name__)
_FORMAT = 1

# The packaged data sets, cut to what trains in seconds.
CALIBRATION_TASKS: dict[str, TaskSpec] = {
    "digits": TaskSpec(name="digits", source="digits", transforms=[], nuisances=[]),
    "mnist5k": TaskSpec(name="mnist5k", source="mnist5k", limit=2000, resize=14, transforms=[], nuisances=[]),
    "mnist1d": TaskSpec(name="mnist1d", source="mnist1d", limit=3000, transforms=[], nuisances=[]),
}


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


def task_specs(names: Sequence[str]) -> tuple[TaskSpec, ...]:
    """Tasks to calibrate on, by name; a name that ends in `.npz` is a person's own file.

    Raises:
        InputError: an unknown name.
    """
    specs = []
    for name in names:
        if name.endswith(".npz"):
            stem = re.sub(r"[^A-Za-z0-9_-]", "-", Path(name).stem)
            specs.append(TaskSpec(name=stem, source="npz", path=name, transforms=[], nuisances=[]))
        elif name in CALIBRATION_TASKS:
            specs.append(CALIBRATION_TASKS[name])
        else:
            raise InputError(f"unknown task {name!r}{suggestion(name, list(CALIBRATION_TASKS))}")
    return tuple(specs)


def calibrate(
    suite: Suite,
    tasks: Sequence[TaskSpec],
    *,
    choose_seeds: Sequence[int],
    report_seeds: Sequence[int],
    base: Path,
    controls: Sequence[str] = (),
    records: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Make every control on every task with every seed, audit all, and count.

    Args:
        suite: whose audits are calibrated.
        tasks: what to train on.
        choose_seeds: for choosing thresholds; nothing of them enters the matrix.
        report_seeds: for the matrix; disjoint from the others.
        base: the directory that relative paths in tasks start from.
        controls: which to make; all of `audits.controls.CONTROLS` if empty.
        records: a file of findings, one specimen a line: those in it are not made again, new ones are appended.
            Thresholds may differ from when it was written; what is measured and how may not.
        progress: told what is being done.

    Raises:
        InputError: seeds overlap, or the records are of other settings.
    """
    # Imported here: training brings Lightning, which readers of a calibration need not wait for.
    from audits.controls import CONTROLS, ControlError, make_specimen

    if set(choose_seeds) & set(report_seeds):
        raise InputError("seeds for choosing thresholds and for reporting must not overlap")
    known = read_records(records, suite) if records else {}
    observations, skipped = [], []
    for seed in (*choose_seeds, *report_seeds):
        for spec in tasks:
            for control in [CONTROLS[name] for name in controls or CONTROLS]:
                key = (spec.name, control.name, seed)
                if key not in known:
                    progress(f"{control.name} on {spec.name}, seed {seed}")
                    try:
                        specimen = make_specimen(control, spec, seed=seed, base=base)
                        known[key] = run_suite(specimen.network, specimen.data, suite, seed=seed)
                    except ControlError as error:
                        _log.warning("%s", error)
                        skipped.append(str(error))
                        continue
                    if records:
                        append_record(records, key, known[key])
                task, name, _ = key
                observations.append(
                    Observation(
                        task=task,
                        control=name,
                        seed=seed,
                        held_out=seed in report_seeds,
                        findings=redecided(known[key], suite),
                    )
                )
    return Calibration(
        suite=suite.name,
        digest=suite.digest,
        tasks=tuple(spec.name for spec in tasks),
        choose_seeds=tuple(choose_seeds),
        report_seeds=tuple(report_seeds),
        matrix=summary(suite, observations),
        directions=directions(observations),
        separations=separations([each for each in observations if not each.held_out]),
        skipped=tuple(skipped),
    )


def summary(suite: Suite, observations: Sequence[Observation]) -> Mapping[str, Mapping[str, Tally]]:
    """The kill matrix of the held-out observations; those that thresholds were chosen on do not count."""
    held_out = [observation for observation in observations if observation.held_out]
    return kill_matrix(held_out, suite)


def calibration_file(suite: Suite) -> Path:
    """Where a suite's calibration lies: beside its file."""
    return Path(suite.file).with_suffix(".calibration.json")


def write_calibration(calibration: Calibration, path: Path) -> None:
    """As JSON; replaces what was there in one step."""
    record = {
        "format": _FORMAT,
        "suite": calibration.suite,
        "digest": calibration.digest,
        "tasks": list(calibration.tasks),
        "choose_seeds": list(calibration.choose_seeds),
        "report_seeds": list(calibration.report_seeds),
        "matrix": as_record(calibration.matrix),
        "directions": [asdict(direction) for direction in calibration.directions],
        "separations": [asdict(separation) for separation in calibration.separations],
        "skipped": list(calibration.skipped),
    }
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
        return Calibration(
            suite=record["suite"],
            digest=record["digest"],
            tasks=tuple(record["tasks"]),
            choose_seeds=tuple(record["choose_seeds"]),
            report_seeds=tuple(record["report_seeds"]),
            matrix={
                row: {control: Tally(caught=int(cell[0]), n=int(cell[1])) for control, cell in cells.items()}
                for row, cells in record["matrix"].items()
            },
            directions=tuple(Direction(**direction) for direction in record["directions"]),
            separations=tuple(Separation(**separation) for separation in record["separations"]),
            skipped=tuple(record["skipped"]),
        )
    except OSError as error:
        raise InputError([Problem(f"no calibration: {(error.strerror or '').lower()}", str(path))]) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError([Problem(f"not a calibration: {type(error).__name__}: {error}", str(path))]) from error


def unproven_gates(suite: Suite) -> tuple[str, ...]:
    """Why gates of a suite must not be relied on: a sentence for each gate that caught nothing, or for all.

    Empty when the calibration beside the suite is of this very suite and every gate audit caught at least one control.
    """
    remedy = f"run `selfnas audits calibrate {suite.file or suite.name}`"
    try:
        calibration = read_calibration(calibration_file(suite))
    except InputError as error:
        return (f"suite {suite.name!r} has no usable calibration ({error}): {remedy}",)
    if calibration.digest != suite.digest:
        return (f"suite {suite.name!r} was edited since it was calibrated: {remedy}",)
    return tuple(
        f"gate audit {audit!r} of suite {suite.name!r} caught no control: make it advisory"
        for audit in suite.gates
        if calibration.kills(audit) == 0
    )
