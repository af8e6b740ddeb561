"""One small life of a person's own arrays, begun by a script as people write them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Without `if __name__ == "__main__"`, as most scripts are.
SCRIPT = """\
from sklearn.datasets import load_digits

from agent import BudgetSection, FidelitySection, MacroSection, SearchPolicy, Stream, TrainingSection, run
from selfnas import Task

x, y = load_digits(return_X_y=True)
stream = Stream(
    name="own",
    tasks=[Task.from_arrays(x.reshape(-1, 8, 8), y, name="mine", limit=900)],
    baselines=["nearest"],
    macro=MacroSection(channels=4, resolution=8),
    budget=BudgetSection(evaluations=4, full_trainings=2),
    low=FidelitySection(epochs=1, steps=0, fraction=0.5),
    full=FidelitySection(epochs=8, steps=0),
    training=TrainingSection(recipe="light"),
    policy=SearchPolicy(population=3, sample=2, batch=2, oversample=2, finalists_per_task=1, recall=1),
)
print("begun")
print(run(stream, "home").tasks.winner[0])
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the script ran in; `home` in it holds the life, `printed.txt` what the script printed."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout, encoding="utf-8")
    return folder
