"""Costs by formula equal what is built and what NAS-Bench-201 publishes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from selfnas.devices.work import parts
from selfnas.errors import ArchitectureError, ShapeError
from selfnas.networks.costs import costs
from selfnas.networks.network import build_network, parameter_count
from selfnas.networks.reference import residual_network
from selfnas.networks.stack import stack
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.macro import HEADS, STAGES, STEM_STRIDES
from selfnas.spaces.named import SPACES, parse_architecture

SHAPES = [
    TaskShape(channels=1, size=(8, 8), classes=10),
    TaskShape(channels=3, size=(28, 27), classes=4),
    TaskShape(channels=12, size=(29,), classes=9),
    TaskShape(channels=1, size=(140,), classes=2),
    TaskShape(channels=13, size=(), classes=1),
]
CIFAR = TaskShape(channels=3, size=(32, 32), classes=10)


FITTING = [(space, shape) for space in SPACES.values() for shape in SHAPES if shape.dimensions in space.dimensions]


def counted_macs(network: nn.Module, shape: TaskShape) -> int:
    """Multiply-accumulates of one example, counted as the network runs."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, shape.channels, *shape.size))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(("space", "shape"), FITTING, ids=str)
def test_formula_equals_built_network(space: Space, shape: TaskShape) -> None:
    """Parameters and MACs by formula are those of the module, for tables, images and series of odd sizes."""
    for vector in space.draw(np.random.default_rng(0), 5):
        architecture = space.decode(vector, macro=Macro(channels=6, depth=2, resolution=16))
        network = build_network(architecture, shape, seed=0).eval()
        expected = costs(architecture, shape)
        assert parameter_count(network) == expected.params
        assert counted_macs(network, shape) == expected.macs
        assert network(torch.zeros(2, shape.channels, *shape.size)).shape == (2, shape.classes)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("stem", [0, *STEM_STRIDES])
@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("shape", SHAPES[:4:2], ids=str)
def test_every_stem_head_and_depth_costs_what_its_formula_says(
    head: str, stem: int, stages: int, shape: TaskShape
) -> None:
    """Parameters, multiplications and the width of the features."""
    macro = Macro(channels=4, depth=1, resolution=16, head=head, stem=stem, stages=stages)
    architecture = parse_architecture(f"nb201/{macro}:|conv1x1~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|")
    assert architecture.macro == macro
    network = build_network(architecture, shape, seed=0).eval()
    plan, expected = stack(architecture.space, macro, shape), costs(architecture, shape)
    assert plan.stem_stride == (stem or 1)
    assert parameter_count(network) == expected.params
    assert counted_macs(network, shape) == expected.macs
    total = sum(n * kernel.macs for part, n in parts(architecture, shape).items() for kernel in part.kernels)
    assert total == expected.macs
    assert network.features(torch.zeros(2, shape.channels, *shape.size)).shape == (2, plan.features)


def test_cells_of_two_inputs_have_three_stages() -> None:
    """Their reduction cells stand between stages, and rules speak of them."""
    macro = Macro(channels=4, depth=1, resolution=16, stages=1)
    with pytest.raises(ArchitectureError, match="3 stages alone"):
        stack(SPACES["darts"], macro, SHAPES[0])


@pytest.mark.parametrize("head", HEADS)
def test_a_table_has_no_stem_to_stride_and_no_head_to_pool(head: str) -> None:
    """Of whatever setting, its networks cost the same."""
    shape, cell = SHAPES[-1], "|mlp~0|+|none~0|none~1|+|skip~0|linear~1|none~2|"
    one = parse_architecture(f"tabular/{Macro(channels=8, depth=1, resolution=16, head=head, stem=2)}:{cell}")
    assert costs(one, shape) == costs(parse_architecture(f"tabular/c8n1r16:{cell}"), shape)
    assert build_network(one, shape, seed=0)(torch.zeros(3, 13)).shape == (3, 1)


@pytest.mark.parametrize(
    ("macro", "features", "bins"), [("c8n1r16", 13, 16), ("c8n1r16s1", 13, 0), ("c8n1r16", 700, 0)]
)
def test_features_of_a_table_are_laid_out_in_bins(macro: str, features: int, bins: int) -> None:
    """Each beside how far it is through each bin; not where the stem says so, nor where there are too many."""
    shape = TaskShape(channels=features, size=(), classes=2)
    one = parse_architecture(f"tabular/{macro}:|mlp~0|+|none~0|none~1|+|skip~0|linear~1|none~2|")
    plan, network, expected = (
        stack(one.space, one.macro, shape),
        build_network(one, shape, seed=0).eval(),
        costs(one, shape),
    )
    assert (plan.stem_bins, plan.stem_inputs) == (bins, features * (1 + bins))
    assert parameter_count(network) == expected.params
    assert counted_macs(network, shape) == expected.macs
    assert sum(n * kernel.macs for part, n in parts(one, shape).items() for kernel in part.kernels) == expected.macs
    if bins:
        x = torch.linspace(-4, 4, 81)[:, None].repeat(1, features)
        wide = network.stem[0](x)
        assert torch.equal(wide[:, :features], x)
        first = wide[:, features : features + bins]
        assert (first[0] == 0).all()
        assert (first[-1] == 1).all()
        assert (first.diff(dim=0) >= 0).all()
        assert ((first > 0) & (first < 1)).sum(dim=1).max() == 1


def test_a_space_is_not_stacked_for_inputs_that_it_is_not_for() -> None:
    """Nor is an operation built for them."""
    with pytest.raises(ArchitectureError, match="space tabular is for tables, not for series"):
        stack(SPACES["tabular"], Macro(), SHAPES[2])
    with pytest.raises(ArchitectureError, match="space nb201 is for series and images, not for tables"):
        stack(SPACES["nb201"], Macro(), SHAPES[-1])
    with pytest.raises(ArchitectureError, match="operation mlp is for tables, not for images"):
        SPACES["tabular"].operations["mlp"].build(4, stride=1, size=(8, 8))


@pytest.mark.parametrize(
    ("cell", "params"),
    [
        ("|none~0|+|none~0|none~1|+|skip~0|none~1|none~2|", 73_306),
        ("|conv3x3~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|", 73_306 + 2 * 243_040),
        ("|conv1x1~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|", 73_306 + 28_000 + 243_040),
    ],
)
def test_params_are_those_of_nas_bench_201(cell: str, params: int) -> None:
    """0.073306 M, plus 0.24304 M for each 3x3 and 0.02800 M for each 1x1 convolution (Dong & Yang 2020)."""
    assert costs(SPACES["nb201"].parse_cells(cell, macro=Macro()), CIFAR).params == params


def test_a_dead_operation_costs_nothing() -> None:
    """Costs are of the effective graph."""
    dead, plain = (
        SPACES["nb201"].parse_cells(f"|none~0|+|none~0|none~1|+|skip~0|{op}~1|none~2|", macro=Macro())
        for op in ("conv3x3", "none")
    )
    assert costs(dead, CIFAR) == costs(plain, CIFAR)


@pytest.mark.parametrize("params", [5_000, 43_000, 559_386])
def test_the_hand_designed_network_has_nearly_equal_parameters(params: int) -> None:
    """No other width comes nearer."""
    shape = SHAPES[0]
    found = residual_network(params, shape, macro=Macro(channels=8, depth=1, resolution=16))
    gap = abs(costs(found, shape).params - params)
    for step in (-1, 1):
        other = Macro(channels=found.macro.channels + step, depth=1, resolution=16)
        cells = SPACES["nb201"].format(found).split(":")[1]
        assert abs(costs(SPACES["nb201"].parse_cells(cells, macro=other), shape).params - params) >= gap


def test_wrong_input_shape_is_named() -> None:
    """A batch of another shape is refused with both shapes."""
    network = build_network(SPACES["nb201"].decode(np.ones(6, dtype=np.int8), macro=Macro(4, 1, 16)), SHAPES[0], seed=0)
    with pytest.raises(ShapeError, match=r"\(b, 1, 8, 8\), not \(2, 3, 8, 8\)"):
        network(torch.zeros(2, 3, 8, 8))


def test_a_disconnected_cell_still_builds() -> None:
    """Without any live edge the cell gives zeros and the network constant logits."""
    network = build_network(
        SPACES["nb201"].decode(np.zeros(6, dtype=np.int8), macro=Macro(4, 1, 16)), SHAPES[0], seed=0
    )
    out = network.eval()(torch.rand(3, 1, 8, 8))
    assert torch.equal(out[0], out[1])


def test_equal_seeds_give_equal_weights_and_leave_the_global_generator_alone() -> None:
    """Building is a function of architecture, shape and seed."""
    architecture = SPACES["nb201"].decode(np.full(6, 3, dtype=np.int8), macro=Macro(4, 1, 16))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (build_network(architecture, SHAPES[0], seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)
