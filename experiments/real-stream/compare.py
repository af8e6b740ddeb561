"""Evaluations with memory against without, task by task: `compare.py 0=WARM,COLD 1=WARM,COLD …` on finished lives."""

import sys
import time
from pathlib import Path
from statistics import fmean

import numpy as np

from agent.evidence import gather
from agent.home import Home
from agent.ledger import Ledger
from agent.task_evidence import TaskEvidence

FIRST = 3  # the fourth task: three have taught by then


def read(warm: Path, cold: Path) -> tuple[TaskEvidence, ...]:
    """The tasks of a life with memory, each beside the same task lived without."""
    with (
        Ledger(Home(warm).ledger, clock=time.time, read_only=True) as one,
        Ledger(Home(cold).ledger, clock=time.time, read_only=True) as other,
    ):
        return gather(one, cold=other).tasks


seeds = {}
for argument in sys.argv[1:]:
    seed, _, homes = argument.partition("=")
    with_memory, without = map(Path, homes.split(","))
    seeds[seed] = read(with_memory, without)

print("| task | " + " | ".join(f"seed {seed}: with / without" for seed in seeds) + " |")
print("|---|" + "---|" * len(seeds))
for index, first in enumerate(next(iter(seeds.values()))):
    cells = []
    for tasks in seeds.values():
        task = tasks[index]
        here = "not reached" if task.to_cold_level is None else str(task.to_cold_level)
        cells.append(f"{here} / {task.cold_to_level}" if task.cold is not None else "no past yet")
    print(f"| {first.label} | " + " | ".join(cells) + " |")

ratios = []
for seed, tasks in seeds.items():
    later = [task for task in tasks[FIRST:] if task.cold_to_level is not None]
    # A level that was not reached counts as one evaluation more than were spent.
    spent = [task.to_cold_level or len(task.curve) + 1 for task in later]
    needed = [task.cold_to_level or 0 for task in later]
    ratios.append(sum(spent) / sum(needed))
    gains = [task.forward_transfer for task in later if task.forward_transfer is not None]
    missed = sum(task.to_cold_level is None for task in later)
    print(
        f"seed {seed}: tasks {FIRST + 1}-{len(tasks)}: {fmean(spent):.1f} evaluations with memory, {fmean(needed):.1f} "
        f"without, ratio {ratios[-1]:.2f}; {missed} of {len(later)} did not reach the level; "
        f"forward transfer {fmean(gains):+.2f} points"
    )
print(f"ratio over {len(ratios)} seeds: mean {np.mean(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")
