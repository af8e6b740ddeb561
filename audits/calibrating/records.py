"""Findings on specimens, one a line: a calibration goes on after a cut, thresholds change without training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from audits.contract.finding import Finding
from audits.verdicts.suite import Suite
from selfnas.errors import InputError, Problem

__all__ = ["Key", "append_record", "read_records"]

_FORMAT = 1

Key = tuple[str, str, int]  # task, control, seed


def read_records(path: Path, suite: Suite) -> dict[Key, tuple[Finding, ...]]:
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


def append_record(path: Path, key: Key, findings: Sequence[Finding]) -> None:
    """Add one specimen at the end."""
    task, control, seed = key
    record = {
        "task": task,
        "control": control,
        "seed": seed,
        "findings": [finding.to_record() for finding in findings],
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")


def _settings_digest(suite: Suite) -> str:
    """What findings depend on besides the network: which audits with which settings, not the thresholds."""
    measured = {entry.audit: {name: float(value) for name, value in entry.settings} for entry in suite.entries}
    plants = {plants.task: plants.meaning() for plants in suite.plants}
    return hashlib.sha256(json.dumps([measured, plants], sort_keys=True).encode()).hexdigest()
