"""Each proxy equals its definition, worked out here a second time by slow means that share no code with it."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas.errors import InputError
from selfnas.networks.costs import costs
from selfnas.networks.network import Network, build_network
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.training.proxies import PROXIES, proxy_scores

CELLS = {
    "nb201": "|conv3x3~0|+|none~0|skip~1|+|skip~0|conv1x1~1|avg3~2|",
    "darts": "|sep3x3~0|skip~1|+|max3~0|dil3x3~2|+|skip~0|avg3~1|+|sep5x5~3|skip~2|;" * 2,
}


def made(space: str = "nb201", size: tuple[int, ...] = (6, 6), classes: int = 3) -> tuple[Network, Tensor, Tensor]:
    """A tiny network in float64 with four examples."""
    architecture = SPACES[space].parse_cells(CELLS[space].strip(";"), macro=Macro(channels=2, depth=1, resolution=8))
    shape = TaskShape(channels=2, size=size, classes=classes)
    random = torch.Generator().manual_seed(1)
    x = torch.randn((4, 2, *size), generator=random, dtype=torch.float64)
    return build_network(architecture, shape, seed=3).double(), x, torch.tensor([0, 1, 2, 1])


def weights(network: nn.Module) -> list[nn.Parameter]:
    """Of convolutions and linear layers: the parameters with more than one axis."""
    return [parameter for parameter in network.parameters() if parameter.ndim > 1]


def values(network: nn.Module) -> list[Tensor]:
    """The same as plain numbers."""
    return [weight.detach() for weight in weights(network)]


def loss(network: nn.Module, x: Tensor, y: Tensor) -> float:
    """Cross entropy in training mode, spelled out."""
    with torch.no_grad():
        logits = network(x)
        return float((logits.exp().sum(dim=1).log() - logits[range(len(y)), y]).mean())


def numeric_gradients(network: nn.Module, x: Tensor, y: Tensor) -> list[Tensor]:
    """Central differences for every single weight."""
    found = []
    for weight in weights(network):
        flat, gradient = weight.data.view(-1), torch.empty(weight.numel(), dtype=torch.float64)
        for index in range(len(flat)):
            old = float(flat[index])
            flat[index] = old + 1e-6
            above = loss(network, x, y)
            flat[index] = old - 1e-6
            gradient[index] = (above - loss(network, x, y)) / 2e-6
            flat[index] = old
        found.append(gradient.view_as(weight))
    return found


@pytest.mark.parametrize("size", [(6, 6), (9,)])
def test_gradient_norm_and_snip_by_finite_differences(size: tuple[int, ...]) -> None:
    """Sum of the layers' gradient norms; sum of |weight x gradient|."""
    network, x, y = made(size=size)
    gradients = numeric_gradients(copy.deepcopy(network).train(), x, y)
    norm = sum(math.sqrt(float((g**2).sum())) for g in gradients)
    snip = sum(float((w * g).abs().sum()) for w, g in zip(values(network), gradients, strict=True))
    assert PROXIES["grad_norm"](network, x, y) == pytest.approx(norm, rel=1e-4)
    assert PROXIES["snip"](network, x, y) == pytest.approx(snip, rel=1e-4)


def test_grasp_by_finite_differences_of_gradients() -> None:
    """Hessian times gradient is how the gradient changes along itself."""
    network, x, y = made()

    def gradients(net: nn.Module) -> list[Tensor]:
        return list(torch.autograd.grad(functional.cross_entropy(net.train()(x), y), weights(net)))

    flow = gradients(copy.deepcopy(network))
    ahead, behind = copy.deepcopy(network), copy.deepcopy(network)
    for sign, net in ((1, ahead), (-1, behind)):
        for weight, g in zip(weights(net), flow, strict=True):
            weight.data += sign * 1e-6 * g
    products = [(a - b) / 2e-6 for a, b in zip(gradients(ahead), gradients(behind), strict=True)]
    expected = -sum(float((w * hg).sum()) for w, hg in zip(values(network), products, strict=True))
    assert PROXIES["grasp"](network, x, y) == pytest.approx(expected, rel=1e-3)


def test_fisher_by_scaling_every_channel() -> None:
    """Activation times gradient, summed over positions, is the slope of the loss under scaling that channel."""
    network, x, y = made()
    expected = 0.0
    for name, module in network.named_modules():
        if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            continue
        channels = module.weight.shape[0]
        for channel in range(channels):
            slopes = []
            for example in range(len(x)):
                losses = []
                for step in (1e-5, -1e-5):
                    net = copy.deepcopy(network).train()

                    def scale(
                        _m: nn.Module,
                        _i: object,
                        out: Tensor,
                        s: float = step,
                        at: tuple[int, int] = (example, channel),
                    ) -> Tensor:
                        changed = out.clone()
                        changed[at] *= 1 + s
                        return changed

                    net.get_submodule(name).register_forward_hook(scale)
                    losses.append(loss(net, x, y))
                slopes.append((losses[0] - losses[1]) / 2e-5)
            expected += 0.5 * float(np.mean(np.square(slopes)))
    assert PROXIES["fisher"](network, x, y) == pytest.approx(expected, rel=1e-4)


def test_synflow_by_removing_every_weight() -> None:
    """The output is affine in each weight, so weight x gradient is what its removal costs."""
    network, x, y = made()
    net = copy.deepcopy(network)
    for module in net.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Sequential())
    for parameter in net.parameters():
        parameter.data.abs_()
    ones = torch.ones_like(x[:1])

    def flow() -> float:
        with torch.no_grad():
            return float(net(ones).sum())

    whole, expected = flow(), 0.0
    for weight in weights(net):
        flat = weight.data.view(-1)
        for index in range(len(flat)):
            old = float(flat[index])
            flat[index] = 0
            expected += abs(whole - flow())
            flat[index] = old
    assert PROXIES["synflow"](network, x, y) == pytest.approx(expected, rel=1e-9)


