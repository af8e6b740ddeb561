"""Full training from the weights of a motif against training from scratch: `measure.py FOLDER SEED [SEED …]`.

For each seed one random admitted cell is trained fully on a past task, then on each new task twice, with the same seed
of its own: from fresh weights, and from those of the past task as far as they fit. What is finished is not done again.
Means and 95 % intervals (Student's t) of the paired differences over seeds are printed.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import t

from agent.stream.file import FidelitySection, TrainingSection
from agent.workers.jobs import FullAnswer, FullJob
from agent.workers.process import run_job
from constraints import Guard, load_set
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.seeding import generator
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import space_named

FOLDER, SEEDS = Path(sys.argv[1]), [int(word) for word in sys.argv[2:]]
RESULTS = FOLDER / "results.jsonl"
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


def trained(spec: TaskSpec, architecture: Architecture, seed: int, parent: str = "") -> FullAnswer:
    """One full training; its weights are kept in the folder."""
    job = FullJob(
        task=spec, task_digest=load_task(spec, base=FOLDER).digest, base=str(FOLDER), device="cpu", seed=seed,
        architecture=str(architecture), training=TrainingSection(), fidelity=FidelitySection(epochs=EPOCHS),
        weights=str(FOLDER / "weights"), inherit=str(FOLDER / "weights" / f"{parent}.safetensors") if parent else None,
    )  # fmt: skip
    answer = FullAnswer.model_validate_json(run_job(job.model_dump_json(exclude_none=True)))
    assert answer.score is not None, answer.reason  # noqa: S101 - none of these diverges
    return answer


def epochs_to(curve: list[float], level: float) -> int:
    """Epochs until validation accuracy is at a level; one more than there are where it never is."""
    hits = np.flatnonzero(np.array(curve) >= level)
    return int(hits[0]) + 1 if len(hits) else EPOCHS + 1


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULTS.touch()
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    done = {(row["seed"], row["pair"]) for row in rows}
    guard = Guard(
        load_set("baseline"),
        space=space_named("nb201"),
        macro=MACRO,
        shape=TaskShape(channels=1, size=(28, 28), classes=10),
    )
    for seed in SEEDS:
        (vector,) = guard.draw(generator(seed, "inherited weights"), 1)
        architecture = guard.space.decode(vector, macro=MACRO)
        parents: dict[str, str] = {}
        for pair, (past, new) in PAIRS.items():
            if (seed, pair) in done:
                continue
            if past.name not in parents:
                parents[past.name] = trained(past, architecture, seed).weights_sha256
            scratch = trained(new, architecture, seed + 1000)
            child = trained(new, architecture, seed + 1000, parents[past.name])
            level = 0.99 * max(scratch.curve)
            row = {
                "seed": seed, "pair": pair, "share": child.inherited,
                "test": 100 * (child.test_correct - scratch.test_correct) / child.test_count,
                "validation": 100 * (max(child.curve) - max(scratch.curve)),
                "first": 100 * (child.curve[0] - scratch.curve[0]),
                "epochs": epochs_to(child.curve, level), "scratch_epochs": epochs_to(scratch.curve, level),
                "scratch_test": 100 * scratch.test_correct / scratch.test_count,
            }  # fmt: skip
            rows.append(row)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)

    print(
        "| pair | share | test from scratch | test | validation | first epoch | epochs, inherited / scratch | saved |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for pair in PAIRS:
        own = [row for row in rows if row["pair"] == pair and row["seed"] in SEEDS]
        told = []
        for values in (*([row[w] for row in own] for w in ("test", "validation", "first")),
                       [row["scratch_epochs"] - row["epochs"] for row in own]):  # fmt: skip
            mean, margin = np.mean(values), t.ppf(0.975, len(own) - 1) * np.std(values, ddof=1) / np.sqrt(len(own))
            told.append(f"{mean:+.1f} [{mean - margin:+.1f}, {mean + margin:+.1f}]")
        epochs = (
            f"{np.mean([row['epochs'] for row in own]):.1f} / {np.mean([row['scratch_epochs'] for row in own]):.1f}"
        )
        share, base = np.mean([row["share"] for row in own]), np.mean([row["scratch_test"] for row in own])
        print(f"| {pair} | {share:.3f} | {base:.1f} % | {' | '.join(told[:3])} | {epochs} | {told[3]} |")
