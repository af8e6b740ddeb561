"""Sub-cells: the same answers as a general graph matcher, mining that finds what was planted, implants that hold."""

import itertools

import networkx as nx
import numpy as np
import pytest
from networkx.algorithms.isomorphism import DiGraphMatcher

from selfnas.errors import ArchitectureError
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.search.subcells import SIZES, SubCell, contains, implant, parts, picture_cell
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro
from selfnas.spaces.cell import Cell
from selfnas.spaces.named import SPACES
from selfnas.strategies import RegularisedEvolution
from selfnas.strategies.evolution import with_subcells
from selfnas.strategies.mining import mine, percentile_ranks, rank_gain
from selfnas.strategies.transfer import PastTask

NB201 = SPACES["nb201"]
PLANTED = SubCell(SPACES["nb201"], 0, "a-conv3x3>out in0-conv1x1>a")


def graph_of(cell: Cell) -> "nx.DiGraph[int]":
    """A cell's live edges, nodes labelled by their role."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    for edge in cell.live_edges():
        graph.add_edge(edge.source, edge.target, operation=edge.operation)
    for node in graph:
        role = f"in{node}" if node < cell.inputs else "out" if cell.outputs == (node,) else "inner"
        graph.nodes[node]["role"] = role
    return graph


def pattern_of(sub_cell: SubCell) -> "nx.DiGraph[str]":
    """The sub-cell as a graph of its own."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for source, operation, target in sub_cell.edges:
        graph.add_edge(source, target, operation=operation)
    for node in graph:
        graph.nodes[node]["role"] = node if node.startswith(("in", "out")) else "inner"
    return graph


@pytest.mark.parametrize("name", sorted(SPACES))
def test_parts_and_containment_agree_with_a_graph_matcher(name: str) -> None:
    """A cell contains each of its parts and no pattern that networkx does not find in it; dead edges do not count."""
    space, rng = SPACES[name], generator(0, "subcells", name)
    cells = space.draw(rng, 30)
    live = space.effective(cells)
    for vector, row in zip(cells, live, strict=True):
        architecture = space.decode(vector, macro=Macro())
        for template, cell, part in zip(space.templates, architecture.cells, space.split(row[None]), strict=True):
            assert template.cell(part[0]).edges == cell.live_edges()
    patterns = sorted({found for row in cells[:8] for found in parts(space, row)})
    for pattern in [patterns[i] for i in rng.permutation(len(patterns))[:15]]:
        wanted = [
            DiGraphMatcher(
                graph_of(space.decode(vector, macro=Macro()).cells[pattern.template]),
                pattern_of(pattern),
                node_match=lambda one, other: one["role"] == other["role"],
                edge_match=lambda one, other: one["operation"] == other["operation"],
            ).subgraph_is_monomorphic()
            for vector in cells
        ]
        assert contains(pattern, live).tolist() == wanted
    assert all(contains(found, live[:1]).all() for found in parts(space, cells[0]))
    assert picture_cell(patterns[0]).edges


@pytest.mark.parametrize("name", sorted(SPACES))
def test_the_parts_of_a_cell_are_its_connected_edges(name: str) -> None:
    """Of all twos and threes of live edges, exactly those that networkx finds connected are parts."""
    space, loose = SPACES[name], 0
    for vector in space.draw(generator(1, "subcells", name), 4 if len(SPACES[name].templates) == 1 else 2):
        cells = space.decode(vector, macro=Macro()).cells
        graphs = [graph_of(cell).edge_subgraph(chosen) for cell in cells for chosen in _few(graph_of(cell))]
        connected = [graph for graph in graphs if nx.is_weakly_connected(graph)]
        loose += len(graphs) - len(connected)
        patterns = [pattern_of(part) for part in parts(space, vector)]
        assert all(any(_alike(graph, pattern) for pattern in patterns) for graph in connected)
        assert all(any(_alike(graph, pattern) for graph in connected) for pattern in patterns)
    assert loose


def _few(graph: "nx.DiGraph[int]") -> list[tuple[tuple[int, int], ...]]:
    return [chosen for size in SIZES for chosen in itertools.combinations(graph.edges, size)]


def _alike(one: "nx.DiGraph[int]", other: "nx.DiGraph[str]") -> bool:
    return DiGraphMatcher(
        one,
        other,
        node_match=lambda here, there: here["role"] == there["role"],
        edge_match=lambda here, there: here["operation"] == there["operation"],
    ).is_isomorphic()


