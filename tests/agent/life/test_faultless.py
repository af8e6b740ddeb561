"""A task that is too easy: the search ends when its scores tell nothing apart, and verification holds it to that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.api.life import open_life
from agent.ledger.events import UNSET, Evaluated
from agent.ledger.store import reading
from agent.state.state import replay
from agent.verify.verification import verify
from tests.agent.conftest import inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

STREAM = """\
stream: easy
format: 1
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 8, full_trainings: 1}
low: {epochs: 1, steps: 30}
full: {epochs: 1, steps: 40}
cross_validation: {repeats: 1}
policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 1}
tasks:
  - {name: easy, source: npz, path: easy.npz}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a life in `home` on bright and dark images, and what the terminal showed in `output.txt`."""
    place = tmp_path_factory.mktemp("easy")
    draw, y = np.random.default_rng(0), np.arange(90) % 2
    images = (60 + 120 * y[:, None, None] + draw.integers(0, 40, (90, 8, 8))).astype(np.uint8)
    np.savez(place / "easy.npz", x=images, y=y)
    (place / "easy.yaml").write_text(STREAM)
    done = inside(place, "run", "easy.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    (place / "output.txt").write_text(done.stdout)
    return place


def test_the_search_ends_before_its_budget_and_says_why(place: Path) -> None:
    """Two faultless candidates for one finalist; what was trained in full is cross-validated; it all verifies."""
    with reading(place / "home") as ledger:
        (task,) = replay(ledger).runs[0].tasks
    assert not open_life(place / "home").verify().problems
    assert 2 <= len(task.evaluations) < 8
    assert sum(one.score == 1.0 for one in task.evaluations) >= 2
    (finalist,) = task.finalists
    refit = finalist.trained.refit
    assert refit is not UNSET
    assert refit.folds == 5
    told = " ".join((place / "output.txt").read_text().split())
    assert f"easy: the search ended after {len(task.evaluations)} of 8 evaluations" in told


def test_a_search_that_ends_early_for_no_reason_is_named(place: Path) -> None:
    """The same life with one score that is not faultless."""

    def worse(events: Events) -> None:
        last = [payload for kind, payload in events if kind == Evaluated.kind][-1]
        last["score"], last["curve"], last["repeats"] = 0.5, [0.5] * len(last["curve"]), [0.5]

    forged = rewrite(place / "home", place / "forged", worse)
    with reading(forged.root) as ledger:
        assert any("though not exhausted" in problem for problem in verify(ledger, forged).problems)


def test_more_evaluations_are_refused(place: Path) -> None:
    """They could tell nothing apart."""
    done = inside(place, "run", "--continue", "easy", "--evaluations", "+4", "--home", "home", "--workers", "1")
    assert done.returncode != 0
    assert "task 'easy' needs no more" in " ".join((done.stdout + done.stderr).split())
