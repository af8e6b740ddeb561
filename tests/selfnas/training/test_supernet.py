"""Supernets compute only what is gated; searches repeat; skips are bounded; guided proposals keep the contract."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from agent.gate.domain import GuardedDomain
from constraints import Guard, load_set
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES, space_named
from selfnas.strategies.guided import Guided
from selfnas.training.differentiable import Method, SupernetPlan, discretise, most_skips, search_supernet, skips
from selfnas.training.supernet import Supernet, build_supernet
from selfnas.training.training import Examples

MACRO = Macro(channels=4, depth=1, resolution=8)
IMAGES = TaskShape(channels=1, size=(8, 8), classes=3)
SERIES = TaskShape(channels=2, size=(16,), classes=3)


def examples(shape: TaskShape, count: int = 64) -> Examples:
    """Random inputs and balanced labels."""
    x = np.random.default_rng(0).normal(size=(count, shape.channels, *shape.size)).astype(np.float32)
    return Examples.of(x, (np.arange(count) % 3).astype(np.int64))


@pytest.mark.parametrize("method", ["darts", "darts_second_order", "gdas"])
@pytest.mark.parametrize(("space", "shape"), [("nb201", SERIES), pytest.param("darts", IMAGES, marks=pytest.mark.slow)])
def test_same_seed_same_search(method: Method, space: str, shape: TaskShape) -> None:
    """Equal seeds give equal logits, which moved, and a cell of the space."""
    plan = SupernetPlan(method=method, epochs=1, batch_size=16)
    data = examples(shape, 32)
    found = [search_supernet(build_supernet(SPACES[space], MACRO, shape, seed=0), data, plan, seed=0) for _ in range(2)]
    for one, other in zip(found[0].logits, found[1].logits, strict=True):
        assert np.array_equal(one, other)
        assert np.abs(one).max() > 0.01
    assert SPACES[space].fits(discretise(SPACES[space], found[0].logits)[None]).all()


def test_one_hot_gates_run_that_architecture_alone() -> None:
    """Each edge's gate is one at its kind; only operations that are gated, and are reached, get a gradient."""
    space = SPACES["nb201"]
    supernet = build_supernet(space, MACRO, IMAGES, seed=0)
    vector = np.array([3, 0, 0, 1, 0, 0], dtype=np.int8)  # a convolution 0-1, a skip 0-3
    (gates,) = supernet.one_hot(vector)
    assert gates.argmax(dim=1).tolist() == vector.tolist()
    assert (gates.sum(dim=1) == 1).all()
    x = examples(IMAGES, 8).x
    supernet.eval()
    same = np.array([0, 0, 0, 1, 0, 0], dtype=np.int8)  # the convolution ran into a node that nothing leaves
    assert torch.equal(supernet(x, [gates]), supernet(x, supernet.one_hot(same)))
    other = supernet.one_hot(np.array([0, 0, 0, 3, 0, 0], dtype=np.int8))
    assert not torch.equal(supernet(x, [gates]), supernet(x, other))
    supernet.zero_grad()
    supernet(x, other).sum().backward()
    used = {
        name.split("edges.")[1][:3] for name, w in supernet.named_parameters() if "edges" in name and w.grad is not None
    }
    assert used == {"3.2"}  # the fourth edge's third operation


class _Rewarding(nn.Module):
    """Stands in for a supernet: right answers grow with the gates of one kind, on every edge."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.space, self._kind = SPACES["nb201"], kind
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor, gates: list[torch.Tensor]) -> torch.Tensor:
        return x[:, :, 0, 0] * self.weight * gates[0][:, self._kind].sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("operation", "collapses"), [("skip", True), ("conv", False)])
def test_a_search_stops_when_skips_take_over(operation: str, collapses: bool, seed: int) -> None:
    """Where skips alone help, the search ends in the first epoch after its grace; where another does, it goes on."""
    template = SPACES["nb201"].templates[0]
    kind = next(i for i, name in enumerate(template.names, start=1) if name.startswith(operation))
    y = (np.arange(64) % 3).astype(np.int64)
    data = Examples.of(np.eye(3, dtype=np.float32)[y][:, :, None, None], y)
    plan = SupernetPlan(epochs=8, batch_size=16, grace=0.5)
    found = search_supernet(cast(Supernet, _Rewarding(kind)), data, plan, seed=seed)
    assert found.collapsed is collapses
    assert found.epochs == (5 if collapses else 8)
    assert found.skips[-1] == (6 if collapses else 0)


def test_a_refused_cell_gives_way_to_the_nearest_admitted() -> None:
    """Logits that point at a forbidden cell propose, first, an admitted one as few edits away as any."""
    space, macro = SPACES["nb201"], Macro()
    guard = Guard(
        load_set("baseline"),
        space=space_named("nb201"),
        macro=macro,
        shape=TaskShape(channels=3, size=(32, 32), classes=10),
    )
    domain = GuardedDomain(guard, space=space, macro=macro)
    logits = [np.zeros((6, 5))]
    logits[0][:, 0] = 3.0  # nothing on every edge: input and output are not connected
    best = discretise(space, logits, restrict=True)
    assert not domain.admits(best[None])[0]
    near = domain.nearest(best)
    assert len(near) > 0
    assert domain.admits(near).all()
    members = space.enumerate()
    least = (members[domain.admits(members)] != best).sum(axis=1).min()
    assert ((near != best).sum(axis=1) == least).all()
    proposed = Guided(logits=logits)([], domain, 3, np.random.default_rng(0))
    assert proposed[0].digest in {space.decode(row, macro=macro).digest for row in near}
    assert len({architecture.digest for architecture in proposed}) == 3


def test_too_many_skips_are_cut_back_to_the_strongest() -> None:
    """Of six skips the strongest two stay."""
    space = SPACES["nb201"]
    logits = [np.zeros((6, 5))]
    logits[0][:, 1] = 1 + np.arange(6)
    assert skips(space, discretise(space, logits)) == (6,)
    cut = discretise(space, logits, restrict=True)
    assert skips(space, cut) == (most_skips(space.templates[0]),)
    assert (cut[-2:] == 1).all()


@pytest.mark.parametrize("space", sorted(SPACES))
def test_guided_keeps_the_contract(space: str) -> None:
    """Deterministic, its best cell first, no repeats, whatever the scores."""
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=(len(t.slots), len(t.operations) + 1)) for t in SPACES[space].templates]
    runs = []
    for _ in range(2):
        trials: list[Trial] = []
        for step in range(4):
            domain = SpaceDomain(SPACES[space], MACRO)
            proposed = Guided(logits=logits)(trials, domain, 3, np.random.default_rng(step))
            trials += [Trial(architecture=a, score=None) for a in proposed]
        runs.append([trial.digest for trial in trials])
    best = SPACES[space].decode(discretise(SPACES[space], logits, restrict=True), macro=MACRO)
    assert runs[0] == runs[1]
    assert runs[0][0] == best.digest
    assert len(set(runs[0])) == 12
