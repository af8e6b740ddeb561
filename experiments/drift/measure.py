"""Half of the digits is a task; the other half comes later, as it is or turned. `measure.py FOLDER SEED`."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.drift import Watcher
from agent.report.figures import gather
from agent.state.drift import fold
from agent.state.state import replay
from selfnas.data.datasets import read_packaged

FOLDER, SEED = Path(sys.argv[1]) / f"seed{sys.argv[2]}", int(sys.argv[2])
HERE = Path(__file__).parent
BATCH, STREAMS = 150, 20


def selfnas(*words: str) -> None:
    """One command, as a person would give it, in the folder of this seed."""
    subprocess.run([sys.executable, "-m", "agent", *words], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def batches(name: str, x: np.ndarray, y: np.ndarray) -> list[str]:
    """Files of new examples."""
    names = []
    for start in range(0, len(y), BATCH):
        names.append(f"{name}-{start // BATCH}.npz")
        np.savez(FOLDER / names[-1], x=x[start : start + BATCH], y=y[start : start + BATCH])
    return names


FOLDER.mkdir(parents=True)
shutil.copy(HERE / "stream.yaml", FOLDER)
raw, rng = read_packaged("digits"), np.random.default_rng(SEED)
order = rng.permutation(len(raw.y))
x, y = raw.x[:, 0][order], raw.y[order]
known, later = slice(0, 900), slice(900, None)
np.savez(FOLDER / "digits.npz", x=x[known], y=y[known])

# A life on the task, by a cold search with the whole budget.
selfnas("run", "stream.yaml", "--home", "home", "--seed", str(SEED), "--workers", "1", "--no-mirror")

# More of the same, in twenty random orders: every drift that is confirmed is a false alarm.
alarms = suspicions = 0
for _ in range(STREAMS):
    shutil.copytree(FOLDER / "home", FOLDER / "copy")
    shuffled = rng.permutation(len(y[later]))
    files = batches("same", x[later][shuffled], y[later][shuffled])
    with hold(FOLDER / "copy") as held, Ledger(held.ledger, clock=time.time) as ledger:
        watcher = Watcher(ledger, held, "digits", base=FOLDER, least=800)
        verdicts = [watcher.take_in(batch).verdict for batch in watcher.follow([FOLDER / file for file in files])]
    alarms += "drift" in verdicts
    suspicions += "suspected" in verdicts
    shutil.rmtree(FOLDER / "copy")
print(f"seed {SEED}: {alarms} of {STREAMS} stationary streams raised a drift, {suspicions} a suspicion")

# The same examples turned by 90 degrees.
files = batches("turned", np.rot90(x[later], axes=(1, 2)), y[later])
selfnas("watch", "home", "digits", *files, "--least", "800", "--workers", "1", "--no-mirror")

# What a cold search with the whole budget makes of the same new examples; as a later run of a copy, so that it does not
# begin with the random cells whence the architecture in service came.
with Ledger(Home(FOLDER / "home").ledger, clock=time.time, read_only=True) as ledger:
    watch = fold(replay(ledger))["digits"]
new = watch.drifts[0].search.file
shutil.copytree(FOLDER / "home", FOLDER / "cold")
selfnas(
    "run", "stream.yaml", "--home", "cold", "--seed", str(SEED), "--workers", "1", "--no-mirror",
    "--set", f"tasks.0.path=home/watch/{new}", "--set", "policy.recall=0",
)  # fmt: skip
with (
    Ledger(Home(FOLDER / "home").ledger, clock=time.time, read_only=True) as ledger,
    Ledger(Home(FOLDER / "cold").ledger, clock=time.time, read_only=True) as other,
):
    found, found_cold = gather(ledger, cold=other), gather(other)
successor, drift = found.tasks[1], found.drifts[0]
print(
    f"seed {SEED}: successor {'admitted' if drift.successor else 'NOT admitted'}, {drift.evaluations} evaluations on "
    f"{drift.examples} new examples, {drift.seconds:.0f} s; to 99 % of what the cold search reached in 24: "
    f"{successor.to_cold_level} against {successor.cold_to_level}; test {successor.summary.test} against "
    f"{found_cold.tasks[-1].summary.test}"
)