def test_naswot_by_counting_equal_switches() -> None:
    """The kernel counts, for each two examples, the units that both have on or both have off."""
    network, x, y = made()
    seen: list[np.ndarray] = []
    net = copy.deepcopy(network).train()
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _m, _i, out: seen.append(out.detach().numpy() > 0))
    net(x)
    kernel = np.zeros((4, 4))
    for i, j in itertools.product(range(4), repeat=2):
        kernel[i, j] = sum(int((layer[i] == layer[j]).sum()) for layer in seen)
    assert PROXIES["naswot"](network, x, y) == pytest.approx(math.log(np.linalg.det(kernel)), rel=1e-9)


def test_jacov_by_one_input_gradient_at_a_time() -> None:
    """Eigenvalues of the correlation of the input gradients of the summed output, by central differences."""
    network, x, y = made()
    net = copy.deepcopy(network).train()
    rows = np.empty((4, x[0].numel()))
    for example, index in itertools.product(range(4), range(x[0].numel())):
        totals = []
        for step in (1e-6, -1e-6):
            moved = x.clone()
            moved[example].view(-1)[index] += step
            with torch.no_grad():
                totals.append(float(net(moved).sum()))
        rows[example, index] = (totals[0] - totals[1]) / 2e-6
    eigenvalues = np.linalg.eig(np.corrcoef(rows))[0].real
    expected = -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in eigenvalues)
    assert PROXIES["jacov"](network, x, y) == pytest.approx(expected, rel=1e-3)


def test_zen_follows_the_authors_steps() -> None:
    """Gaussian weights, two forward passes, log of the move plus log of each norm's running deviation."""
    network, x, y = made()
    net = copy.deepcopy(network).train()
    random = torch.Generator().manual_seed(0)
    for layer in (m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))):
        layer.weight.data = torch.randn(layer.weight.shape, generator=random, dtype=torch.float64)
    one = torch.randn(x.shape, generator=random, dtype=torch.float64)
    two = one + 0.01 * torch.randn(x.shape, generator=random, dtype=torch.float64)

    def features(given: Tensor) -> Tensor:
        out = [net.stem(given)]
        for block in net.blocks:
            out.append(block(out[-1]))
        net.head_norm(out[-1])
        return out[-1].detach()

    move = (features(one) - features(two)).abs().sum(dim=(1, 2, 3)).mean()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    expected = math.log(move) + sum(math.log(math.sqrt(float(m.running_var.mean()))) for m in norms)
    assert PROXIES["zen"](network, x, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("space", ["nb201", "darts"])
@pytest.mark.parametrize("size", [(8, 8), (16,)])
def test_params_and_macs_equal_the_formula(space: str, size: tuple[int, ...]) -> None:
    """Counting on the built network and the cost formula agree."""
    network, x, y = made(space, size=size)
    architecture = SPACES[space].parse_cells(CELLS[space].strip(";"), macro=Macro(channels=2, depth=1, resolution=8))
    spent = costs(architecture, network.shape)
    assert proxy_scores(network, x, y, ("params", "macs")) == {"params": spent.params, "macs": spent.macs}


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_together_as_alone_and_the_network_is_left_as_it_was(space: str) -> None:
    """One call for all gives the same numbers; weights, statistics, mode, hooks and global randomness stay."""
    network, x, y = made(space, size=(8, 8))
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.random.get_rng_state()
    together = proxy_scores(network, x, y, tuple(PROXIES))
    alone = {name: proxy(network, x, y) for name, proxy in PROXIES.items()}
    assert together == pytest.approx(alone, rel=1e-9)
    assert list(together) == list(PROXIES)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(random, torch.random.get_rng_state())
    assert not network.training
    assert all(not m._forward_hooks for m in network.modules())
    assert all(p.grad is None for p in network.parameters())


def test_identical_examples_have_no_naswot() -> None:
    """Examples that no unit tells apart give minus infinity, not an exception."""
    network, x, y = made()
    assert PROXIES["naswot"](network, x[:1].repeat(4, 1, 1, 1), y) == -math.inf


def test_linear_networks_have_numbers_or_minus_infinity() -> None:
    """A module without rectifiers or norms still gets every proxy."""
    linear: Callable[[], nn.Module] = lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3)).double()  # noqa: E731
    _, x, y = made()
    scores = proxy_scores(linear(), x, y, tuple(PROXIES))
    assert not any(math.isnan(score) for score in scores.values())


def test_unknown_proxies_are_refused() -> None:
    """The message suggests the nearest name."""
    network, x, y = made()
    with pytest.raises(InputError, match="unknown proxy 'sinflow'; did you mean 'synflow'"):
        proxy_scores(network, x, y, ("sinflow",))


def test_a_network_that_ignores_its_input_has_numbers_or_minus_infinity() -> None:
    """A cell without any path computes a constant: no proxy breaks, and those that look at the input say so."""
    empty = parse_architecture("nb201/c4n1r8:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    network = build_network(empty, TaskShape(channels=1, size=(8, 8), classes=3), seed=0)
    x, y = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
    scores = proxy_scores(network, x, y, tuple(PROXIES))
    assert scores["jacov"] == -math.inf
    assert not any(math.isnan(value) for value in scores.values())
