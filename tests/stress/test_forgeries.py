"""Forged copies of a small life: what verification notices, and what only a signature does."""

from pathlib import Path

import pytest

from tests.agent.conftest import inside
from tests.stress.forgeries import change_bytes, forge
from tests.stress.forgery_meaning import MEANINGS

TABLE = """\
stream: forged
format: 1
budget: {evaluations: 8, full_trainings: 2}
policy: {population: 4, sample: 2, batch: 4, recall: 2}
tasks:
  - {name: one, source: table, dataset: a}
"""
# Settings that this life never came to use: too few candidates, no network, no proxy, no earlier task.
UNUSED = {
    "a strategy that fits a model",
    "fewer proposals for each one scored",
    "fifty epochs where curves have one point",
    "nothing is to be recalled, and is",
    "one epoch where curves have more points",
}
CONSISTENT = {"last certificate moved to the end", "last event cut off", "last five events cut off"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A life on one task of a table."""
    (tmp_path / "forged.yaml").write_text(TABLE)
    done = inside(tmp_path, "run", "forged.yaml", "--home", "home", "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    return tmp_path / "home"


def test_no_change_of_a_life_passes_for_the_life_it_was(home: Path, tmp_path: Path) -> None:
    """Bytes: detected or without effect. Edits: by the chain, by what they contradict, all by the signature."""
    changes = list(change_bytes(home, tmp_path / "bytes", changes=40, seed=1))
    assert all(change.problems or change.same_content for change in changes)
    assert any(change.problems for change in changes)
    forged = list(forge(home, tmp_path / "forged"))
    assert len(forged) >= 50
    meant = {name for name, *_ in forged} & MEANINGS.keys()
    assert len(meant) >= 15, "forgeries of a search's meaning are counted too"
    assert meant - {name for name, _, rebuilt, _ in forged if rebuilt.problems} <= UNUSED
    assert {name for name, old, _, _ in forged if not old.problems} <= CONSISTENT
    contradictory = {name for name, _, rebuilt, _ in forged if rebuilt.problems}
    assert {
        "verdict of certificates flipped",
        "last rule of the constraint set removed",
        "last evaluation dropped",
        "certified made rejected",
    } <= contradictory
    assert all(signed.problems for _, _, _, signed in forged)
