"""Evaluations with memory against without, task by task: `OUT.png 0=WARM,COLD,REPLAY 1=WARM,COLD …`.

WARM is the home of a life with memory, COLD of one without, REPLAY of one that only tries past winners first and
then searches locally; the last may be left out. Prints the ratio of evaluations over tasks 4 and later with a 95 %
interval over seeds (Student's t on its logarithm), and draws the mean of the best score so far. A task that one of two
lives has not finished is left out.
"""

import math
import time
from pathlib import Path
from statistics import fmean
from typing import Annotated

import matplotlib.pyplot as plt
import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.report.figures import gather
from agent.report.task_figures import Curve, TaskEvidence
from experiments.harness import mean_and_margin, run

FIRST = 3  # the fourth task: three have taught by then
NAMES = ("with memory", "replay, then local search")


def read(warm: Path, cold: Path) -> tuple[list[TaskEvidence], dict[str, list[str]]]:
    """The tasks of a life with memory, each beside the same task lived without; and where its cells came from."""
    with (
        Ledger(Home(warm).ledger, clock=time.time, read_only=True) as one,
        Ledger(Home(cold).ledger, clock=time.time, read_only=True) as other,
    ):
        found = gather(one, cold=other)
    origins = {task.name: [at.origin for at in task.evaluations] for task in found.state.runs[0].tasks}
    return list(found.tasks[FIRST:]), origins


def spent(task: TaskEvidence) -> int:
    """Evaluations with memory to the level; one more than there were, where it was not reached."""
    return task.to_cold_level or len(task.curve) + 1


def whole(task: TaskEvidence) -> bool:
    """Whether it was lived as far without memory as with it."""
    return task.cold is not None and task.cold_to_level is not None and len(task.cold) == len(task.curve)


def printed(lives: dict[str, list[TaskEvidence]], origins: dict[str, dict[str, list[str]]], name: str) -> None:
    """A table of evaluations to the level, and the ratio to the search without memory."""
    print(f"\n{name}\n\n| task | " + " | ".join(f"seed {seed}: with / without" for seed in lives) + " |")
    print("|---|" + "---|" * len(lives))
    for label in dict.fromkeys(task.label for tasks in lives.values() for task in tasks):
        cells = []
        for tasks in lives.values():
            task = next((one for one in tasks if one.label == label), None)
            reached = "–" if task is None else task.to_cold_level or "not reached"
            cells.append("not lived" if task is None else f"{reached} / {task.cold_to_level}")
        print(f"| {label} | " + " | ".join(cells) + " |")
    ratios, gains, every = [], [], []
    for seed, later in lives.items():
        needed = [task.cold_to_level or 0 for task in later]
        ratios.append(sum(map(spent, later)) / sum(needed))
        every.append((sum(map(spent, later)), sum(needed)))
        replayed = sum(
            origins[seed][task.label][task.to_cold_level - 1] == "recalled"
            for task in later
            if task.to_cold_level is not None
        )
        missed = sum(task.to_cold_level is None for task in later)
        first = fmean(100 * (task.curve[0] - task.cold[0]) for task in later if task.cold is not None)
        last = fmean(100 * (task.curve[-1] - task.cold[-1]) for task in later if task.cold is not None)
        gain = fmean(task.forward_transfer or 0.0 for task in later)
        gains.append((first, gain, last))
        print(
            f"seed {seed}, {len(later)} tasks: {fmean(map(spent, later)):.1f} evaluations with memory, "
            f"{fmean(needed):.1f} without, ratio {ratios[-1]:.2f}; {missed} did not reach the level, {replayed} by a "
            f"recalled cell; points, with minus without: {first:+.1f} at the first evaluation, {gain:+.1f} on average, "
            f"{last:+.1f} at the last"
        )
    logs = [math.log(ratio) for ratio in ratios]
    middle, half = mean_and_margin(logs)
    low, high = math.exp(middle - half), math.exp(middle + half)
    print(f"ratio over {len(ratios)} seeds, geometric mean {math.exp(middle):.2f} [{low:.2f}, {high:.2f}]")
    ours, theirs = map(sum, zip(*every, strict=True))
    print(f"of all evaluations together: {ours} / {theirs} = {ours / theirs:.2f}")
    for what, values in zip(
        ("at the first evaluation", "on average", "at the last"), zip(*gains, strict=True), strict=True
    ):
        mean, margin = mean_and_margin(values)
        print(f"points, with minus without, {what}: {mean:+.1f} ±{margin:.1f}")


def drawn(axes: Axes, curves: list[Curve], final: list[float], label: str) -> None:
    """The mean curve, relative to what the search without memory reached, so that tasks can be averaged."""
    rows = np.stack([100 * curve / last for curve, last in zip(curves, final, strict=True)])
    at = np.arange(1, rows.shape[1] + 1)
    error = rows.std(axis=0, ddof=1) / math.sqrt(len(rows)) if len(rows) > 1 else np.zeros(rows.shape[1])
    axes.plot(at, rows.mean(axis=0), label=label)
    axes.fill_between(at, rows.mean(axis=0) - error, rows.mean(axis=0) + error, alpha=0.25)


def compare(
    picture: Annotated[Path, typer.Argument(metavar="OUT.png")],
    homes: Annotated[list[str], typer.Argument(metavar="SEED=WARM,COLD[,REPLAY]...", help="Homes of lives.")],
) -> None:
    """Evaluations with memory against without, task by task."""
    figure, axes = plt.subplots(figsize=(5.0, 3.2))
    for place, name in enumerate(NAMES):
        lives, origins = {}, {}
        for argument in homes:
            seed, _, of_seed = argument.partition("=")
            with_memory, without, *replay = map(Path, of_seed.split(","))
            others = (with_memory, *replay)
            if place < len(others):
                tasks, origins[seed] = read(others[place], without)
                lives[seed] = [task for task in tasks if whole(task)]
        lives = {seed: tasks for seed, tasks in lives.items() if tasks}
        if not lives:
            continue
        printed(lives, origins, name)
        searches = [task for tasks in lives.values() for task in tasks]
        final = [task.cold[-1] for task in searches if task.cold is not None]
        drawn(axes, [task.curve for task in searches], final, f"{name}, {len(lives)} seeds")
        if not place:
            drawn(axes, [task.cold for task in searches if task.cold is not None], final, "without memory")
    axes.axhline(99, color="grey", linewidth=0.8, linestyle="--")
    axes.set_xlabel("evaluations")
    axes.set_ylabel("best so far,\n% of the best without memory")
    axes.set_title("tasks 4 to 8; band: standard error over searches", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    run(compare)
