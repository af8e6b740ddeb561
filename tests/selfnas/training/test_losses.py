"""A loss for each kind of target: least where the outputs say what is asked."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from selfnas.data.targets import Target
from selfnas.training.evaluation import Fidelity
from selfnas.training.losses import balanced_weights, constant_outputs, loss_for
from selfnas.training.training import Examples, Goal, TrainingPlan, train

CLASSES = Target.of_classes(3)
LABELS = Target(kind="multilabel", names=("a", "b"))
ORDERED = Target(kind="ordinal", names=("low", "mid", "high"))
NUMBER = Target(kind="regression", names=("price",), center=(0.0,), scale=(1.0,))
QUANTILES = Target(kind="regression", names=("price",), center=(0.0,), scale=(1.0,), quantiles=(0.1, 0.5, 0.9))


@pytest.mark.parametrize(
    ("target", "y", "right", "wrong"),
    [
        (CLASSES, torch.tensor([2]), [[-9.0, -9.0, 9.0]], [[9.0, -9.0, -9.0]]),
        (LABELS, torch.tensor([[1.0, 0.0]]), [[9.0, -9.0]], [[9.0, 9.0]]),
        (ORDERED, torch.tensor([1]), [[9.0, -9.0]], [[9.0, 9.0]]),
        (NUMBER, torch.tensor([[0.5]]), [[0.5]], [[0.7]]),
        (QUANTILES, torch.tensor([[0.5]]), [[0.5, 0.5, 0.5]], [[0.1, 0.5, 0.9]]),
    ],
)
def test_what_is_right_costs_least(
    target: Target, y: Tensor, right: list[list[float]], wrong: list[list[float]]
) -> None:
    """Next to nothing, and less than what is wrong."""
    loss = loss_for(target)
    best, worse = (float(loss(torch.tensor(outputs), y)) for outputs in (right, wrong))
    assert best < 0.01 < worse


def test_losses_are_those_of_the_field() -> None:
    """Numbers computed by hand."""
    outputs, y = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0])
    whole = math.log(math.e + 2)
    assert float(loss_for(None)(outputs, y)) == pytest.approx(whole - 1)
    assert float(loss_for(CLASSES, smoothing=0.3)(outputs, y)) == pytest.approx(whole - 0.8)
    assert float(loss_for(QUANTILES)(torch.zeros(1, 3), torch.tensor([[1.0]]))) == pytest.approx(0.5)
    assert float(loss_for(NUMBER)(torch.zeros(1, 1), torch.tensor([[3.0]]))) == pytest.approx(4.5)
    assert float(loss_for(NUMBER, metric="mae")(torch.zeros(1, 1), torch.tensor([[3.0]]))) == pytest.approx(2.5)
    two, labels = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    assert float(loss_for(LABELS, weights=(3.0, 1.0))(two, labels)) == pytest.approx(2 * math.log(2))
    pair = loss_for(CLASSES, weights=(3.0, 1.0, 1.0))(outputs.repeat(2, 1), torch.tensor([0, 1]))
    assert float(pair) == pytest.approx((3 * (whole - 1) + whole) / 4)


def test_rare_classes_weigh_as_much_as_frequent_ones() -> None:
    """Each class in sum the same; at most 20; labels by their rarer side; numbers not at all."""
    y = np.array([0] * 6 + [1] * 3 + [2])
    weights = balanced_weights(y, CLASSES)
    assert np.allclose(np.bincount(y) * np.array(weights), 10 / 3, atol=1e-5)
    assert balanced_weights(np.array([0] * 100 + [1]), Target.of_classes(2))[1] == 20
    assert balanced_weights(np.array([[1, 0], [0, 0], [0, 0], [0, 1]], dtype=np.float32), LABELS) == (3.0, 3.0)
    assert balanced_weights(np.zeros((4, 1), dtype=np.float32), NUMBER) == ()


@pytest.mark.parametrize("target", [CLASSES, LABELS, ORDERED, NUMBER, QUANTILES])
def test_networks_learn_every_kind_of_target(target: Target) -> None:
    """Far above what looks at no example, from which patience counts."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(240, 1, 6, generator=draw)
    signal = x[:, 0, 0] - x[:, 0, 1]
    y = {
        "classification": (signal > -0.6).long() + (signal > 0.6).long(),
        "ordinal": (signal > -0.6).long() + (signal > 0.6).long(),
        "multilabel": torch.stack([signal > 0, x[:, 0, 2] > 0], 1).float(),
        "regression": (signal / signal.std()).unsqueeze(1),
    }[target.kind]
    training, held = Examples(x[:160], y[:160]), Examples(x[160:], y[160:])
    goal = Goal(target=target, inputs="series")
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, target.outputs))
    plan = TrainingPlan(batch_size=32, learning_rate=2e-2)
    result = train(model, training, held, plan, Fidelity(name="full", steps=150), seed=0, goal=goal)
    chance = goal.chance(training.y, held.y)
    assert constant_outputs(training.y, target).shape == (target.outputs,)
    assert result.best > chance + 0.1
