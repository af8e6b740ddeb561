"""A specification that is answered: a short life and the file that came of it."""

import shutil
from pathlib import Path

import pytest

import agent.api.answering as answering
from tests.agent.conftest import inside

SPEC = """\
design: tiny
format: 1
task: {name: digits, source: digits, limit: 900}
space: nb201
macro: [c4n1r8, c8n1r8]
precision: float32
targets:
  parameters: "<= 30 k"
  file: "<= 150 kB"
  accuracy: ">= 0.7 @audit"
  latency_p95: "<= 1 s @batch 1"
search:
  budget: {evaluations: 2, full_trainings: 2}
  low: {epochs: 1, steps: 0, fraction: 0.5}
  full: {epochs: 8, steps: 0}
  training: {recipe: plain}
  policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `tiny.yaml`, what came of it in `tiny`, and that as it was after the search in `searched`."""
    place = tmp_path_factory.mktemp("designed")
    (place / "tiny.yaml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "written_files", _interrupted)
        cut_off = inside(place, "design", "tiny.yaml", "--workers", "1")
    assert cut_off.returncode == 130, cut_off.stdout + cut_off.stderr
    shutil.copytree(place / "tiny", place / "searched")
    done = inside(place, "design", "tiny.yaml", "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    (place / "said.txt").write_text(done.stdout)
    return place


def _interrupted(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt
