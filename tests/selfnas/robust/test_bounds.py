"""Bounds against a second implementation in NumPy, against samples, and against rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from selfnas.errors import InputError
from selfnas.networks.network import Network, build_network
from selfnas.robust.bounds import SINGLE, Bounds, UnboundedOperationError, output_bounds
from selfnas.robust.margins import certified, margins, precise, worst_outputs
from selfnas.robust.region import Region
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import SPACES
from selfnas.spaces.operations import OPERATIONS

_PROVED = ["skip", "conv1x1", "conv3x3", "avg3", "max3", "sep3x3", "sep5x5", "dil3x3", "dil5x5", "dilated4", "dilated8",
           "wide9", "wide19", "wide39", "residual", "se"]  # fmt: skip
_UNPROVED = ["groupnorm3", "attention", "mixer"]


def _space(*names: str) -> Space:
    template, unique = SPACES["nb201"].templates[0], dict.fromkeys(names)
    return Space(name="tried", templates=(replace(template, operations=tuple(OPERATIONS[name] for name in unique)),))


def _network(space: Space, size: tuple[int, ...], number: int, *, head: str = "grid4") -> Network:
    draw = np.random.default_rng(number)
    architecture = space.decode(space.draw(draw, 1)[0], macro=Macro(channels=4, depth=1, resolution=16, head=head))
    network = build_network(architecture, TaskShape(channels=2, size=size, classes=3), seed=number)
    generator = torch.Generator().manual_seed(number)
    network(torch.randn(32, 2, *size, generator=generator))  # moves the running moments
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.weight, generator=generator)
            nn.init.normal_(module.bias, generator=generator)
    return network.eval()


@pytest.mark.parametrize("name", _PROVED)
@pytest.mark.parametrize("size", [(24,), (9, 8)], ids=str)
def test_float32_answers_stay_in_bounds(name: str, size: tuple[int, ...]) -> None:
    """However inputs move within the region, what the float32 network computes is inside, of a point too."""
    network = _network(_space("skip", name), size, 3)
    x = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(1))
    region = Region.of(x, radius=0.01)
    exact = precise(network)
    with torch.no_grad():
        bounds = output_bounds(exact, region.box(x.double(), unit=SINGLE))
        low, high = region.ends(x)
        for number in range(50):
            noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(number)).round()
            found = network(low + noise * (high - low)).double()
            assert bool(((found >= bounds.low) & (found <= bounds.high)).all())
        point = output_bounds(exact, Bounds(x.double(), x.double(), unit=SINGLE))
        sizes = point.size_of.max().clamp_min(1)
        assert float((point.high - point.low).max()) < 0.05 * float(sizes)
        answer = network(x).double()
        assert bool(((answer >= point.low) & (answer <= point.high)).all())


@pytest.mark.parametrize("name", _UNPROVED)
def test_operations_without_a_rule_are_named(name: str) -> None:
    """What rounding does to them is not known, so nothing is certified, and the reason is said."""
    architecture = _space(name).decode(np.ones(6, dtype=np.int8), macro=Macro(channels=4, depth=1, resolution=16))
    network = build_network(architecture, TaskShape(channels=2, size=(9, 8), classes=3), seed=0).eval()
    x, y = torch.randn(2, 2, 9, 8), torch.zeros(2, dtype=torch.int64)
    region = Region.of(x, radius=0.1)
    with pytest.raises(UnboundedOperationError, match="no rule for what rounding does to"):
        certified(network, x, y, region)


def test_rounding_cannot_make_a_certificate() -> None:
    """Of two classes that differ by less than float32 can tell, none is certified, though exact bounds prefer one."""
    layer = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0 + 2.0**-23], [1.0]]))
    region = Region(radius=1e-9, low=(0.0,), high=(1.0,))
    x, y = torch.ones(1, 1, 1), torch.zeros(1, dtype=torch.int64)
    network = nn.Sequential(nn.Flatten(), layer)
    exact = margins(output_bounds(precise(network), region.box(x.double())), y)
    assert float(exact[0, 1]) > 0
    assert certified(network, x, y, region).tolist() == [False]


def test_folding_the_last_layer_is_never_looser() -> None:
    """Margins of differences are at least what the limits of both outputs give, and what samples reach."""
    network = precise(_network(_space("conv3x3", "skip"), (9, 8), 5))
    x = torch.randn(4, 2, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y, region = torch.tensor([0, 1, 2, 0]), Region.of(x, radius=0.02)
    with torch.no_grad():
        bounds = output_bounds(network, region.box(x))
        folded = margins(bounds, y)
        apart = margins(Bounds(bounds.low, bounds.high), y)
        assert bool((folded >= apart - 1e-9).all())
        assert bool((folded > apart + 1e-6).any())
        low, high = region.ends(x)
        for number in range(50):
            noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64).round()
            found = network(low + noise * (high - low))
            assert bool((found.gather(1, y[:, None]) - found >= folded - 1e-9).all())


def test_worst_outputs_count_what_is_proved() -> None:
    """A margin of 0, below 0 or not a number is not proved, whichever class comes first."""
    found = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, -1.0], [0.0, float("nan")], [0.0, 0.0]])
    y = torch.tensor([0, 0, 0, 0, 1])
    assert (worst_outputs(found, y).argmax(1) == y).tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("radius", [0.0, -0.1, 0.6, float("nan")])
def test_a_radius_is_a_share_of_the_range(radius: float) -> None:
    """Nothing, less, more than half and what is no number are refused."""
    with pytest.raises(InputError, match=r"share of the data's range above 0 and at most 0\.5"):
        Region.of(torch.rand(3, 1, 4), radius=radius)


def test_data_without_a_range_have_no_radius() -> None:
    """One value alone is refused."""
    with pytest.raises(InputError, match="one value alone"):
        Region.of(torch.ones(3, 1, 4), radius=0.1)


def test_a_box_stays_in_the_range() -> None:
    """By channel, each value moves by its share of the range, and not beyond it; one outside goes no farther out."""
    region = Region(radius=0.1, low=(0.0, 0.0), high=(1.0, 10.0))
    low, high = region.ends(torch.tensor([[[0.0, 0.5, 1.2], [5.0, 9.5, 10.0]]]))
    assert torch.allclose(low, torch.tensor([[[0.0, 0.4, 1.1], [4.0, 8.5, 9.0]]]))
    assert torch.allclose(high, torch.tensor([[[0.1, 0.6, 1.2], [6.0, 10.0, 10.0]]]))


def test_inputs_scaled_otherwise_are_refused() -> None:
    """Pixels from 0 to 255 beside training inputs from 0 to 1."""
    region = Region(radius=0.1, low=(0.0,), high=(1.0,))
    region.check(torch.rand(4, 1, 3, 3) * 1.05)
    with pytest.raises(InputError, match="not scaled alike"):
        region.check(200 + torch.rand(4, 1, 3, 3))
