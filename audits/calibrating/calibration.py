"""Calibrating a suite: train what is known to be bad, audit it, count what was caught."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from audits.calibrating.matrix import Observation, Tally, directions, kill_matrix, redecided, separations
from audits.calibrating.proof import Calibration
from audits.calibrating.records import append_record, read_records
from audits.verdicts.run import run_suite
from audits.verdicts.suite import Suite
from selfnas.data.tasks import TaskSpec
from selfnas.errors import InputError, suggestion

__all__ = ["CALIBRATION_TASKS", "calibrate", "summary", "task_specs"]

_log = logging.getLogger(__name__)

# The packaged data sets, cut to what trains in seconds.
CALIBRATION_TASKS: dict[str, TaskSpec] = {
    "digits": TaskSpec(name="digits", source="digits", transforms=[], nuisances=[]),
    "mnist5k": TaskSpec(name="mnist5k", source="mnist5k", limit=1600, resize=10, transforms=[], nuisances=[]),
    "mnist1d": TaskSpec(name="mnist1d", source="mnist1d", limit=2600, transforms=[], nuisances=[]),
}


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
        controls: which to make; all of `audits.calibrating.controls.CONTROLS` if empty.
        records: a file of findings, one specimen a line: those in it are not made again, new ones are appended.
            Thresholds may differ from when it was written; what is measured and how may not.
        progress: told what is being done.

    Raises:
        InputError: seeds overlap, or the records are of other settings.
    """
    # Imported here: training brings Lightning, which readers of a calibration need not wait for.
    from audits.calibrating.controls import CONTROLS, ControlError, make_specimen

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
