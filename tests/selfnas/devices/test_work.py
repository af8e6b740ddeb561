"""What a network does, against other accounts of the same network."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from selfnas.devices.work import operation_part, parts, peak_memory_bytes, traffic_bytes
from selfnas.networks.costs import costs
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, parse_architecture
from selfnas.spaces.operations import OPERATIONS

SHAPES = (
    (Macro(channels=4, depth=2, resolution=8), TaskShape(channels=3, size=(17, 12), classes=5)),
    (Macro(channels=8, depth=1, resolution=16), TaskShape(channels=1, size=(100,), classes=10)),
)


@pytest.mark.parametrize("space", sorted(SPACES))
@pytest.mark.parametrize(("macro", "shape"), SHAPES)
def test_kernels_do_the_multiplications_that_the_formulas_count(space: str, macro: Macro, shape: TaskShape) -> None:
    """Sums over parts equal `costs`, which tests hold to built networks."""
    if space == "tabular":
        shape = TaskShape(channels=9, size=(), classes=3)
    for vector in SPACES[space].draw(np.random.default_rng(0), 12):
        architecture = SPACES[space].decode(vector, macro=macro)
        total = sum(n * kernel.macs for part, n in parts(architecture, shape).items() for kernel in part.kernels)
        assert total == costs(architecture, shape).macs


def test_traffic_of_a_chain_by_hand() -> None:
    """Stem, two reductions, head; a cell of one pooling three times."""
    architecture = parse_architecture("nb201/c2n1r8:|none~0|+|none~0|none~1|+|avg3~0|none~1|none~2|")
    shape = TaskShape(channels=1, size=(4, 4), classes=2)
    stem = 16 + 2 * 16 + 9 * 2 + 2 * 2
    cells = 2 * (2 * 16) + 2 * (4 * 4) + 2 * 8

    def reduction(one: int, before: int) -> int:
        two, after = 2 * one, before // 4
        main = (one * before + two * after + 9 * one * two + 2 * two) + (2 * two * after + 9 * two * two + 2 * two)
        short = one * (before + after) + (one * after + two * after + one * two + 2 * two)
        return main + short + 3 * two * after

    head = 8 + 8 * 2 + 2
    assert traffic_bytes(architecture, shape) == 4 * (stem + cells + reduction(2, 16) + reduction(4, 4) + head)


@pytest.mark.parametrize(
    ("cell", "alive"),
    [
        ("|none~0|+|none~0|none~1|+|conv3x3~0|none~1|none~2|", 2),  # input and output
        ("|conv3x3~0|+|none~0|conv3x3~1|+|none~0|none~1|conv3x3~2|", 2),  # a chain frees what it has read
        ("|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|", 3),  # the input waits for its second reader
        ("|conv3x3~0|+|conv3x3~0|skip~1|+|skip~0|conv3x3~1|conv3x3~2|", 4),  # all three nodes and one result
    ],
)
def test_peak_memory_counts_what_is_alive(cell: str, alive: int) -> None:
    """Of the widest stage of a network whose cells dominate."""
    shape = TaskShape(channels=1, size=(8, 8), classes=2)
    assert peak_memory_bytes(parse_architecture(f"nb201/c16n1r8:{cell}"), shape) == 4 * alive * 16 * 64


def test_what_a_built_network_runs_is_among_its_parts() -> None:
    """Every convolution of a built two-input network does the work of one kernel, input size included."""
    macro, shape = SHAPES[0]
    space = SPACES["darts"]
    architecture = space.decode(space.draw(np.random.default_rng(5), 1)[0], macro=macro)
    network = build_network(architecture, shape, seed=0).eval()
    seen: list[int] = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        assert isinstance(layer.weight, Tensor)
        norm = 2 * out.shape[1] if layer.groups == 1 else 0  # type: ignore[union-attr]
        seen.append(4 * (inputs[0].numel() + out.numel() + layer.weight.numel() + norm))

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(look)
    with torch.no_grad():
        network(torch.zeros(1, shape.channels, *shape.size))
    weighted = [
        kernel.traffic_bytes
        for part, count in parts(architecture, shape).items()
        for kernel in part.kernels * count
        if kernel.macs and part.kind != "head"
    ]
    assert sorted(seen) == sorted(weighted)


def test_a_skip_moves_nothing_and_keys_tell_parts_apart() -> None:
    """Unless it halves the size, when it is a convolution."""
    plain, halving = (operation_part(OPERATIONS["skip"], 4, size=(8, 8), stride=stride) for stride in (1, 2))
    assert plain.kernels == ()
    assert [kernel.macs for kernel in halving.kernels] == [4 * 4 * 16]
    assert plain.key != halving.key
