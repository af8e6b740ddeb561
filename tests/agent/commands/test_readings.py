"""Before a run begins, a person sees how the data of each task were read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.commands.run import readings
from agent.life.preparation import prepare
from agent.stream.file import read_stream


def test_each_task_is_told_in_a_line(tmp_path: Path) -> None:
    """Guesses included; of many tasks the first twenty."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", x=rng.random((60, 8, 8)), y=np.arange(60) % 2)
    tasks = "\n".join(f"  - {{name: t{k}, source: npz, path: own.npz, split_seed: {k}}}" for k in range(22))
    (tmp_path / "s.yaml").write_text(f"stream: s\nformat: 1\ntasks:\n{tasks}\n")
    lines = list(readings(prepare(read_stream(tmp_path / "s.yaml")).tasks))
    assert len(lines) == 21
    assert lines[0].startswith("task t0: 60 grey images 8×8 (float64), 2 classes '0', '1'; split 32/8/8/12 (train/")
    assert lines[0].endswith("read as images, for 8×8 is square; `kind: series` if not")
    assert lines[-1] == "… and 2 tasks more"
