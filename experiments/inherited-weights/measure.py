"""Full training from the weights of a motif against training from scratch: `FOLDER SEED [SEED …]`.

For each seed one random admitted cell is trained fully on a past task, then on each new task twice, with the same seed
of its own: from fresh weights, and from those of the past task as far as they fit. What is finished is not done again.
Means and 95 % intervals (Student's t) of the paired differences over seeds are printed.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from agent.stream.training import FidelitySection, TrainingSection
from agent.workers.jobs import FullAnswer, FullJob
from agent.workers.process import run_job
from constraints import Guard, load_set
from experiments.harness import Rows, interval, measure_grid, print_table, run
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.seeding import generator
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import SPACES

MACRO, EPOCHS, EXAMPLES = Macro(channels=4, depth=1, resolution=8), 8, 2000


def task(**changes: object) -> TaskSpec:
    """Some MNIST digits, changed."""
    return TaskSpec.model_validate({"name": "mnist", "source": "mnist5k", "limit": EXAMPLES} | changes)


MNIST, DIGITS = task(), TaskSpec.model_validate({"name": "digits", "source": "digits"})
PAIRS = {  # what was learned before, and what is to be learned: all of them pairs that a life allows
    "other inputs": (MNIST, task(transforms=[{"rotate": 90}])),
    "other labels": (MNIST, task(transforms=[{"permute_labels": 3}])),
    "fewer classes": (MNIST, task(transforms=[{"classes": [1, 4, 7, 9]}])),
    "other source": (DIGITS, MNIST),
}


@functools.cache
def admitted(seed: int) -> Architecture:
    """One random cell that the baseline admits."""
    shape = TaskShape(channels=1, size=(28, 28), classes=10)
    guard = Guard(load_set("baseline"), space=SPACES["nb201"], macro=MACRO, shape=shape)
    (vector,) = guard.draw(generator(seed, "inherited weights"), 1)
    return guard.space.decode(vector, macro=MACRO)


def trained(folder: Path, spec: TaskSpec, architecture: Architecture, seed: int, parent: str = "") -> FullAnswer:
    """One full training; its weights are kept in the folder."""
    job = FullJob(
        task=spec, task_digest=load_task(spec, base=folder).digest, base=str(folder), device="cpu", seed=seed,
        architecture=str(architecture), training=TrainingSection(), fidelity=FidelitySection(epochs=EPOCHS),
        weights=str(folder / "weights"), inherit=str(folder / "weights" / f"{parent}.safetensors") if parent else None,
    )  # fmt: skip
    answer = FullAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True)))
    assert answer.score is not None, answer.reason  # noqa: S101 - none of these diverges
    return answer


@functools.cache
def parent_of(folder: Path, past: str, seed: int) -> str:
    """SHA-256 of the weights that were trained on a past task."""
    return trained(folder, {"mnist": MNIST, "digits": DIGITS}[past], admitted(seed), seed).weights_sha256


def epochs_to(curve: list[float], level: float) -> int:
    """Epochs until validation accuracy is at a level; one more than there are where it never is."""
    hits = np.flatnonzero(np.array(curve) >= level)
    return int(hits[0]) + 1 if len(hits) else EPOCHS + 1


def paired(folder: Path, cell: tuple[int, str]) -> list[dict[str, Any]]:
    """One pair of tasks with one cell: from fresh weights, and from those of the past task."""
    seed, pair = cell
    past, new = PAIRS[pair]
    scratch = trained(folder, new, admitted(seed), seed + 1000)
    child = trained(folder, new, admitted(seed), seed + 1000, parent_of(folder, past.name, seed))
    level = 0.99 * max(scratch.curve)
    return [{
        "seed": seed, "pair": pair, "share": child.inherited,
        "test": 100 * (child.test_correct - scratch.test_correct) / child.test_count,
        "validation": 100 * (max(child.curve) - max(scratch.curve)),
        "first": 100 * (child.curve[0] - scratch.curve[0]),
        "epochs": epochs_to(child.curve, level), "scratch_epochs": epochs_to(scratch.curve, level),
        "scratch_test": 100 * scratch.test_correct / scratch.test_count,
    }]  # fmt: skip


def inherited_weights(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Weights and finished rows; gone on with.")],
    seeds: Annotated[list[int], typer.Argument(metavar="SEED...")],
) -> None:
    """Full training from the weights of a motif against training from scratch."""
    rows = measure_grid(
        functools.partial(paired, folder),
        [(seed, pair) for seed in seeds for pair in PAIRS],
        Rows(folder / "results.jsonl", of=dict),
        cell_of=lambda row: (row["seed"], row["pair"]),
    )
    shown = []
    for pair in PAIRS:
        own = {name: np.array([row[name] for row in rows if row["pair"] == pair]) for name in rows[0] if name != "pair"}
        epochs = f"{own['epochs'].mean():.1f} / {own['scratch_epochs'].mean():.1f}"
        told = [interval(own[what], form="+.1f") for what in ("test", "validation", "first")]
        saved = interval(own["scratch_epochs"] - own["epochs"], form="+.1f")
        shown.append((pair, f"{own['share'].mean():.3f}", f"{own['scratch_test'].mean():.1f} %", *told, epochs, saved))
    headings = ("pair", "share", "test from scratch", "test", "validation", "first epoch")
    print_table((*headings, "epochs, inherited / scratch", "saved"), shown)


if __name__ == "__main__":
    run(inherited_weights)
