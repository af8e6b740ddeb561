"""What the searches had found, free of the luck of the draw: their incumbents trained again under another seed.

`retrain.py STREAM OUT.jsonl 0=WARM,COLD 1=WARM,COLD … [--set key=value …]`: on tasks 4 and later, the incumbent of each
life after AFTER evaluations and after all, at the same low fidelity, under a seed that no life uses. Goes on where it
was stopped.
"""

import json
import math
import sys
import time
from pathlib import Path
from statistics import fmean, stdev

import torch
from scipy.stats import t as student

from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.life.preparation import prepare
from agent.state.state import LifeState
from agent.stream.file import read_stream
from selfnas import seeding
from selfnas.data.tasks import Task, load_task
from selfnas.networks.network import build_network
from selfnas.search.history import Trial, best_trial
from selfnas.spaces.architecture import Architecture
from selfnas.training.training import Examples, TrainingPlan, accuracy, train

FIRST, AFTER, SEED = 3, 3, 2000

torch.set_num_threads(1)
words, overrides = sys.argv[1:], []
while "--set" in words:
    at = words.index("--set")
    overrides.append(words[at + 1])
    del words[at : at + 2]
OUT = Path(words[1])
document = read_stream(Path(words[0]), overrides=overrides)
prepared, stream = prepare(document), document.value
plan, low = TrainingPlan(**stream.training.model_dump()), stream.low.fidelity("low")


def lived(home: Path) -> dict[str, list[Trial]]:
    """The incumbents of each finished task: after AFTER evaluations, and after all."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        state = LifeState()
        for event in ledger.events():
            state.apply(event)
    found = {}
    for task in state.runs[0].tasks:
        early, late = best_trial(task.trials[:AFTER]), best_trial(task.trials)
        if early and late and len(task.trials) == stream.budget.evaluations:
            found[task.name] = [early, late]
    return found


def score(task: Task, architecture: Architecture) -> float:
    """Validation accuracy of a fresh training, in [0, 1]."""
    own = seeding.derive(SEED, "low", architecture.digest)
    network = build_network(architecture, task.shape, seed=own)
    held = Examples.of(task.validation.x, task.validation.y)
    train(network, Examples.of(task.train.x, task.train.y), held, plan, low, seed=own)
    return accuracy(network, held)


OUT.touch()
known = {(r["task"], r["cell"]): r["score"] for r in map(json.loads, OUT.read_text(encoding="utf-8").splitlines())}
gaps: dict[str, list[list[float]]] = {}
lost: list[list[float]] = []
for argument in words[2:]:
    seed, _, homes = argument.partition("=")
    warm, cold = (lived(Path(home)) for home in homes.split(","))
    for ready in prepared.tasks[FIRST:]:
        name = ready.spec.name
        if name not in warm or name not in cold:
            continue
        task, scores = None, []
        for trial in (*warm[name], *cold[name]):
            architecture = trial.architecture
            key = (name, architecture.digest)
            if key not in known:
                task = task or load_task(ready.spec, base=prepared.base)
                known[key] = score(task, architecture)
                with OUT.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"task": name, "cell": key[1], "score": known[key]}) + "\n")
            scores.append(100 * known[key])
        ends = (warm[name][1].value, cold[name][1].value)
        lost.append([scores[1] - 100 * ends[0], scores[3] - 100 * ends[1]])
        gaps.setdefault(seed, []).append([scores[0] - scores[2], scores[1] - scores[3], scores[0] - scores[3]])

for place, what in enumerate(
    (f"both after {AFTER}", "both after all", f"with memory after {AFTER}, without after all")
):
    means = [fmean(row[place] for row in rows) for rows in gaps.values()]
    half = (
        float(student.ppf(0.975, len(means) - 1)) * stdev(means) / math.sqrt(len(means)) if len(means) > 1 else math.nan
    )
    print(f"{what}: {fmean(means):+.2f} points, with minus without, ±{half:.2f} over {len(means)} seeds")
for name, values in zip(("with memory", "without"), zip(*lost, strict=True), strict=True):
    print(f"last incumbents trained again, {name}: {fmean(values):+.2f} points against what they scored in the life")
