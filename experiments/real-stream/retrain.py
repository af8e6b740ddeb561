"""What the searches had found, free of the luck of the draw: their incumbents trained again under another seed.

On tasks 4 and later, the incumbent of each life after `AFTER` evaluations and after all, at the same low fidelity,
under a seed that no life uses. Goes on where it was stopped.
"""

import time
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer

from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.life.preparation import prepare
from agent.state.state import replay
from agent.stream.file import read_stream
from experiments.harness import Rows, Set, mean_and_margin, measure_grid, run
from selfnas import seeding
from selfnas.data.tasks import load_task
from selfnas.networks.network import build_network
from selfnas.search.history import Trial, best_trial
from selfnas.training.training import Examples, accuracy, train

FIRST, AFTER, SEED = 3, 3, 2000


def lived(home: Path, evaluations: int) -> dict[str, list[Trial]]:
    """The incumbents of each finished task: after `AFTER` evaluations, and after all."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        tasks = replay(ledger).runs[0].tasks
    found = {}
    for task in tasks:
        early, late = best_trial(task.trials[:AFTER]), best_trial(task.trials)
        if early and late and len(task.trials) == evaluations:
            found[task.name] = [early, late]
    return found


def retrain(
    stream: Annotated[Path, typer.Argument(metavar="STREAM.yaml")],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="Finished trainings.")],
    lives: Annotated[list[str], typer.Argument(metavar="SEED=WARM,COLD...", help="Homes with and without memory.")],
    settings: Set = None,
) -> None:
    """The incumbents of searches trained again under another seed."""
    torch.set_num_threads(1)
    document = read_stream(stream, overrides=settings or [])
    prepared, value = prepare(document), document.value
    low = value.low.fidelity("low")
    pairs: dict[str, tuple[dict[str, list[Trial]], dict[str, list[Trial]]]] = {}
    for argument in lives:
        seed, _, homes = argument.partition("=")
        with_memory, without = (lived(Path(home), value.budget.evaluations) for home in homes.split(","))
        pairs[seed] = with_memory, without
    rows = Rows(out, of=dict)
    gaps: dict[str, list[list[float]]] = {}
    lost: list[list[float]] = []
    for ready in prepared.tasks[FIRST:]:
        name = ready.spec.name
        found = {seed: (*warm[name], *cold[name]) for seed, (warm, cold) in pairs.items() if name in warm.keys() & cold}
        cells = {(name, one.architecture.digest): one.architecture for trials in found.values() for one in trials}
        task = load_task(ready.spec, base=prepared.base)
        plan = value.training.plan(task)

        def trained(cell: tuple[str, str]) -> list[dict[str, Any]]:
            own = seeding.derive(SEED, "low", cell[1])
            network = build_network(cells[cell], task.shape, seed=own)  # noqa: B023
            held = Examples.of(task.validation.x, task.validation.y)  # noqa: B023
            train(network, Examples.of(task.train.x, task.train.y), held, plan, low, seed=own)  # noqa: B023
            return [{"task": cell[0], "cell": cell[1], "score": accuracy(network, held)}]

        again = measure_grid(trained, list(cells), rows, cell_of=lambda row: (row["task"], row["cell"]))
        points = {row["cell"]: 100 * row["score"] for row in again}
        for seed, trials in found.items():
            early, late, cold_early, cold_late = (points[trial.architecture.digest] for trial in trials)
            lost.append([late - 100 * trials[1].value, cold_late - 100 * trials[3].value])
            gaps.setdefault(seed, []).append([early - cold_early, late - cold_late, early - cold_late])
    for place, what in enumerate(
        (f"both after {AFTER}", "both after all", f"with memory after {AFTER}, without after all")
    ):
        mean, half = mean_and_margin(fmean(row[place] for row in of_seed) for of_seed in gaps.values())
        print(f"{what}: {mean:+.2f} points, with minus without, ±{half:.2f} over {len(gaps)} seeds")
    for what, values in zip(("with memory", "without"), zip(*lost, strict=True), strict=True):
        print(f"last incumbents trained again, {what}: {fmean(values):+.2f} points against their scores in the life")


if __name__ == "__main__":
    run(retrain)
