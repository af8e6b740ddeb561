"""Digests: equal exactly when the networks are."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.canonical import digest_of
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.named import SPACES

MACRO = Macro(channels=4, depth=1, resolution=16)
SHAPE = TaskShape(channels=1, size=(8, 8), classes=3)


def cell_digest(text: str) -> str:
    """Digest of an nb201 cell text."""
    return SPACES["nb201"].parse_cells(text, macro=MACRO).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # a dead operation out of a node that nothing enters
        ("|none~0|+|none~0|none~1|+|conv3x3~0|conv1x1~1|none~2|", "|none~0|+|none~0|none~1|+|conv3x3~0|none~1|none~2|"),
        # nodes 1 and 2 exchanged
        (
            "|conv3x3~0|+|avg3~0|none~1|+|none~0|skip~1|conv1x1~2|",
            "|avg3~0|+|conv3x3~0|none~1|+|none~0|conv1x1~1|skip~2|",
        ),
        # a node that only passes its input on
        ("|skip~0|+|none~0|conv3x3~1|+|none~0|none~1|avg3~2|", "|none~0|+|conv3x3~0|none~1|+|none~0|none~1|avg3~2|"),
        # a sum that only flows into a sum
        ("|conv1x1~0|+|avg3~0|skip~1|+|none~0|none~1|skip~2|", "|conv1x1~0|+|none~0|none~1|+|avg3~0|skip~1|none~2|"),
    ],
)
def test_two_spellings_of_one_network_share_a_digest(one: str, other: str) -> None:
    """Dead operations, numbering and pass-through nodes do not enter."""
    assert cell_digest(one) == cell_digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "|conv3x3~0|+|none~0|none~1|+|none~0|conv1x1~1|none~2|",
            "|conv1x1~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|",
        ),
        (
            "|conv3x3~0|+|none~0|none~1|+|skip~0|conv1x1~1|none~2|",
            "|conv3x3~0|+|none~0|none~1|+|none~0|conv1x1~1|none~2|",
        ),
        # one convolution used twice is not two convolutions
        (
            "|conv3x3~0|+|none~0|conv1x1~1|+|none~0|avg3~1|skip~2|",
            "|conv3x3~0|+|conv3x3~0|none~1|+|none~0|avg3~1|conv1x1~2|",
        ),
    ],
)
def test_different_networks_have_different_digests(one: str, other: str) -> None:
    """Order of operations, a further path, and sharing of weights all count."""
    assert cell_digest(one) != cell_digest(other)


def test_macro_settings_enter_the_digest() -> None:
    """The same cell stacked otherwise is another network."""
    vector = np.ones(6, dtype=np.int8)
    space = SPACES["nb201"]
    assert space.decode(vector, macro=MACRO).digest != space.decode(vector, macro=Macro(channels=6, depth=1)).digest


def constant_output(vector: np.ndarray) -> torch.Tensor:
    """Output of the cell's network when every weight depends only on its shape."""
    network = build_network(SPACES["nb201"].decode(vector, macro=MACRO), SHAPE, seed=0).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            line = torch.linspace(-1, 1, parameter.numel(), dtype=torch.float64)
            parameter.copy_(line.reshape(parameter.shape))
        x = torch.linspace(-2, 3, 2 * 64, dtype=torch.float64).reshape(2, 1, 8, 8)
        out: torch.Tensor = network(x)
    return out


@pytest.mark.slow
def test_equal_digests_mean_equal_functions() -> None:
    """Cells of one digest compute the same when operations of one kind have equal weights."""
    rng = np.random.default_rng(0)
    space = SPACES["nb201"]
    groups: dict[str, list[np.ndarray]] = {}
    for vector in space.enumerate()[rng.permutation(space.count())[:2000]]:
        groups.setdefault(space.decode(vector, macro=MACRO).digest, []).append(vector)
    several = [group for group in groups.values() if len(group) > 1][:25]
    assert len(several) == 25
    for group in several:
        first = constant_output(group[0])
        for other in group[1:]:
            torch.testing.assert_close(constant_output(other), first, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 2**32), st.permutations([2, 3, 4]))
@settings(deadline=None, max_examples=60)
def test_renumbering_never_changes_a_digest(seed: int, order: list[int]) -> None:
    """Any renumbering of inner nodes that keeps edges forward gives the same digest as the original."""
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(6, 0.6, seed=int(rng.integers(2**31)), directed=True)
    edges = [(s, t) for s, t in graph.edges if s < t and t >= 2]
    mapping = {0: 0, 1: 1, 5: 5} | dict(zip([2, 3, 4], order, strict=True))
    if any(mapping[s] >= mapping[t] for s, t in edges):
        return
    operations = {edge: str(rng.choice(["conv3x3", "avg3", "sep3x3"])) for edge in edges}

    def digest(number: dict[int, int]) -> str:
        renamed = sorted(
            Edge(target=number[t], source=number[s], operation=operation) for (s, t), operation in operations.items()
        )
        cell = Cell(inputs=2, nodes=6, outputs=(5,), edges=tuple(renamed))
        return digest_of((cell,), "m", identities=frozenset({"skip"}))

    assert digest(mapping) == digest({node: node for node in range(6)})


def test_nb201_has_5425_distinct_networks() -> None:
    """Golden value: found once by this code; NAS-Bench-201 itself, which also expands shared parts, counts 6,466."""
    space = SPACES["nb201"]
    assert len({space.decode(vector, macro=MACRO).digest for vector in space.enumerate()}) == 5425
