"""Numbers asked of few series: two lengths of training are tried by held-out answers, and verification counts after."""

from pathlib import Path

import numpy as np
import pytest

from agent.api.verifying import verified
from agent.ledger.events import UNSET, Trained
from agent.ledger.store import reading
from tests.agent.conftest import inside
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Events

STREAM = """\
stream: peaks
format: 1
baselines: none
space: series
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 2, full_trainings: 1}
low: {steps: 8}
full: {steps: 30}
cross_validation: {folds: 2, repeats: 1}
policy: {population: 3, sample: 2, batch: 2, oversample: 1, finalists_per_task: 1, recall: 0}
tasks:
  - {name: peaks, source: npz, path: peaks.npz, kind: series, target: regression}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life on series of which the height of a peak is asked."""
    place = tmp_path_factory.mktemp("numbers")
    rng = np.random.default_rng(0)
    height, time = rng.uniform(1, 3, 90), np.linspace(-2, 2, 24)
    x = height[:, None] * np.exp(-(time**2)) + 0.05 * rng.standard_normal((90, 24))
    np.savez(place / "peaks.npz", x=x[:, None].astype(np.float32), y=height)
    (place / "peaks.yaml").write_text(STREAM)
    done = inside(place, "run", "peaks.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    return place / "home"


def _trained(home: Path) -> Trained:
    with reading(home) as ledger:
        (found,) = [event.facts for event in ledger.events() if isinstance(event.facts, Trained)]
    return found


def test_two_lengths_are_tried_and_the_better_one_is_delivered(home: Path) -> None:
    """The whole of a full training and three times as long, each scored at its end; then on all examples alike."""
    found = _trained(home)
    assert len(found.curve) == 2
    best = (30, 90)[int(np.argmax(found.curve))]
    assert found.refit is not UNSET
    assert best < found.refit.steps < 2.5 * best
    assert not verified(home).problems


def test_another_length_than_held_out_answers_give_is_found(home: Path, tmp_path: Path) -> None:
    """One step more, or a point of the curve that was left out."""

    def longer(events: Events) -> None:
        (one,) = [payload for kind, payload in events if kind == Trained.kind]
        one["refit"]["steps"] += 1

    def cut(events: Events) -> None:
        (one,) = [payload for kind, payload in events if kind == Trained.kind]
        one["curve"] = one["curve"][:1]

    for name, edit, message in (("longer", longer, "which its held-out answers do not give"), ("cut", cut, "curve")):
        forged = tmp_path / name
        rewrite(home, forged, edit)
        assert any(message in problem for problem in verified(forged).problems), name
