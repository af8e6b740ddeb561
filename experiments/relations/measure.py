"""Forward transfer by relation of the new task to the past one: `FOLDER SEED [SEED …] [--relation NAME …]`.

For each seed a life learns the first task of the stream. Then each other task is lived on a copy of that home, and on
another copy by a policy that uses no memory, which draws differently from the life before. For the relation `long` four
further tasks come in between. Of the tasks that are compared only the search is lived: what would follow it, a full
training and its audits, has no part in the figures. What is finished is not done again. Means and 95 % intervals over
seeds are printed.
"""

import functools
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.state.state import replay
from agent.stream.file import read_stream
from agent.workers.executor import WorkerDied
from agent.workers.pool import Workers
from experiments.harness import Rows, interval, measure_grid, print_table, run
from selfnas.documents import Document
from selfnas.errors import InputError, suggestion

RELATIONS = {"again": 1, "other-labels": 2, "other-inputs": 3, "unrelated": 4, "long": 1}  # place of the new task
BETWEEN = (5, 6, 7, 8)  # places of what a longer life lived before it
STREAM = Path(__file__).parent / "stream.yaml"


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
            Life(ledger, ready, pool, home=held, device="cpu", observer=Unobserved()).run()
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


def lived(folder: Path, pool: Workers, searching: Workers, cell: tuple[int, str]) -> list[dict[str, Any]]:
    """One relation of one seed."""
    seed, relation = cell
    first = live(folder / f"past{seed}", 0, seed, pool)
    past = first
    for place in BETWEEN if relation == "long" else ():
        past = live(folder / f"between{place}-{seed}", place, seed, pool, past=past)
    name, index = "again" if relation == "long" else relation, RELATIONS[relation]
    cold = live(folder / f"{name}{seed}-cold", index, seed, searching, past=first, memory=False)
    warm = live(folder / f"{relation}{seed}-warm", index, seed, searching, past=past)
    return [{"seed": seed, "relation": relation, **compared(warm, cold)}]


def relations(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Homes and finished rows; gone on with.")],
    seeds: Annotated[list[int], typer.Argument(metavar="SEED...")],
    chosen: Annotated[list[str] | None, typer.Option("--relation", help="Only this one; repeatable.")] = None,
) -> None:
    """Forward transfer by relation of the new task to the past one."""
    for relation in chosen or []:
        if relation not in RELATIONS:
            raise InputError(f"unknown relation {relation!r}{suggestion(relation, sorted(RELATIONS))}")
    cells = [(seed, relation) for seed in seeds for relation in chosen or RELATIONS]
    with Workers(1) as pool, SearchOnly(1) as searching:
        rows = measure_grid(
            functools.partial(lived, folder, pool, searching),
            cells,
            Rows(folder / "results.jsonl", of=dict),
            cell_of=lambda row: (row["seed"], row["relation"]),
        )
    shown = []
    for relation in chosen or RELATIONS:
        own = [row for row in rows if row["relation"] == relation]
        told = [interval([row[what] for row in own], form="+.2f") for what in ("forward_transfer", "first", "last")]
        shown.append((relation, *told, ", ".join(f"{r['to_level'] or 'never'} / {r['cold_to_level']}" for r in own)))
    headings = ("relation", "forward transfer, points", "first evaluation", "last")
    print_table((*headings, "to 99 % of cold: with / without"), shown)


if __name__ == "__main__":
    run(relations)
