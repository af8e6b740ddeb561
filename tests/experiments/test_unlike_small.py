"""Evaluations until a level is reached, as the experiment with unlike small tasks counts them."""

import importlib
import math

import pytest

measure = importlib.import_module("experiments.unlike-small.measure")


def searched(*scores: float | None, spent: int = 6) -> object:
    """A search with these scores."""
    origins = ["searched"] * len(scores)
    return measure.Searched(
        task="t", kind="tabular", known=0, scores=list(scores), origins=origins, spent=spent, test=None
    )


def compared(one: object, other: object, *, best: float, seed: int = 0) -> object:
    """Two searches of one task."""
    return measure.Compared(seed=seed, one=one, other=other, best=best)


def test_a_level_that_is_missed_counts_one_more_than_was_spent() -> None:
    """A failed evaluation reaches nothing, and counts."""
    search = measure.Searched(
        task="t", kind="series", known=1, scores=[None, 0.4, 0.9], origins=["searched"] * 3, spent=4, test=0.5
    )
    assert [search.needed(level) for level in (0.3, 0.9, 0.95)] == [2, 3, 5]
    assert (search.first, search.best) == (0.4, 0.9)


def test_a_level_lies_below_the_best_whatever_its_sign() -> None:
    """R² can be negative, and 99 % of a negative number is above it."""
    search = searched(0.5)
    assert compared(search, search, best=0.8).level(0.99) == pytest.approx(0.792)  # type: ignore[attr-defined]
    assert compared(search, search, best=-0.8).level(0.99) == pytest.approx(-0.808)  # type: ignore[attr-defined]


def test_ratios_are_of_geometric_means_over_seeds() -> None:
    """One seed needs a quarter of the evaluations, the other as many: a half, between a quarter and one."""
    early, late = searched(1.0), searched(0.1, 0.1, 0.1, 1.0)
    pairs = [compared(early, late, best=1.0), compared(late, late, best=1.0, seed=1)]
    logs = [measure._log_ratio(pair, 0.99) for pair in pairs]
    assert measure._ratio(logs, [0, 1]).startswith("0.50 [")
    assert [math.exp(bound) for bound in measure._bootstrap(logs, [0, 1])] == pytest.approx([0.25, 1.0])
