"""Calibrating a suite: train what is known to be bad, audit it, count what was caught.

Findings can be kept in a file, one specimen a line: a calibration goes on after a cut, and thresholds change without
training.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from audits.calibrating.matrix import Observation, Tally, directions, kill_matrix, redecided, separations
from audits.calibrating.proof import Calibration
from audits.contract.finding import Finding
from audits.verdicts.run import run_suite
from audits.verdicts.suite import Suite
from selfnas.data.tasks import TaskSpec
from selfnas.errors import InputError, Problem, suggestion

__all__ = ["CALIBRATION_TASKS", "calibrate", "summary", "task_specs"]

_log = logging.getLogger(__name__)
_FORMAT = 1  # of the file of findings

Key = tuple[str, str, int]  # task, control, seed

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
        choose_seeds: for choosing thresholds; nothing of them enters the matrix.
        report_seeds: for the matrix; disjoint from the others.
        base: the directory that relative paths in tasks start from.
        controls: which to make; all of `audits.calibrating.controls.CONTROLS` if empty; of a suite that asks for
            robustness, of `audits.calibrating.hardened`.
        records: a file of findings, one specimen a line: those in it are not made again, new ones are appended.
            Thresholds may differ from when it was written; what is measured and how may not.

    Raises:
        InputError: seeds overlap, or the records are of other settings.
    """
    # Imported here: training brings Lightning, which readers of a calibration need not wait for.
    from audits.calibrating import controls as usual
    from audits.calibrating import hardened
    from audits.calibrating.controls import ControlError, make_specimen

    table = hardened.CONTROLS if hardened.asks_for_robustness(suite) else usual.CONTROLS

    if set(choose_seeds) & set(report_seeds):
        raise InputError("seeds for choosing thresholds and for reporting must not overlap")
    known = _read_records(records, suite) if records else {}
    observations, skipped = [], []
    for seed, spec, name in itertools.product((*choose_seeds, *report_seeds), tasks, controls or table):
        key = (spec.name, name, seed)
        if key not in known:
            progress(f"{name} on {spec.name}, seed {seed}")
            try:
                specimen = make_specimen(table[name], spec, seed=seed, base=base)
                known[key] = run_suite(specimen.network, specimen.data, suite, seed=seed)
            except ControlError as error:
                _log.warning("%s", error)
                skipped.append(str(error))
                continue
            if records:
                _append_record(records, key, known[key])
        held_out, findings = seed in report_seeds, redecided(known[key], suite)
        observations.append(Observation(task=spec.name, control=name, seed=seed, held_out=held_out, findings=findings))
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
        unused=tuple(name for name in (controls or table) if table[name].unused),
    )


def summary(suite: Suite, observations: Sequence[Observation]) -> Mapping[str, Mapping[str, Tally]]:
    """The kill matrix of the held-out observations; those that thresholds were chosen on do not count."""
    held_out = [observation for observation in observations if observation.held_out]
    return kill_matrix(held_out, suite)


def _read_records(path: Path, suite: Suite) -> dict[Key, tuple[Finding, ...]]:
    """Findings by task, control and seed; a new file is begun when there is none."""
    digest = _settings_digest(suite)
    if not path.exists():
        path.write_text(json.dumps({"format": _FORMAT, "settings": digest}) + "\n", encoding="utf-8")
        return {}
    known: dict[Key, tuple[Finding, ...]] = {}
    try:
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n"):  # cut off in the middle of a line: that specimen is made again
            text = text[: text.rfind("\n") + 1]
            path.write_text(text, encoding="utf-8")
        header, *lines = text.splitlines()
        if json.loads(header) != {"format": _FORMAT, "settings": digest}:
            raise InputError([Problem("records of other audit settings; choose another file", str(path), 1)])
        for line in lines:
            record = json.loads(line)
            findings = tuple(Finding.from_record(finding) for finding in record["findings"])
            known[(record["task"], record["control"], record["seed"])] = findings
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError([Problem(f"not records of a calibration: {error}", str(path))]) from error
    return known


def _append_record(path: Path, key: Key, findings: Sequence[Finding]) -> None:
    """Add one specimen at the end."""
    task, control, seed = key
    found = [finding.to_record() for finding in findings]
    record = {"task": task, "control": control, "seed": seed, "findings": found}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")


def _settings_digest(suite: Suite) -> str:
    """What findings depend on besides the network: which audits with which settings, not the thresholds."""
    measured = {entry.audit: entry.settings for entry in suite.entries}
    plants = {plants.task: plants.meaning() for plants in suite.plants}
    return hashlib.sha256(json.dumps([measured, plants], sort_keys=True).encode()).hexdigest()
