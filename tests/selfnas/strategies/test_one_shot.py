"""A supernet trained path by path, and evolution over it."""

import itertools
from collections import Counter

import numpy as np
import torch

from selfnas.search.domain import SpaceDomain
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import SPACES
from selfnas.strategies.one_shot import OneShotPlan, evolve_paths, fair_paths, score_paths, train_paths
from selfnas.training.supernet import build_supernet
from selfnas.training.training import Examples

MACRO = Macro(channels=4, depth=1, resolution=8)
SHAPE = TaskShape(channels=1, size=(16,), classes=2)
SPACE = SPACES["nb201"]


def _examples(count: int = 96) -> Examples:
    """Two classes, told apart by how fast the series swings."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % 2
    phase = rng.uniform(0, 6, size=(count, 1))
    x = np.sin(np.arange(16)[None] * (0.4 + 1.2 * y[:, None]) + phase) + 0.1 * rng.normal(size=(count, 16))
    return Examples.of(x[:, None].astype(np.float32), y.astype(np.int64))


def test_every_kind_of_every_edge_is_trained_equally_often() -> None:
    """In each group of five paths; with a fixed in-degree every path is of the space."""
    paths = np.stack(list(itertools.islice(fair_paths(SPACE, np.random.default_rng(0)), 50)))
    for group in paths.reshape(10, 5, 6):
        assert all(sorted(column) == [0, 1, 2, 3, 4] for column in group.T.tolist())
    assert len({path.tobytes() for path in paths}) > 40
    fixed = np.stack(list(itertools.islice(fair_paths(SPACES["darts"], np.random.default_rng(0)), 200)))
    assert SPACES["darts"].fits(fixed).all()
    counts = Counter(fixed[:, 0].tolist())  # the first edge is always there: two inputs, in-degree two
    assert min(counts[kind] for kind in range(1, 8)) > 10


def test_training_repeats_and_scores_depend_on_nothing_else() -> None:
    """Equal seeds, equal weights; a path's score is the same alone, in company and in any order; it beats chance."""
    data, plan = _examples(), OneShotPlan(epochs=25, batch_size=32)
    nets = [build_supernet(SPACE, MACRO, SHAPE, seed=0) for _ in range(2)]
    losses = [train_paths(net, data, plan, seed=3) for net in nets]
    assert losses[0] == losses[1]
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)
    vectors = np.array([[3, 0, 0, 3, 0, 3], [0] * 6, [2, 1, 4, 3, 0, 3]], dtype=np.int8)
    together = score_paths(nets[0], vectors, data)
    alone = [float(score_paths(nets[0], vectors[row][None], data)[0]) for row in (2, 1, 0)]
    assert together.tolist() == alone[::-1]
    assert together[0] > 0.8
    assert together[1] == 0.5


def test_evolution_ranks_within_the_domain() -> None:
    """Best first; nothing twice; a score that grows with convolutions brings them up."""

    def score(architectures: list) -> list[float]:  # type: ignore[type-arg]
        return [float((SPACE.encode(a) == 3).sum()) for a in architectures]

    ranking = evolve_paths(SpaceDomain(SPACE, MACRO), score, seed=0, evaluations=100)
    values = [trial.value for trial in ranking]
    assert len({trial.digest for trial in ranking}) == 100
    assert values == sorted(values, reverse=True)
    assert values[0] >= 4
