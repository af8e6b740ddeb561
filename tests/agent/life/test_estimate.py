"""What a run will cost is told before it begins, in the very steps that its trainings will take."""

from pathlib import Path

import pytest
import torch

from agent.life.estimate import estimates
from agent.life.preparation import prepare
from agent.stream.file import read_stream

STREAM = """\
stream: told
format: 1
baselines: none
macro: {channels: 4, depth: 1, resolution: 8}
tasks:
  - {name: few, source: digits, limit: 120}
  - {name: all, source: digits}
  - {name: table, source: table, dataset: a}
"""


def test_scores_and_full_trainings_are_told_in_steps_and_seconds(tmp_path: Path) -> None:
    """Of every task that is trained on; the global generator and the number of threads are left as they were."""
    (tmp_path / "told.yaml").write_text(STREAM)
    prepared = prepare(read_stream(tmp_path / "told.yaml"))
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    few, whole = estimates(prepared)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    sizes = prepared.tasks[0].sizes
    assert (few.score_steps, few.held_out, few.repeats) == (3 * 2 * 120, sizes["train"] + sizes["validation"], 2)
    assert few.full_steps == pytest.approx(800 * (5 + few.held_out / sizes["train"]), abs=1)  # five folds, then all
    assert (whole.score_steps, whole.held_out, whole.repeats) == (120, prepared.tasks[1].sizes["validation"], 0)
    assert few.half_width > whole.half_width > 0.02
    assert 0 < whole.score_seconds < few.score_seconds < few.full_seconds * 3
    assert str(few).startswith("few: a score takes 720 steps, about ")
    assert "held-out examples, each 2 times (±" in str(few)
