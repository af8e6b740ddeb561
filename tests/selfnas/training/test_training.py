"""Training: deterministic, stops early, keeps the best epoch, and fails without an exception."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from selfnas.networks.network import build_network, inherit
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.training.evaluation import Evaluation, Fidelity
from selfnas.training.training import Examples, TrainingPlan, accuracy, predict, train

SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)
PLAN = TrainingPlan(learning_rate=8e-3)


@pytest.fixture(scope="module")
def digits() -> tuple[Examples, Examples]:
    """400 training and 200 validation digits."""
    x, y = load_digits(return_X_y=True)
    x = ((x - x.mean()) / x.std()).astype(np.float32).reshape(-1, 1, 8, 8)
    y = y.astype(np.int64)
    return Examples.of(x[:400], y[:400]), Examples.of(x[400:600], y[400:600])


def network(seed: int = 0, space: str = "nb201") -> nn.Module:
    """A small network of convolutions."""
    vector = np.full(6, 3, dtype=np.int8) if space == "nb201" else SPACES[space].draw(np.random.default_rng(1), 1)[0]
    return build_network(SPACES[space].decode(vector, macro=Macro(4, 1, 16)), SHAPE, seed=seed)


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_a_network_learns_digits(digits: tuple[Examples, Examples], space: str) -> None:
    """A few epochs reach far above chance, and the network is left with the weights of its best epoch."""
    model, epochs = network(space=space), 16 if space == "nb201" else 8
    result = train(model, *digits, PLAN, Fidelity(name="full", epochs=epochs), seed=0)
    assert not result.failure
    assert result.best > 0.5
    assert len(result.curve) == epochs
    assert accuracy(model, digits[1]) == pytest.approx(result.best)
    assert not model.training


def test_equal_seeds_train_to_equal_weights(digits: tuple[Examples, Examples]) -> None:
    """Bit for bit, whatever the global generator was doing; another seed differs."""
    weights = []
    for seed, noise in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(noise)
        weights.append(train(network(), *digits, PLAN, Fidelity(name="low", epochs=1), seed=seed).weights)
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_patience_stops_early(digits: tuple[Examples, Examples]) -> None:
    """With a learning rate of nearly nothing the first epoch stays best and training ends after the patience."""
    plan = TrainingPlan(learning_rate=1e-9)
    model = network()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    result = train(model, *digits, plan, Fidelity(name="full", epochs=30, patience=2), seed=0)
    assert len(result.curve) == 3


def test_a_fraction_of_the_data_is_what_is_used(digits: tuple[Examples, Examples]) -> None:
    """The network sees a tenth of the examples each epoch."""
    seen: list[int] = []
    model = network()
    model.register_forward_hook(lambda module, x, _: seen.append(len(x[0])) if module.training else None)
    train(model, *digits, PLAN, Fidelity(name="low", epochs=2, fraction=0.1), seed=0)
    assert sum(seen) == 2 * 40


@pytest.mark.parametrize("count", [2, 3, 63, 64, 65, 97, 129])
def test_no_batch_has_a_single_example(count: int) -> None:
    """Batch norm cannot train on one example, so a leftover joins the batch before."""
    from selfnas.training.training import _Batches

    examples = Examples(torch.zeros(count, 1), torch.zeros(count, dtype=torch.int64))
    sizes = [len(y) for _, y in _Batches(examples, 64, torch.Generator())]
    assert sum(sizes) == count
    assert min(sizes) >= 2
    assert max(sizes) <= 97


class Diverging(nn.Module):
    """Gives NaN after a few calls."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """Fine at first."""
        self.calls += 1
        out: Tensor = self.layer(x.flatten(1))
        return out * (math.nan if self.calls > 3 else 1.0)


class Hungry(nn.Module):
    """Asks for more memory than there is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Never returns."""
        return self.layer(x.flatten(1)) + torch.empty(2**60)


@pytest.mark.parametrize(("model", "reason"), [(Diverging(), "diverged"), (Hungry(), "out of memory")])
def test_a_failed_training_is_an_outcome(digits: tuple[Examples, Examples], model: nn.Module, reason: str) -> None:
    """NaN and lack of memory give a reason and no weights."""
    result = train(model, *digits, PLAN, Fidelity(name="full", epochs=3), seed=0)
    assert reason in result.failure
    assert not result.weights


def test_another_error_is_not_swallowed(digits: tuple[Examples, Examples]) -> None:
    """A network that does not fit the data is a mistake, not a failed candidate."""
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(nn.Sequential(nn.Flatten(), nn.Linear(7, 10)), *digits, PLAN, Fidelity(name="x", epochs=1), seed=0)


def test_prediction_does_not_depend_on_batch_size(digits: tuple[Examples, Examples]) -> None:
    """Evaluation mode, no gradients, any batch size."""
    model = network()
    many, few = (predict(model, digits[1].x, batch_size=size) for size in (256, 7))
    torch.testing.assert_close(many, few, rtol=1e-4, atol=1e-5)
    assert not many.requires_grad


def test_impossible_values_cannot_be_made() -> None:
    """Fidelities and evaluations check themselves."""
    with pytest.raises(ValueError, match="fraction"):
        Fidelity(name="x", epochs=1, fraction=0.0)
    with pytest.raises(ValueError, match="either a score or a reason"):
        Evaluation(score=None)
    with pytest.raises(ValueError, match="finite"):
        Evaluation(score=math.nan)


def test_a_child_inherits_what_it_shares_with_its_parent() -> None:
    """The stem, the head and equal edges; an edge with another operation stays fresh."""
    shape = TaskShape(channels=1, size=(8,), classes=2)
    one, two = (
        parse_architecture(f"nb201/c2n1r8:|conv3x3~0|+|none~0|none~1|+|skip~0|{name}~1|none~2|")
        for name in ("conv1x1", "conv3x3")
    )
    parent, child, fresh = build_network(one, shape, seed=1), *(build_network(two, shape, seed=2) for _ in range(2))
    share = inherit(child, parent.state_dict())
    assert 0.5 < share < 1
    taken, was, given = child.state_dict(), fresh.state_dict(), parent.state_dict()
    for name, value in taken.items():
        assert torch.equal(value, given.get(name, was[name]))
    assert any("1_3_conv3x3" in name and name not in given for name in taken)
    assert inherit(fresh, {}) == 0
