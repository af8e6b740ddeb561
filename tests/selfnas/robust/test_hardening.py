"""Networks that are hardened: what training proves, what attacks find, and what hides from gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from agent.stream.training import MOST_RADIUS as STATED_MOST
from selfnas.networks.network import Network, build_network
from selfnas.robust.attack import attack, preference, pushed
from selfnas.robust.hardening import Robustness
from selfnas.robust.margins import certified
from selfnas.robust.region import MOST_RADIUS, Region
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture
from selfnas.training.evaluation import Fidelity
from selfnas.training.outputs import predict
from selfnas.training.training import Examples, TrainingPlan, TrainingResult, train

_CELL = "nb201/c8n1r16t1hg4:|conv3x3~0|+|none~0|none~1|+|none~0|skip~1|none~2|"


def _examples(count: int, *, seed: int) -> Examples:
    """Bright or dark squares on noise; a tenth of the range does not turn one into the other."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 2
    x = torch.rand(count, 1, 8, 8, generator=generator) * 0.3
    x[:, :, 2:6, 2:6] += 0.7 * y.reshape(-1, 1, 1, 1)
    return Examples(x, y)


def _trained(robustness: Robustness | None) -> tuple[Network, TrainingResult]:
    network = build_network(parse_architecture(_CELL), TaskShape(channels=1, size=(8, 8), classes=2), seed=0)
    plan = TrainingPlan(learning_rate=5e-3, weight_decay=0.0, label_smoothing=0.0, robustness=robustness)
    training, validation = _examples(256, seed=1), _examples(64, seed=2)
    return network, train(network, training, validation, plan, Fidelity(name="full", steps=200), seed=0)


@pytest.fixture(scope="module")
def region() -> Region:
    """A tenth of the range of the training inputs."""
    return Region.of(_examples(256, seed=1).x, radius=0.1)


@pytest.fixture(scope="module")
def hardened(region: Region) -> tuple[Network, TrainingResult]:
    """A network trained for what bounds prove."""
    return _trained(Robustness(region=region))


@pytest.fixture(scope="module")
def plain() -> tuple[Network, TrainingResult]:
    """The same network, trained as usual."""
    return _trained(None)


def test_hardened_networks_are_proved_and_plain_ones_are_not(
    hardened: tuple[Network, TrainingResult], plain: tuple[Network, TrainingResult], region: Region
) -> None:
    """On inputs that both answer."""
    held = _examples(100, seed=3)
    for (network, _), least, most in ((hardened, 0.95, 1.0), (plain, 0.0, 0.05)):
        assert float((predict(network, held.x).argmax(1) == held.y).float().mean()) > 0.95
        assert least <= float(certified(network, held.x, held.y, region).float().mean()) <= most


def test_a_hardened_training_is_scored_by_what_is_proved(
    hardened: tuple[Network, TrainingResult], region: Region
) -> None:
    """The curve is the certified share of the validation examples; the best of it is of the weights that are kept."""
    network, result = hardened
    held = _examples(64, seed=2)
    assert result.best == pytest.approx(float(certified(network, held.x, held.y, region).double().mean()))
    assert result.curve[0] < result.best


def test_equal_seeds_harden_equally(hardened: tuple[Network, TrainingResult], region: Region) -> None:
    """To the last bit."""
    _, again = _trained(Robustness(region=region))
    assert again.curve == hardened[1].curve
    assert all(torch.equal(value, again.weights[name]) for name, value in hardened[1].weights.items())


def test_norms_keep_the_moments_that_they_began_with(hardened: tuple[Network, TrainingResult]) -> None:
    """So in use they are the function that was trained."""
    moments = {name: value for name, value in hardened[1].weights.items() if "running" in name}
    assert moments
    assert all(bool((value == float(name.endswith("var"))).all()) for name, value in moments.items())


def test_adversarial_training_withstands_more_than_plain(plain: tuple[Network, TrainingResult], region: Region) -> None:
    """It proves nothing, and is scored by its answers."""
    network, result = _trained(Robustness(region=region, method="adversarial", scored=False))
    held = _examples(64, seed=3)
    withstood = [
        int(attack(each, held.x, held.y, region, seed=torch.Generator().manual_seed(0)).resisted.sum())
        for each in (network, plain[0])
    ]
    assert result.best > 0.95
    assert withstood[0] > 60
    assert withstood[0] >= withstood[1]


def test_attacks_never_turn_what_is_proved(hardened: tuple[Network, TrainingResult], region: Region) -> None:
    """Whatever gradients or the search find, it stays in the region."""
    network, held = hardened[0], _examples(100, seed=4)
    found = attack(network, held.x, held.y, region, seed=torch.Generator().manual_seed(0))
    proved = certified(network, held.x, held.y, region)
    assert not bool((proved & ~found.resisted).any())
    low, high = region.ends(held.x)
    moved = pushed(network, held.x, held.y, (low, high), held.x, steps=5)
    assert bool(((moved >= low) & (moved <= high)).all())
    before, after = (preference(predict(network, x), held.y) for x in (held.x, moved))
    assert bool((after <= before + 1e-5).all())


class _Masking(nn.Module):
    """Answers by a step function of each value, whose gradient is 0 wherever it is asked for."""

    def forward(self, x: Tensor) -> Tensor:
        bright = ((x > 0.5).to(x) + 0 * x)[:, :, 2:6, 2:6].flatten(1).mean(1)
        return torch.stack([0.5 - bright, bright - 0.5], dim=1)


def test_masked_gradients_are_seen() -> None:
    """Gradients turn nothing; the search, which asks for answers alone, turns what lies near the threshold."""
    held = _examples(60, seed=5)
    x = 0.5 + (held.x - held.x.mean()) * 0.1
    region = Region(radius=0.2, low=(0.0,), high=(1.0,))
    found = attack(_Masking(), x, held.y, region, seed=torch.Generator().manual_seed(0), restarts=0)
    assert int(found.clean.sum()) == 60
    assert int(found.by_gradient.sum()) == 0
    assert int(found.masked.sum()) > 50


def test_a_constant_network_is_never_certified() -> None:
    """It would be right about a class whatever happens; of inputs of several classes none counts."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.copy_(torch.tensor([1.0, 0.0]))
    held = _examples(20, seed=6)
    region = Region.of(held.x, radius=0.1)
    assert int(certified(network, held.x, held.y, region).sum()) == 0
    alike = held.rows((held.y == 0).nonzero()[:, 0])
    assert int(certified(network, alike.x, alike.y, region).sum()) == 10


def test_streams_state_radii_that_regions_have() -> None:
    """The limit is said in two places, one of which must not wait for PyTorch."""
    assert STATED_MOST == MOST_RADIUS