def test_a_sub_cell_is_read_only_in_canonical_form() -> None:
    """Other names of inner nodes, parts that do not hang together and unknown operations are refused."""
    for text in ("b-conv3x3>out in0-conv1x1>b", "in0-conv3x3>a b-skip>out", "in0-conv9x9>a a-skip>out", "x", ""):
        with pytest.raises(ArchitectureError):
            SubCell(SPACES["nb201"], 0, text)
    with pytest.raises(ArchitectureError, match="1 cells, not a number 3"):
        SubCell(SPACES["nb201"], 3, PLANTED.text)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_implants_are_admitted_and_hold_the_sub_cell(name: str) -> None:
    """Laid into random cells: a member of the space that differs and has the edges somewhere."""
    space, rng = SPACES[name], generator(1, "implant", name)
    domain = SpaceDomain(space, Macro())
    patterns = sorted(parts(space, space.draw(rng, 1)[0]) or parts(space, space.draw(rng, 1)[0]))
    changed = 0
    for vector in space.draw(rng, 20):
        pattern = patterns[rng.integers(len(patterns))]
        child = implant(domain, vector, pattern, rng)
        if child is not None:
            changed += 1
            assert space.fits(child[None]).all()
            assert (child != vector).any()
            assert contains(pattern, child[None]).all()
    assert changed > 5


def test_nothing_is_laid_in_where_nothing_of_it_is_admitted() -> None:
    """A domain that refuses everything gets no child."""

    class Closed(SpaceDomain):
        def admits(self, vectors: np.ndarray) -> np.ndarray:
            return np.zeros(len(vectors), dtype=bool)

    rng = generator(0, "closed")
    assert implant(Closed(NB201, Macro()), NB201.draw(rng, 1)[0], PLANTED, rng) is None


def past(seed: int, *, worth: float, trials: int = 60) -> PastTask:
    """Random cells whose score is noise, plus `worth` for those that contain the planted sub-cell."""
    rng = generator(seed, "past")
    cells = NB201.draw(rng, trials)
    scores = rng.normal(size=trials) + worth * contains(PLANTED, NB201.effective(cells))
    return PastTask(
        name=f"task{seed}",
        trials=tuple(
            Trial(architecture=NB201.decode(cell, macro=Macro()), score=float(score))
            for cell, score in zip(cells, scores, strict=True)
        ),
    )


def test_mining_finds_what_was_planted_and_nothing_that_was_revoked() -> None:
    """The planted sub-cell comes out first, with an interval above 0; revoked it stays away; two runs agree."""
    tasks = [past(seed, worth=8.0) for seed in range(4)]
    mined = mine(tasks)
    assert mined == mine(tasks)
    assert mined[0].sub_cell == PLANTED
    assert 0 < mined[0].low < mined[0].gain < mined[0].high
    assert mined[0].tasks == tuple(task.name for task in tasks)
    assert PLANTED not in {one.sub_cell for one in mine(tasks, revoked=frozenset({PLANTED.digest}))}
    assert mine(tasks[:1]) == ()


def test_the_pooled_gain_is_the_weighted_difference() -> None:
    """By hand on two tasks: 50 points with 2 of 4 in it, 0 points with 2 of 4; ties share their rank."""
    ranks = [np.array([0.0, 0.0, 50.0, 50.0]), np.array([0.0, 100.0, 0.0, 100.0])]
    held = [np.array([False, False, True, True])] * 2
    found = rank_gain(held, ranks)
    assert found is not None
    assert found[0] == pytest.approx(25.0)
    assert found[1] < 25.0 < found[2]
    assert rank_gain([np.array([True, False])], [np.array([0.0, 1.0])]) is None
    assert percentile_ranks(np.array([3.0, 1.0, 3.0])).tolist() == [75.0, 0.0, 75.0]


def test_evolution_builds_with_sub_cells_only_when_told_to() -> None:
    """With a rate of 100 most first cells hold the sub-cell; with 0 the proposals are those of evolution without."""
    domain = SpaceDomain(NB201, Macro())
    plain = RegularisedEvolution(population=20, sample=5)
    idle = with_subcells(plain, [PLANTED])
    assert idle([], domain, 10, generator(0, "e")) == plain([], domain, 10, generator(0, "e"))
    eager = with_subcells(RegularisedEvolution(population=20, sample=5, implant_percent=100), [PLANTED])
    proposed = eager([], domain, 10, generator(0, "e"))
    held = contains(PLANTED, np.stack([NB201.encode(one) for one in proposed]))
    assert held.sum() >= 8
    assert len({one.digest for one in proposed}) == 10
