"""Repeated scores agree as far as architectures differ by more than chance."""

import numpy as np
import pytest

from agent.state.agreement import ENOUGH, FEWEST, rank_agreement


def test_scores_that_repeat_agree_and_noise_does_not() -> None:
    """Wide apart: nearly 1. Chance alone: about 0. Between them the rank correlation of two whole scores."""
    rng = np.random.default_rng(0)
    truth = rng.random(400)
    far, near = truth[:, None] + 0.001 * rng.normal(size=(400, 4)), truth[:, None] + 0.6 * rng.normal(size=(400, 4))
    assert (rank_agreement(far.tolist()) or 0) > 0.99
    assert abs(rank_agreement(rng.random((400, 4)).tolist()) or 0) < 0.2
    again = truth[:, None] + 0.6 * rng.normal(size=(400, 4))
    ranks = [np.argsort(np.argsort(scores.mean(1))) for scores in (near, again)]
    assert rank_agreement(near.tolist()) == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=0.1)


def test_what_cannot_be_told_is_not() -> None:
    """Too few architectures say nothing; equal scores have no ranks; ranks turned about are below any bound."""
    assert rank_agreement([[0.1, 0.2]] * (FEWEST - 1)) is None
    assert rank_agreement([]) is None
    assert rank_agreement([[0.5, 0.5]] * FEWEST) == 0
    turned = rank_agreement([[number, -number] for number in range(FEWEST)])
    assert turned == -1 < ENOUGH
