"""A tiny stream, and lives on it as a person would start them."""

import functools
import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

TINY = """\
stream: tiny
format: 1
baselines: [nearest, linear]
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 4, full_trainings: 2}
low: {epochs: 1, steps: 0, fraction: 0.5}
full: {epochs: 8, steps: 0}
training: {recipe: plain}
policy: {population: 3, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1, recall: 1}
tasks:
  - {name: first, source: digits, limit: 900}
  - {name: again, source: digits, limit: 900, transforms: [{rotate: 180}]}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def inside(place: Path, *arguments: str | Path, mlflow: str = "") -> subprocess.CompletedProcess[str]:
    """The command line in this process, started in a directory, with an MLflow of its own there; as if it had ended."""
    from agent.cli import main

    words = [str(argument) for argument in arguments]
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        patch.chdir(place)
        patch.setattr(sys, "argv", ["selfnas", *words])
        patch.setenv("COLUMNS", "200")
        patch.setenv("MLFLOW_TRACKING_URI", mlflow or f"sqlite:///{place}/mlflow.db")
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """A stream of two small related tasks."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def selfnas(tmp_path: Path) -> Run:
    """Runs the command line in a fresh directory, in this process; answers as a finished process would."""
    return functools.partial(inside, tmp_path)
