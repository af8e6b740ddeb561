"""Fronts against plain loops, who survives, and a search that approaches a known front."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.errors import ShapeError
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.strategies import Strategy, make_strategy
from selfnas.strategies.nsga2 import Nsga2, front_numbers
from selfnas.tables.tabular import synthetic_benchmark

TABLE = synthetic_benchmark()
DOMAIN = SpaceDomain(TABLE.space, Macro())


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_equal_peeling_by_loops(objectives: int) -> None:
    """Peel off what nothing left dominates, again and again; ties included."""
    points = np.random.default_rng(objectives).integers(0, 6, (60, objectives)).astype(float)
    left, expected, number = set(range(60)), np.empty(60, int), 0
    while left:
        front = {i for i in left if not any(all(points[j] >= points[i]) and any(points[j] > points[i]) for j in left)}
        for i in front:
            expected[i] = number
        left, number = left - front, number + 1
    assert np.array_equal(front_numbers(points), expected)


def test_the_crowded_go_first() -> None:
    """Of one front of four, the one whose neighbours are nearest falls out; ends never do."""
    strategy = Nsga2(population=3)
    points = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [10.0, 0.0]])
    assert set(strategy._survivors(points).tolist()) == {0, 2, 3}


def front_area(strategy: Strategy, seed: int) -> float:
    """Area that 80 trials dominate, of score against latency."""
    score, cost = TABLE.column("a", "test"), TABLE.column("a", "made_up_ms")
    trials: list[Trial] = []
    while len(trials) < 80:
        for a in strategy(trials, DOMAIN, 4, np.random.default_rng([seed, len(trials)])):
            row = TABLE.rows(TABLE.space.encode(a)[None])[0]
            trials.append(
                Trial(architecture=a, score=float(score[row]), objectives=(float(score[row]), -float(cost[row])))
            )
    points = sorted({trial.objectives for trial in trials}, reverse=True)
    area, worst = 0.0, -float(cost.max())
    reached = worst
    for value, negative in points:
        if negative > reached:
            area, reached = area + value * (negative - reached), negative
    return area


def test_larger_front_than_random_for_equal_evaluations() -> None:
    """Mean over six seeds of the area dominated."""
    nsga, control = make_strategy("nsga2"), make_strategy("random")
    assert np.mean([front_area(nsga, s) for s in range(6)]) > np.mean([front_area(control, s) for s in range(6)])


def test_trials_with_different_objectives_are_refused() -> None:
    """Two objectives beside one cannot be compared."""
    strategy = make_strategy("nsga2", {"population": 2})
    architectures = make_strategy("random")([], DOMAIN, 2, np.random.default_rng(0))
    history = [
        Trial(architecture=a, score=0.5, objectives=o) for a, o in zip(architectures, [(0.5, 1.0), ()], strict=True)
    ]
    with pytest.raises(ShapeError, match=r"trials have \[1, 2\] objectives"):
        strategy(history, DOMAIN, 1, np.random.default_rng(0))
