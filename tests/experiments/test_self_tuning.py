"""The measurement of self-tuning: its own arithmetic, and that a policy that is no better is hardly ever confirmed."""

import importlib

import pytest

from selfnas.tables.tabular import synthetic_benchmark

tuning = importlib.import_module("experiments.self-tuning.measure")


def test_share_of_the_gap() -> None:
    """Poor 10, best by hand 2 and tuned 4 on the last task: three quarters; the first task does not count."""
    ends = {tuning.POOR: 10.0, **dict.fromkeys(tuning.HAND_TUNED, 5.0), "surrogate": 2.0, "tuned": 4.0}
    lives = [
        tuning.Lived(policy=name, order=order, regret=((77.0, 77.0), (end, 0.0)), decisions=(), final="")
        for order in (0, 1)
        for name, end in ends.items()
    ]
    assert tuning.gap_closed(lives, first_place=1) == pytest.approx(("surrogate", 0.75, 0.75, 0.75))


def test_a_policy_against_itself_is_hardly_ever_confirmed() -> None:
    """Two of ten trials would be far above five per cent."""
    confirmed, count = tuning.false_confirmations(
        synthetic_benchmark(), simulations=10, tasks=1, budget=60, noise=False
    )
    assert count == 10
    assert confirmed <= 2
