"""Forward transfer by relation of the new task to the past one: `measure.py FOLDER SEED [SEED …] [--relation NAME …]`.

For each seed a life learns the first task of the stream. Then each other task is lived on a copy of that home, and on
another copy by a policy that uses no memory, which draws differently from the life before. For the relation `long` four
further tasks come in between. Of the tasks that are compared only the search is lived: what would follow it, a full
training and its audits, has no part in the figures. What is finished is not done again. Means and 95 % intervals over
seeds are printed.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t

from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.preparation import prepare
from agent.state.state import RunState, TaskState, replay
from agent.stream.file import read_stream
from agent.workers.pool import WorkerDied, Workers
from selfnas.documents import Document

RELATIONS = {"again": 1, "other-labels": 2, "other-inputs": 3, "unrelated": 4, "long": 1}  # place of the new task
parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("seeds", type=int, nargs="+")
parser.add_argument("--relation", action="append", choices=RELATIONS)
words = parser.parse_args()
FOLDER, SEEDS, CHOSEN = words.folder, words.seeds, words.relation or list(RELATIONS)
STREAM, RESULTS = Path(__file__).parent / "stream.yaml", FOLDER / "results.jsonl"
BETWEEN = (5, 6, 7, 8)  # places of what a longer life lived before it


class Quiet:
    """Watches a life and says nothing."""

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Nothing."""

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Nothing."""


class SearchedEnough(Exception):  # noqa: N818 - not an error
    """The first full training was asked for."""


class SearchOnly(Workers):
    """Workers of a life that ends before its first full training."""

    def answers(
        self, jobs: Sequence[str], *, on_done: Callable[[], None] = lambda: None
    ) -> tuple[str | WorkerDied, ...]:
        """What workers answer."""
        if any(json.loads(job)["kind"] == "full" for job in jobs):
            raise SearchedEnough
        return super().answers(jobs, on_done=on_done)


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
        try:
            Life(ledger, ready, pool, home=held, device="cpu", observer=Quiet()).run()
        except SearchedEnough:
            assert isinstance(pool, SearchOnly)  # noqa: S101 - no other pool raises it
    done.touch()
    return home


def searched(home: Path) -> tuple[np.ndarray, int]:
    """Of the last task of a life `(evaluations,)` the best score so far, and how many cells were recalled for it."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        task = replay(ledger).runs[-1].tasks[0]
    scores = np.array([np.nan if trial.score is None else trial.score for trial in task.trials])
    return np.fmax.accumulate(scores), len(task.started.recalled)


def reached(curve: np.ndarray, level: float) -> int | None:
    """Evaluations until a score is at a level."""
    hits = np.flatnonzero(curve >= level)
    return int(hits[0]) + 1 if len(hits) else None


def compared(warm: Path, cold: Path) -> dict[str, object]:
    """The last task of a life beside the same one lived without memory."""
    (curve, recalled), (other, _) = searched(warm), searched(cold)
    level = 0.99 * other[-1]
    return {
        "forward_transfer": 100 * float((curve - other).mean()), "first": 100 * float(curve[0] - other[0]),
        "last": 100 * float(curve[-1] - other[-1]), "to_level": reached(curve, level),
        "cold_to_level": reached(other, level), "recalled": recalled,
    }  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULTS.touch()
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    done = {(row["seed"], row["relation"]) for row in rows}
    with Workers(1) as pool, SearchOnly(1) as searching:
        for seed in SEEDS:
            for relation, index in RELATIONS.items():
                if (seed, relation) in done or relation not in CHOSEN:
                    continue
                past = live(FOLDER / f"past{seed}", 0, seed, pool)
                for place in BETWEEN if relation == "long" else ():
                    past = live(FOLDER / f"between{place}-{seed}", place, seed, pool, past=past)
                name = "again" if relation == "long" else relation
                cold = live(
                    FOLDER / f"{name}{seed}-cold", index, seed, searching, past=FOLDER / f"past{seed}", memory=False
                )
                warm = live(FOLDER / f"{relation}{seed}-warm", index, seed, searching, past=past)
                rows.append({"seed": seed, "relation": relation, **compared(warm, cold)})
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)

    print("| relation | forward transfer, points | first evaluation | last | to 99 % of cold: with / without |")
    print("|---|---|---|---|---|")
    for relation in RELATIONS:
        own = [row for row in rows if row["relation"] == relation and row["seed"] in SEEDS]
        if not own:
            continue
        told = []
        for what in ("forward_transfer", "first", "last"):
            values = np.array([row[what] for row in own], dtype=float)
            count = len(values)
            margin = t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
            told.append(f"{values.mean():+.2f} [{values.mean() - margin:+.2f}, {values.mean() + margin:+.2f}]")
        pairs = ", ".join(f"{row['to_level'] or 'never'} / {row['cold_to_level']}" for row in own)
        print(f"| {relation} | {' | '.join(told)} | {pairs} |")
