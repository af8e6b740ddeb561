"""Evaluations with memory against without, task by task: `compare.py OUT.png 0=WARM,COLD 1=WARM,COLD …` on lives.

Prints the ratio of evaluations over tasks 4 and later with a 95 % interval over seeds (Student's t on its logarithm),
and draws the mean of the best score so far. A task that one of the two lives has not finished is left out and named.
"""

import math
import sys
import time
from pathlib import Path
from statistics import fmean, stdev

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator
from scipy.stats import t as student

from agent.evidence import gather
from agent.home import Home
from agent.ledger import Ledger
from agent.task_evidence import TaskEvidence

FIRST = 3  # the fourth task: three have taught by then


def read(warm: Path, cold: Path) -> tuple[list[TaskEvidence], dict[str, list[str]]]:
    """The tasks of a life with memory, each beside the same task lived without; and where its cells came from."""
    with (
        Ledger(Home(warm).ledger, clock=time.time, read_only=True) as one,
        Ledger(Home(cold).ledger, clock=time.time, read_only=True) as other,
    ):
        found = gather(one, cold=other)
    origins = {task.name: [str(at["origin"]) for at in task.evaluations] for task in found.state.runs[0].tasks}
    return list(found.tasks[FIRST:]), origins


def spent(task: TaskEvidence) -> int:
    """Evaluations with memory to the level; one more than there were, where it was not reached."""
    return task.to_cold_level or len(task.curve) + 1


def half_width(values: list[float]) -> float:
    """Of the 95 % interval of a mean, Student's t; NaN for one value."""
    if len(values) < 2:
        return math.nan
    return float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))


def whole(task: TaskEvidence) -> bool:
    """Whether it was lived as far without memory as with it."""
    return task.cold is not None and task.cold_to_level is not None and len(task.cold) == len(task.curve)


picture, lives, origins = Path(sys.argv[1]), {}, {}
for argument in sys.argv[2:]:
    seed, _, homes = argument.partition("=")
    with_memory, without = map(Path, homes.split(","))
    lives[seed], origins[seed] = read(with_memory, without)

names = list(dict.fromkeys(task.label for tasks in lives.values() for task in tasks))
pairs = {seed: {task.label: task for task in tasks if whole(task)} for seed, tasks in lives.items()}
print("| task | " + " | ".join(f"seed {seed}: with / without" for seed in pairs) + " |")
print("|---|" + "---|" * len(pairs))
for name in names:
    cells = []
    for tasks in pairs.values():
        task = tasks.get(name)
        reached = task is not None and task.to_cold_level is not None
        here = "" if task is None else str(task.to_cold_level) if reached else "not reached"
        cells.append("not lived" if task is None else f"{here} / {task.cold_to_level}")
    print(f"| {name} | " + " | ".join(cells) + " |")

ratios, gains = [], []
for seed, tasks in pairs.items():
    later = list(tasks.values())
    if not later:
        continue
    needed = [task.cold_to_level or 0 for task in later]
    ratios.append(sum(map(spent, later)) / sum(needed))
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
        f"seed {seed}, {len(later)} tasks: {fmean(map(spent, later)):.1f} evaluations with memory, {fmean(needed):.1f} "
        f"without, ratio {ratios[-1]:.2f}; {missed} did not reach the level, {replayed} by a recalled cell; "
        f"points, with minus without: {first:+.1f} at the first evaluation, {gain:+.1f} on average, "
        f"{last:+.1f} at the last"
    )
logs = [math.log(ratio) for ratio in ratios]
middle, half = fmean(logs), half_width(logs)
low, high = math.exp(middle - half), math.exp(middle + half)
print(f"ratio over {len(ratios)} seeds, geometric mean {math.exp(middle):.2f} [{low:.2f}, {high:.2f}]")
for name, values in zip(
    ("at the first evaluation", "on average", "at the last"), zip(*gains, strict=True), strict=True
):
    print(f"points, with minus without, {name}: {fmean(values):+.1f} ±{half_width(list(values)):.1f}")

figure, axes = plt.subplots(figsize=(5.0, 3.2))
searches = [task for tasks in pairs.values() for task in tasks.values()]
for label, curves in (
    ("with memory", [task.curve for task in searches]),
    ("without", [task.cold for task in searches if task.cold is not None]),
):
    # Relative to what the search without memory reached, so that tasks can be averaged.
    final = [task.cold[-1] for task in searches if task.cold is not None]
    rows = np.stack([100 * curve / last for curve, last in zip(curves, final, strict=True)])
    at = np.arange(1, rows.shape[1] + 1)
    error = rows.std(axis=0, ddof=1) / math.sqrt(len(rows)) if len(rows) > 1 else np.zeros(rows.shape[1])
    axes.plot(at, rows.mean(axis=0), label=label)
    axes.fill_between(at, rows.mean(axis=0) - error, rows.mean(axis=0) + error, alpha=0.25)
axes.axhline(99, color="grey", linewidth=0.8, linestyle="--")
axes.set_xlabel("evaluations")
axes.set_ylabel("best so far,\n% of the best without memory")
axes.set_title(f"{len(searches)} searches, {len(ratios)} seeds; band: standard error", fontsize=9)
axes.xaxis.set_major_locator(MaxNLocator(integer=True))
axes.legend(frameon=False, loc="lower right")
figure.tight_layout()
figure.savefig(picture, dpi=90)
