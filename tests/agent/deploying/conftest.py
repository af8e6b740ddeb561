"""A life that admits nothing, and so is short, for networks to be written of."""

from pathlib import Path

import pytest

from agent.api.life import open_life
from tests.agent.conftest import inside

# Ten examples to audit decide nothing, however well the network does.
STREAM = """\
stream: few
format: 1
baselines: none
space: nb201
macro: {channels: 2, depth: 1, resolution: 8}
budget: {evaluations: 2, full_trainings: 2}
low: {epochs: 1, steps: 0, fraction: 0.5}
full: {epochs: 4, steps: 0}
training: {recipe: plain}
policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
tasks:
  - {name: few, source: digits, limit: 100}
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `few.yaml` and a life on it in `home`."""
    place = tmp_path_factory.mktemp("deployed")
    (place / "few.yaml").write_text(STREAM)
    done = inside(place, "run", "few.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="session")
def digest(place: Path) -> str:
    """Of its refused finalist."""
    found = open_life(place / "home").shortfall("few")
    assert found is not None
    assert found.best is not None
    return found.best.digest
