"""Half of the digits is a task; the other half comes later, as it is or turned."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.drift import Watcher
from agent.report.figures import gather
from agent.state.drift import fold
from agent.state.state import replay
from experiments.harness import run
from selfnas.data.sources.packaged import read_packaged
from selfnas.data.targets import classes_of

HERE = Path(__file__).parent
BATCH, STREAMS = 150, 20


def selfnas(folder: Path, *words: str) -> None:
    """One command, as a person would give it, in the folder of a seed."""
    subprocess.run([sys.executable, "-m", "agent", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def batches(folder: Path, name: str, x: NDArray[np.float32], y: NDArray[np.int64]) -> list[str]:
    """Files of new examples."""
    names = []
    for start in range(0, len(y), BATCH):
        names.append(f"{name}-{start // BATCH}.npz")
        np.savez(folder / names[-1], x=x[start : start + BATCH], y=y[start : start + BATCH])
    return names


def drift(
    place: Annotated[Path, typer.Argument(metavar="FOLDER", help="Gets a folder of the seed.")],
    seed: Annotated[int, typer.Argument(metavar="SEED")],
) -> None:
    """False alarms on more of the same, and a successor's search when the digits are turned."""
    folder = place / f"seed{seed}"
    folder.mkdir(parents=True)
    shutil.copy(HERE / "stream.yaml", folder)
    raw, rng = read_packaged("digits"), np.random.default_rng(seed)
    order = rng.permutation(len(raw.y))
    x, y = raw.x[:, 0][order], classes_of(raw.y)[order]
    known, later = slice(0, 900), slice(900, None)
    np.savez(folder / "digits.npz", x=x[known], y=y[known])

    # A life on the task, by a cold search with the whole budget.
    selfnas(folder, "run", "stream.yaml", "--home", "home", "--seed", str(seed), "--workers", "1", "--no-mirror")

    # More of the same, in twenty random orders: every drift that is confirmed is a false alarm.
    alarms = suspicions = 0
    for _ in range(STREAMS):
        shutil.copytree(folder / "home", folder / "copy")
        shuffled = rng.permutation(len(y[later]))
        files = batches(folder, "same", x[later][shuffled], y[later][shuffled])
        with hold(folder / "copy") as held, Ledger(held.ledger, clock=time.time) as ledger:
            watcher = Watcher(ledger, held, "digits", base=folder, least=800)
            verdicts = [watcher.take_in(batch).verdict for batch in watcher.follow([folder / file for file in files])]
        alarms += "drift" in verdicts
        suspicions += "suspected" in verdicts
        shutil.rmtree(folder / "copy")
    print(f"seed {seed}: {alarms} of {STREAMS} stationary streams raised a drift, {suspicions} a suspicion")

    # The same examples turned by 90 degrees.
    files = batches(folder, "turned", np.rot90(x[later], axes=(1, 2)), y[later])
    selfnas(folder, "watch", "home", "digits", *files, "--least", "800", "--workers", "1", "--no-mirror")

    # What a cold search with the whole budget makes of the same new examples; as a later run of a copy, so that it does
    # not begin with the random cells whence the architecture in service came.
    with Ledger(Home(folder / "home").ledger, clock=time.time, read_only=True) as ledger:
        watch = fold(replay(ledger))["digits"]
    new = watch.drifts[0].search.file
    shutil.copytree(folder / "home", folder / "cold")
    selfnas(
        folder, "run", "stream.yaml", "--home", "cold", "--seed", str(seed), "--workers", "1", "--no-mirror",
        "--set", f"tasks.0.path=home/watch/{new}", "--set", "policy.recall=0",
    )  # fmt: skip
    with (
        Ledger(Home(folder / "home").ledger, clock=time.time, read_only=True) as ledger,
        Ledger(Home(folder / "cold").ledger, clock=time.time, read_only=True) as other,
    ):
        found, found_cold = gather(ledger, cold=other), gather(other)
    successor, drift = found.tasks[1], found.drifts[0]
    assert drift.ended is not None  # noqa: S101 - the search above was waited for
    print(
        f"seed {seed}: successor {'admitted' if drift.ended.successor else 'NOT admitted'}, {drift.ended.evaluations} "
        f"evaluations on {drift.search.examples} new examples, {drift.seconds(found.times):.0f} s; to 99 % of what the "
        f"cold search reached in 24: {successor.to_cold_level} against {successor.cold_to_level}; test "
        f"{successor.summary.test} against {found_cold.tasks[-1].summary.test}"
    )


if __name__ == "__main__":
    run(drift)
