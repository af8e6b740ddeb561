"""Forward transfer by relation of the new task to the past one: `measure.py FOLDER SEED [SEED …]`.

For each seed a life learns the first task of the stream. Then each other task is lived on a copy of that home, and on
another copy by a policy that uses no memory, which draws differently from the life before. What is finished is not done
again. Means and 95 % intervals over seeds are printed.
"""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import t

from agent.evidence import gather
from agent.home import Home, hold
from agent.ledger import Ledger
from agent.life import Life
from agent.prepare import prepare
from agent.state import RunState, TaskState
from agent.stream import read_stream
from agent.workers import Workers
from selfnas.documents import Document

FOLDER, SEEDS = Path(sys.argv[1]), [int(word) for word in sys.argv[2:]]
STREAM, RESULTS = Path(__file__).parent / "stream.yaml", FOLDER / "results.jsonl"


class Quiet:
    """Watches a life and says nothing."""

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Nothing."""


def live(home: Path, index: int, seed: int, pool: Workers, *, past: Path | None = None, memory: bool = True) -> Path:
    """One task of the stream, as a run of its own on a copy of a past life; nothing where that was done."""
    done = home.with_suffix(".done")
    if done.exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    if past is not None:
        shutil.copytree(past, home)
    overrides = [f"seed={seed}", *([] if memory else ["policy.recall=0", "policy.strategy=surrogate"])]
    whole = read_stream(STREAM, overrides=overrides)
    stream = whole.value.model_copy(update={"tasks": [whole.value.tasks[index]]})
    ready = prepare(Document(value=stream, path=whole.path, places=whole.places))
    with hold(home) as held, Ledger(held.ledger, clock=time.time) as ledger:
        Life(ledger, ready, pool, home=held, device="cpu", observer=Quiet()).run()
    done.touch()
    return home


def compared(warm: Path, cold: Path) -> dict[str, object]:
    """The last task of a life beside the same one lived without memory."""
    with (
        Ledger(Home(warm).ledger, clock=time.time, read_only=True) as one,
        Ledger(Home(cold).ledger, clock=time.time, read_only=True) as other,
    ):
        task = gather(one, cold=other).tasks[-1]
    assert task.cold is not None  # noqa: S101 - the other life has the same task
    return {
        "forward_transfer": task.forward_transfer, "first": 100 * float(task.curve[0] - task.cold[0]),
        "last": 100 * float(task.curve[-1] - task.cold[-1]), "to_level": task.to_cold_level,
        "cold_to_level": task.cold_to_level,
    }  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULTS.touch()
    names = [task.name for task in read_stream(STREAM).value.tasks]
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    done = {(row["seed"], row["task"]) for row in rows}
    with Workers(1) as pool:
        for seed in SEEDS:
            past = FOLDER / f"past{seed}"
            for index, name in enumerate(names[1:], start=1):
                if (seed, name) in done:
                    continue
                live(past, 0, seed, pool)
                warm = live(FOLDER / f"{name}{seed}-warm", index, seed, pool, past=past)
                cold = live(FOLDER / f"{name}{seed}-cold", index, seed, pool, past=past, memory=False)
                rows.append({"seed": seed, "task": name, **compared(warm, cold)})
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)

    print("| relation | forward transfer, points | first evaluation | last | to 99 % of cold: with / without |")
    print("|---|---|---|---|---|")
    for name in names[1:]:
        own = [row for row in rows if row["task"] == name and row["seed"] in SEEDS]
        told = []
        for what in ("forward_transfer", "first", "last"):
            values = np.array([row[what] for row in own], dtype=float)
            count = len(values)
            margin = t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
            told.append(f"{values.mean():+.2f} [{values.mean() - margin:+.2f}, {values.mean() + margin:+.2f}]")
        pairs = ", ".join(f"{row['to_level'] or 'never'} / {row['cold_to_level']}" for row in own)
        print(f"| {name} | {' | '.join(told)} | {pairs} |")
