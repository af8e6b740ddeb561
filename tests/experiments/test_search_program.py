"""The measurement of search programs: its independent check of rules, and its own arithmetic."""

import importlib

import numpy as np

from selfnas.acquisition.expression import ATOMS
from selfnas.acquisition.parser import parse_program
from selfnas.models.gaussian_process import expected_improvement

measured = importlib.import_module("experiments.search-program.measure")


def test_a_dense_sample_finds_each_rule_broken() -> None:
    """And none where none is."""
    rng = np.random.default_rng(0)
    points = {name: rng.uniform(kind.low, kind.high, size=2000) for name, kind in ATOMS.items()}

    improvement = measured.expected(points["mean"] - points["incumbent"], points["spread"])

    def broken(text: str) -> list[str]:
        found: list[str] = measured.breaks(parse_program(text), points, improvement)
        return found

    assert broken("max(mean - incumbent, 0) + 0.4 * spread") == []
    assert broken("max(mean - incumbent, 0) + 0.1 * abs(mean)") == ["never-worse-mean"]
    assert broken("max(mean - incumbent, 0) + 4 * spread") == ["small-program-steps"]
    assert broken("4 * mean - 4 * spread") == ["bounded-program", "small-program-steps"]


def test_improvement_by_quadrature_is_that_of_the_strategies() -> None:
    """Two ways to one number, near enough for a bound of three."""
    rng = np.random.default_rng(1)
    gap, spread = rng.uniform(-8, 4, size=200), rng.uniform(0.01, 1, size=200)
    found = measured.expected(gap, spread)
    np.testing.assert_allclose(found, expected_improvement(gap, spread, 0.0), atol=0.02)


def test_ratios_and_rules() -> None:
    """A ratio of means with its interval; the rules that speak of programs."""
    assert measured.ratio(np.array([10.0, 20.0]), np.array([20.0, 40.0])) == "0.50 [0.50, 0.50]"
    assert [rule.id for rule in measured.program_rules().rules] == [
        "never-worse-mean", "bounded-program", "small-program-steps",
    ]  # fmt: skip
    assert [rule.id for rule in measured.program_rules("bounded-program").rules] == ["bounded-program"]
