"""Commands start at once: those that read a life load nothing heavy, and only processes that train load Lightning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.conftest import TINY, inside

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "z3", "mlflow", "captum", "pandas", "matplotlib", "scipy", "sklearn", "networkx")
TASKS = (
    "tasks=[{name: one, source: table, dataset: a}, {name: two, source: table, dataset: b}, "
    "{name: three, source: digits, limit: 900}]"
)
TELL = f"""
import atexit, sys
atexit.register(lambda: print('loaded:', [name for name in {HEAVY} if name in sys.modules]))
from agent.cli import main
main()
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life with a trained and admitted network, looked-up ones, and sub-cells mined from them."""
    place = tmp_path_factory.mktemp("light")
    (place / "tiny.yaml").write_text(TINY)
    changes = ("--set", TASKS, "--set", "budget.evaluations=12")
    done = inside(place, "run", "tiny.yaml", *changes, "--workers", "1", "--no-mirror")
    assert done.returncode == 0, done.stderr
    return place / ".selfnas"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("status",), "1 admitted architecture(s)"),
        (("review", "list"), "three, run 1: admitted"),
        (("motifs", "list"), "sub-cells mined from winners"),
    ],
)
def test_reading_a_life_loads_nothing_heavy(words: tuple[str, ...], says: str, home: Path) -> None:
    """The command tells what there is to tell, and its process has loaded neither torch nor a solver nor MLflow."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TELL, *words, "--home", str(home)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout
    assert done.stdout.endswith("loaded: []\n")


def test_only_processes_that_train_load_lightning() -> None:
    """Not those that live, verify, design or serve: workers train for them. It takes longer to load than torch."""
    code = "import sys, agent.life.life, agent.verify.verification, agent.api.answering, agent.service.app; "
    code += "print([name for name in ('torch', 'pytorch_lightning') if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("['torch']\n", "")
