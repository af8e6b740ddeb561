"""The rest of `selfnas bench search`: two objectives, and search under a constraint set that admits little."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.gate.domain import SpelledGuardedDomain
from constraints import Guard, load_set
from selfnas.benchmarks.benchmarking import search_table
from selfnas.benchmarks.fronts import search_front
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.strategies import make_strategy
from selfnas.tables.tabular import TabularBenchmark

__all__ = ["STRICT_SET", "latency_column", "search_constrained", "shares_of_front"]

STRICT_SET = """\
set: strict
language: 1
spaces: [nb201, transnas-micro]
rules:
  - id: no-dead-branch
    scope: cell
    require: every edge() is live
    why: measures search under a set that admits little
    message: some operation is dead
  - id: identity-path
    scope: cell
    require: "exists path(input, output) where all op: skip"
    why: measures search under a set that admits little
    message: no path of skips leads from the input to the output
  - id: few-convolutions
    scope: cell
    require: "count(edge(op: conv3x3)) <= 2"
    why: measures search under a set that admits little
    message: more than two 3x3 convolutions
"""


def latency_column(benchmark: TabularBenchmark) -> str:
    """The latency to search for: the Raspberry Pi 4's where the table has it, else a synthetic one, else empty."""
    known = benchmark.columns[benchmark.tasks[0]]
    return next((name for name in ("help_raspi4_ms", "made_up_ms") if name in known), "")


def shares_of_front(benchmark: TabularBenchmark, task: str, *, seeds: int, evaluations: int = 150) -> tuple[float, ...]:
    """Of each seed, the share of the true front's hypervolume that NSGA-II finds (score against latency)."""
    strategy, cost = make_strategy("nsga2"), latency_column(benchmark)
    return tuple(
        search_front(benchmark, task, strategy, cost=cost, seed=seed, evaluations=evaluations) for seed in range(seeds)
    )


def search_constrained(
    benchmark: TabularBenchmark, task: str, strategy: str, *, set_file: Path, seeds: int, longest: int = 300
) -> tuple[tuple[int, ...], int, float]:
    """Search under a constraint set for the best admitted architecture of the table.

    Returns:
        Of each seed, evaluations until it was found (`longest` + 1 if it was not); evaluations of forbidden ones, as
        the plain-Python referee judges them; and the share of the space that is admitted.

    Raises:
        InputError: the set cannot be used, or admits nothing.
    """
    macro, space = Macro(), benchmark.space
    guard = Guard(load_set(set_file), space=space, macro=macro, shape=TaskShape(channels=3, size=(32, 32), classes=10))
    broken = guard.violations(space.enumerate())
    allowed, values = ~broken.any(axis=1), benchmark.column(task, "test")
    if not allowed.any():
        raise InputError(f"{set_file}: nothing is admitted")
    best = float(values[allowed].max())
    found, forbidden = [], 0
    for seed in range(seeds):
        domain = SpelledGuardedDomain(guard, space=benchmark.space, broken=broken, macro=macro)
        needed = longest + 1
        for count, trial in enumerate(
            search_table(benchmark, task, make_strategy(strategy), seed=seed, domain=domain), start=1
        ):
            forbidden += not all(guard.referee.verdicts(trial.architecture))
            if trial.value >= best:
                needed = count
            if count >= longest or trial.value >= best:
                break
        found.append(needed)
    return tuple(found), forbidden, float(np.mean(allowed))
