"""The Gaussian process and its encoding against slow or independent answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selfnas.models.cell_features import cell_features, live_operations, path_traits
from selfnas.models.gaussian_process import GaussianProcess, expected_improvement, normal_scores
from selfnas.networks.costs import operation_costs
from selfnas.spaces.architecture import Macro
from selfnas.spaces.cell import Cell
from selfnas.spaces.named import SPACES
from selfnas.spaces.operations import OPERATIONS


def walked_paths(cell: Cell) -> list[list[str]]:
    """Operation sequences from inputs to outputs, by plain recursion over the graph."""
    found: list[list[str]] = []

    def walk(node: int, sequence: list[str]) -> None:
        if node < cell.inputs:
            found.append(sequence)
        for edge in cell.edges:
            if edge.target == node:
                walk(edge.source, [edge.operation, *sequence])

    for output in cell.outputs:
        walk(output, [])
    return found


def slow_traits(cell: Cell, operations: tuple[str, ...]) -> list[float]:
    """The traits of one cell as their definition reads, from the graph."""
    weights = {
        operation: float(operation_costs(OPERATIONS[operation], 16, size=(8, 8)).params) for operation in operations
    }
    lightest = min(count for count in weights.values() if count)
    paths = walked_paths(cell)
    counted: list[set[str]] = [set(operations), {o for o in operations if weights[o]}, {*operations} - {"skip"}]
    traits: list[float] = []
    for kinds in [*counted, *({operation} for operation in operations)]:
        along = [sum(operation in kinds for operation in path) for path in paths]
        traits += [max(along), min(along), sum(along) / len(along)] if along else [-1.0] * 3
    live = [edge.operation for edge in cell.live_edges()]
    traits += [math.log1p(len(paths)), sum(set(path) <= {"skip"} for path in paths)]
    traits += [live.count(operation) for operation in operations]
    return [*traits, math.log1p(sum(weights[operation] for operation in live) / lightest)]


@pytest.mark.parametrize("space", sorted(SPACES))
def test_traits_equal_a_walk_over_the_graph(space: str) -> None:
    """The vectorised traits are those of the graph itself, worked out path by path."""
    here = SPACES[space]
    vectors = here.draw(np.random.default_rng(0), 30)
    for vector, traits in zip(vectors, path_traits(here, vectors), strict=True):
        cells = here.decode(vector, macro=Macro()).cells
        parts = zip(cells, here.templates, strict=True)
        slow = [trait for cell, template in parts for trait in slow_traits(cell, template.names)]
        assert traits.tolist() == pytest.approx(slow)


def test_features_of_a_space_have_unit_variance_and_see_no_dead_edge() -> None:
    """Traits are scaled over the whole space; spellings that differ in dead edges alone have equal features."""
    space = SPACES["nb201"]
    traits = path_traits(space, space.enumerate()).shape[1]
    features = cell_features(space, space.enumerate())[:, :traits]
    assert np.allclose(features.mean(axis=0), 0)
    assert np.allclose(features.std(axis=0), 1)
    dead = space.draw(np.random.default_rng(1), 400)
    dead[:, 4] = 0  # without node 1 -> 3
    dead[:, 0] = 0  # node 1 is then reached by nothing
    dead[:, 2] = np.arange(400) % 5  # so this edge is dead
    other = dead.copy()
    other[:, 2] = 0
    assert np.array_equal(cell_features(space, dead), cell_features(space, other))


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
    believed, values = model.fantasize(point[0], y)
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
