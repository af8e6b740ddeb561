"""The Gaussian process and its encoding against slow or independent answers."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.architecture import Macro
from selfnas.cell import Cell
from selfnas.space import SPACES
from selfnas.strategies.gaussian_process import GaussianProcess, expected_improvement, normal_scores
from selfnas.strategies.path_encoding import live_operations, path_counts


def walked_paths(cell: Cell) -> dict[tuple[str, ...], int]:
    """Operation sequences from inputs to outputs, by plain recursion over the graph."""
    found: dict[tuple[str, ...], int] = {}

    def walk(node: int, sequence: tuple[str, ...]) -> None:
        if node < cell.inputs:
            found[sequence] = found.get(sequence, 0) + 1
        for edge in cell.edges:
            if edge.target == node:
                walk(edge.source, (edge.operation, *sequence))

    for output in cell.outputs:
        walk(output, ())
    return found


@pytest.mark.parametrize("space", sorted(SPACES))
def test_path_counts_equal_a_walk_over_the_graph(space: str) -> None:
    """The multiset of counts of sequences up to three operations is that of the graph itself."""
    here = SPACES[space]
    vectors = here.draw(np.random.default_rng(0), 30)
    for vector, counts in zip(vectors, path_counts(here, vectors), strict=True):
        cells = here.decode(vector, macro=Macro()).cells
        expected = sorted(n for cell in cells for path, n in walked_paths(cell).items() if len(path) <= 3)
        assert sorted(counts[counts > 0].tolist()) == expected


def test_one_network_has_one_path_encoding() -> None:
    """Spellings with equal digests have equal sequences once skips are counted as operations of the same network."""
    space = SPACES["nb201"]
    vectors = space.draw(np.random.default_rng(1), 400)
    vectors[:, 4] = 0  # without node 1 -> 3
    dead = vectors.copy()
    dead[:, 0] = 0  # node 1 is then reached by nothing
    dead[:, 2] = np.arange(400) % 5  # so this edge is dead
    other = dead.copy()
    other[:, 2] = 0
    assert np.array_equal(path_counts(space, dead), path_counts(space, other))


@pytest.mark.parametrize("space", sorted(SPACES))
def test_live_operations_are_those_of_the_cell(space: str) -> None:
    """As many marks as the cells have live edges, for each operation."""
    here = SPACES[space]
    vectors = here.draw(np.random.default_rng(2), 30)
    for vector, marks in zip(vectors, live_operations(here, vectors), strict=True):
        cells = here.decode(vector, macro=Macro()).cells
        assert marks.sum() == sum(len(cell.live_edges()) for cell in cells)


def test_process_equals_scikit_learn() -> None:
    """Means and deviations are those of an independent implementation with the same kernel."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern

    rng = np.random.default_rng(0)
    x, y, asked = rng.normal(size=(30, 5)), rng.normal(size=30), rng.normal(size=(9, 5))
    model = GaussianProcess.fit(x, y)
    theirs = GaussianProcessRegressor(Matern(length_scale=model.scale, nu=0.5), alpha=model.noise, optimizer=None)
    mean, spread = theirs.fit(x, y).predict(asked, return_std=True)
    assert np.allclose(model.predict(asked)[0], mean)
    assert np.allclose(model.predict(asked)[1], spread)


def test_believing_keeps_the_mean_and_lowers_the_doubt() -> None:
    """A fantasy at the mean changes no mean there and makes the place uninteresting."""
    rng = np.random.default_rng(1)
    x, y, point = rng.normal(size=(20, 3)), rng.normal(size=20), rng.normal(size=(1, 3))
    model = GaussianProcess.fit(x, y)
    believed, values = model.believe(point[0], y)
    assert len(values) == 21
    assert np.allclose(believed.predict(point)[0], model.predict(point)[0], atol=1e-6)
    assert believed.predict(point)[1] < model.predict(point)[1]


def test_expected_improvement_equals_a_simulation() -> None:
    """The formula and a million draws agree."""
    draws = np.maximum(np.random.default_rng(0).normal(0.3, 0.7, 1_000_000) - 0.5, 0).mean()
    assert expected_improvement(np.array([0.3]), np.array([0.7]), 0.5)[0] == pytest.approx(draws, rel=0.01)


def test_normal_scores_keep_the_order_and_tame_failures() -> None:
    """Ranks decide; minus infinity is only the lowest rank, and equal values get equal scores."""
    scores = normal_scores(np.array([0.1, -np.inf, 0.9, -np.inf, 0.5]))
    assert scores[1] == scores[3] < scores[0] < scores[4] < scores[2] < 2
