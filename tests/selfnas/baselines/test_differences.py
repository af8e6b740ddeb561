"""Differences by any metric: as often covered as they say, and turned with the order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfnas.baselines.differences import metric_difference
from selfnas.data.targets import Target
from selfnas.training.metrics import measure

PRICE = Target(kind="regression", names=("price",), center=(10.0,), scale=(2.0,))
TAGS = Target(kind="multilabel", names=("sea", "sky"))


def sample(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two predictions of a number, with errors of different size that are alike in part; and the number."""
    rng = np.random.default_rng(seed)
    y, shared = rng.normal(size=(count, 1)), rng.normal(size=(count, 1))
    first = y + 0.4 * shared + 0.3 * rng.normal(size=(count, 1))
    second = y + 0.4 * shared + 0.5 * rng.normal(size=(count, 1))
    return torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(y).float()


@pytest.mark.parametrize("metric", ["mae", "r2"])
def test_an_interval_holds_the_true_difference_as_often_as_it_says(metric: str) -> None:
    """Of a mean of losses, and of a ratio of means."""
    first, second, y = sample(0, 200_000)
    true = metric_difference(metric, first, second, y, PRICE).estimate
    held, rounds = 0, 60
    for seed in range(1, rounds + 1):
        found = metric_difference(metric, *sample(seed, 100), PRICE)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    assert held / rounds > 0.88


def test_more_is_better_whatever_the_metric() -> None:
    """A lower loss is a gain, and the first without the second is a loss."""
    first, second, y = sample(0, 2000)
    for metric in ("mae", "rmse", "r2"):
        one = metric_difference(metric, first, second, y, PRICE)
        other = metric_difference(metric, second, first, y, PRICE)
        assert one.low is not None
        assert one.low > 0
        assert (one.estimate, one.low) == pytest.approx((-other.estimate, -(other.high or 0)))
        apart = measure(metric, first, y, PRICE).estimate - measure(metric, second, y, PRICE).estimate
        assert one.estimate == pytest.approx(abs(apart))


def test_few_examples_have_no_interval_and_equal_answers_no_width() -> None:
    """Also of labels, some of which a group may hold alone."""
    y = torch.tensor([[1.0, 0.0], [0.0, 0.0]] * 20)
    given = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    found = metric_difference("auroc", given, given, y, TAGS)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    few = metric_difference("auroc", given[:10], given[:10], y[:10], TAGS)
    assert (few.low, few.high) == (None, None)
