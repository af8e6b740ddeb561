"""Shares of a true front."""

import numpy as np
import pytest

from selfnas.benchmarks.fronts import hypervolume_share, search_front
from selfnas.errors import ShapeError
from selfnas.strategies import make_strategy
from selfnas.strategies.nsga2 import Nsga2
from selfnas.tables.tabular import synthetic_benchmark

SQUARE = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])


def test_shares_by_hand() -> None:
    """Each corner covers 1.1 x 0.1, both together 2 x 0.11 - 0.01 = 0.21; the third point adds nothing to that."""
    assert hypervolume_share(SQUARE, SQUARE) == pytest.approx(1.0)
    assert hypervolume_share(SQUARE[:1], SQUARE) == pytest.approx(0.11 / 0.21)
    assert hypervolume_share(SQUARE[2:], SQUARE) == pytest.approx(0.01 / 0.21)
    assert hypervolume_share(SQUARE[:0], SQUARE) == 0.0


def test_points_beyond_the_reference_count_nothing() -> None:
    """A point far worse than the front has no share."""
    everything = np.concatenate([SQUARE, [[-5.0, -5.0]]])
    assert hypervolume_share(everything[3:], everything) == 0.0


def test_wrong_shapes_are_refused() -> None:
    """Points of other objectives cannot be compared."""
    with pytest.raises(ShapeError):
        hypervolume_share(SQUARE[:, :1], SQUARE)


def test_nsga2_finds_more_of_the_front_than_random_draws() -> None:
    """On the made-up table, the same evaluations."""
    table = synthetic_benchmark()
    shares = {
        name: np.mean([
            search_front(table, "a", strategy, cost="made_up_ms", seed=seed, evaluations=100) for seed in range(3)
        ])
        for name, strategy in {"nsga2": Nsga2(population=20), "random": make_strategy("random")}.items()
    }  # fmt: skip
    assert shares["nsga2"] > shares["random"]
