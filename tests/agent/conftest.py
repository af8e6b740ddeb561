"""A tiny stream, and lives on it as a person would start them."""

import functools
import io
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tests.golden.stored_home import rebuild

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

# Ten examples to audit decide nothing, however well the network does, so nothing is admitted.
FEW = """\
stream: few
format: 1
baselines: none
space: nb201
macro: {{channels: 2, depth: 1, resolution: 8}}
budget: {{evaluations: 2, full_trainings: 2}}
low: {{epochs: 1, steps: 0, fraction: 0.5}}
full: {{epochs: {epochs}, steps: 0}}
training: {{recipe: plain}}
policy: {{population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}}
tasks:
  - {{name: few, source: digits, limit: {examples}}}
"""
GOLDEN = Path(__file__).parents[1] / "golden"

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


def refused_life(place: Path, *, epochs: int, examples: int) -> str:
    """Write `few.yaml` into a directory and live it in `home` there, which admits nothing; what the terminal showed."""
    (place / "few.yaml").write_text(FEW.format(epochs=epochs, examples=examples))
    done = inside(place, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def stored_life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored life with trained networks."""
    home = tmp_path_factory.mktemp("stored") / "home"
    rebuild(GOLDEN / "trained", home)
    return home


@pytest.fixture
def copied_life(stored_life: Path, tmp_path: Path) -> Path:
    """A copy of it that may be decided about."""
    shutil.copytree(stored_life, tmp_path / "home")
    return tmp_path / "home"


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
