"""A tiny stream, and lives on it as a person would start them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = """\
stream: tiny
format: 1
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 4, full_trainings: 2}
low: {epochs: 1, fraction: 0.5}
full: {epochs: 8}
policy: {population: 3, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1, recall: 1}
tasks:
  - {name: first, source: digits, limit: 900}
  - {name: again, source: digits, limit: 900, transforms: [{rotate: 180}]}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """A stream of two small related tasks."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def selfnas(tmp_path: Path) -> Run:
    """Runs the command line in a fresh directory; answers the finished process."""

    def run(*arguments: str | Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agent", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200", "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
