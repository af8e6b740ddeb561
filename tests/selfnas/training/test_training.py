"""Training: deterministic, stops early, keeps the best epoch, and fails without an exception."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from selfnas.networks.network import build_network, inherit
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.training.evaluation import Evaluation, Fidelity
from selfnas.training.outputs import predict
from selfnas.training.schedule import MOST_VALIDATIONS, fit_schedule
from selfnas.training.training import Examples, TrainingPlan, accuracy, train

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


class Scripted(nn.Module):
    """In evaluation, answers rightly on as many of 200 validation examples as a script says; `turn` counts epochs."""

    def __init__(self, right: Sequence[int], y: Tensor) -> None:
        super().__init__()
        self.layer, self.right, self.y = nn.Linear(64, 10), right, y
        self.register_buffer("turn", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of training, or the scripted answers."""
        if self.training:
            out: Tensor = self.layer(x.flatten(1))
            return out
        answers = torch.where(torch.arange(200) < self.right[int(self.turn)], self.y, (self.y + 1) % 10)
        self.turn += 1
        return nn.functional.one_hot(answers, 10).float()


# Of 200; chance is 20 on these labels. Epochs of 10 steps, so that warm-up takes one in ten.
@pytest.mark.parametrize(
    ("right", "epochs", "kept"),
    [
        ([20] * 20, 20, 20),  # flat at chance: goes on, and keeps the last weights
        ([20, 15, 14, 13, 12, 11, 30, 10, 10, 50], 9, 7),  # patience is not lost before anything is learned
        ([90, 90, 90, 90, 90, 90, 90, 90, 90, 90], 10, 10),  # ties are no lack of improvement
        ([90, 80, 90, 80, 80, 91, 91, 91, 91, 91], 5, 3),  # of equals the latest is kept
        ([90, 80, 85, 99], 3, 1),  # two that were worse
    ],
)
def test_patience_is_lost_by_what_is_worse(
    digits: tuple[Examples, Examples], right: list[int], epochs: int, kept: int
) -> None:
    """A flat curve does not end a training, and does not keep the weights of its first epoch."""
    model = Scripted(right, digits[1].y)
    fidelity = Fidelity(name="full", epochs=len(right), patience=2)
    result = train(model, *digits, TrainingPlan(batch_size=40), fidelity, seed=0)
    assert result.curve == tuple(count / 200 for count in right[:epochs])
    assert (model.turn, result.best_step) == (kept, 10 * kept)


def test_patience_is_not_lost_during_warm_up(digits: tuple[Examples, Examples]) -> None:
    """Forty epochs in twenty parts: the first two are warm-up."""
    model = Scripted([90, 10, 90, 10, 10, *[99] * 15], digits[1].y)
    result = train(model, *digits, TrainingPlan(batch_size=8), Fidelity(name="full", epochs=40, patience=1), seed=0)
    assert len(result.curve) == 4


