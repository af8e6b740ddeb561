"""Supernets compute only what is gated; searches repeat; skips are bounded; guided proposals keep the contract."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.architecture import Macro, TaskShape
from selfnas.differentiable import Method, SupernetPlan, discretise, most_skips, search_supernet, skips
from selfnas.domain import SpaceDomain
from selfnas.history import Trial
from selfnas.space import SPACES
from selfnas.strategies.guided import Guided
from selfnas.supernet import build_supernet
from selfnas.train import Examples

MACRO = Macro(channels=4, depth=1, resolution=8)
IMAGES = TaskShape(channels=1, size=(8, 8), classes=3)
SERIES = TaskShape(channels=2, size=(16,), classes=3)


def examples(shape: TaskShape, count: int = 64) -> Examples:
    """Random inputs and balanced labels."""
    x = np.random.default_rng(0).normal(size=(count, shape.channels, *shape.size)).astype(np.float32)
    return Examples.of(x, (np.arange(count) % 3).astype(np.int64))


@pytest.mark.parametrize("method", ["darts", "darts_second_order", "gdas"])
@pytest.mark.parametrize(("space", "shape"), [("nb201", SERIES), ("darts", IMAGES)])
def test_same_seed_same_search(method: Method, space: str, shape: TaskShape) -> None:
    """Equal seeds give equal logits, which moved, and a cell of the space."""
    plan = SupernetPlan(method=method, epochs=1, batch_size=16)
    found = [
        search_supernet(build_supernet(SPACES[space], MACRO, shape, seed=0), examples(shape), plan, seed=0)
        for _ in range(2)
    ]
    for one, other in zip(found[0].logits, found[1].logits, strict=True):
        assert np.array_equal(one, other)
        assert np.abs(one).max() > 0.01
    assert SPACES[space].fits(discretise(SPACES[space], found[0].logits)[None]).all()


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