@pytest.mark.parametrize(
    ("fidelity", "examples", "steps", "validations"),
    [
        (Fidelity(name="low", epochs=3), 6400, 300, 3),
        (Fidelity(name="low", epochs=3, steps=120), 6400, 300, 3),
        (Fidelity(name="low", epochs=3, steps=120), 30, 120, 4),
        (Fidelity(name="low", steps=400), 30, 400, 16),
        (Fidelity(name="low", steps=3), 30, 3, 3),
        (Fidelity(name="low", epochs=3, steps=120, max_steps=150), 6400, 150, 4),
        (Fidelity(name="full", epochs=100), 640, 1000, MOST_VALIDATIONS),
    ],
)
def test_budgets_are_in_steps(fidelity: Fidelity, examples: int, steps: int, validations: int) -> None:
    """At least and at most so many, whatever the epochs come to; validated a bounded number of times."""
    schedule = fit_schedule(fidelity, examples, batch_size=64)
    assert (schedule.steps, len(schedule.parts)) == (steps, validations)
    factors = [schedule.factor(step) for step in range(steps + 1)]
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top + 1 :] == sorted(factors[top + 1 :], reverse=True)
    assert max(factors) == 1
    assert factors[-1] == pytest.approx(0, abs=1e-9)
    assert top + 1 <= max(2, steps // 10)


def test_thirty_examples_are_trained_on_for_as_many_steps_as_wanted() -> None:
    """Every epoch passes over each of them once, in batches of which none has a single example."""
    seen: list[Tensor] = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    model.register_forward_hook(lambda module, x, _: seen.append(x[0][:, 0]) if module.training else None)
    data = Examples(torch.arange(30.0).view(-1, 1).repeat(1, 4), torch.arange(30) % 3)
    train(model, data, data, TrainingPlan(batch_size=8), Fidelity(name="low", epochs=1, steps=40), seed=0)
    assert len(seen) == 40
    assert min(map(len, seen)) > 1
    for start in range(0, 40, 4):
        assert sorted(torch.cat(seen[start : start + 4]).tolist()) == list(range(30))


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
    from selfnas.training.training import _Parts, _Pool

    examples = Examples(torch.zeros(count, 1), torch.zeros(count, dtype=torch.int64))
    schedule = fit_schedule(Fidelity(name="low", epochs=1), count, batch_size=64)
    (part,) = _Parts(_Pool([examples], 1.0, 0), schedule, torch.Generator())
    sizes = [len(batch) for batch in part]
    assert sum(sizes) == count
    assert min(sizes) >= 2
    assert max(sizes) <= 97


@pytest.mark.parametrize("count", [3, 5, 7, 11])
def test_batches_of_two_leave_no_single_example(count: int) -> None:
    """As many steps as before; what is left over is joined by the epoch's first example."""
    from selfnas.networks.network import build_network
    from selfnas.spaces.architecture import Macro, TaskShape
    from selfnas.spaces.named import SPACES
    from selfnas.training.training import _Parts, _Pool

    examples = Examples(torch.randn(count, 1, 4, 4), torch.arange(count) % 2)
    fidelity = Fidelity(name="low", epochs=1)
    schedule = fit_schedule(fidelity, count, batch_size=2)
    (part,) = _Parts(_Pool([examples], 1.0, 0), schedule, torch.Generator())
    assert [len(batch) for batch in part] == [2] * ((count + 1) // 2)
    cell = SPACES["nb201"].decode(np.full(6, 3, dtype=np.int8), macro=Macro(channels=4, depth=1, resolution=8))
    model = build_network(cell, TaskShape(channels=1, size=(4, 4), classes=2), seed=0)
    assert not train(model, examples, examples, TrainingPlan(batch_size=2), fidelity, seed=0).failure


@pytest.mark.parametrize("fraction", [1.0, 0.4])
def test_several_sets_are_trained_on_as_one(fraction: float) -> None:
    """Each example once an epoch, with its own label; the same as if they had been put together."""
    whole = Examples(torch.arange(50.0).view(50, 1, 1), torch.arange(50) % 3)
    parts = [
        Examples(whole.x[:20], whole.y[:20]),
        Examples(whole.x[20:23], whole.y[20:23]),
        whole.rows(torch.arange(23, 50)),
    ]
    seen: list[list[Tensor]] = []
    for training in (whole, parts):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, 3))
        held: list[Tensor] = []
        model.register_forward_hook(lambda module, x, _, held=held: held.append(x[0]) if module.training else None)
        fidelity = Fidelity(name="low", epochs=2, fraction=fraction)
        result = train(model, training, None, TrainingPlan(batch_size=8), fidelity, seed=0)
        assert result.curve == ()
        seen.append([*held, *result.weights.values()])
    assert all(torch.equal(one, two) for one, two in zip(*seen, strict=True))
    assert sum(map(len, seen[0][:-2])) == 2 * round(50 * fraction)


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
    with pytest.raises(ValueError, match="epochs or steps"):
        Fidelity(name="x")
    with pytest.raises(ValueError, match="steps <= max_steps, not 9 and 8"):
        Fidelity(name="x", steps=9, max_steps=8)
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


def test_variables_of_a_cluster_change_nothing(
    digits: tuple[Examples, Examples], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks of SLURM are none of this training's business: it is one process."""
    results = []
    for variables in ({}, {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "search", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"}):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        results.append(train(network(), *digits, PLAN, Fidelity(name="low", epochs=1, fraction=0.1), seed=0).curve)
    assert results[0] == results[1]
