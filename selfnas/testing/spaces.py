"""What every space promises: its vectors, texts, draws and neighbours tell one story."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import replace

import numpy as np
from scipy.stats import chisquare

from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.canonical import digest_of
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.named import architecture_from_json, in_force, parse_architecture, spaces_by_name
from selfnas.spaces.template import CellTemplate, Vector
from selfnas.testing.promises import promise

__all__ = ["check_space"]

_MACRO = Macro(channels=8, depth=1, resolution=16)
_ENUMERATED = 20_000  # architectures of a space that are all looked at
_LEAST = 1e-6  # p-value below which draws are not called uniform


def check_space(space: Space, *, draws: int = 20, seed: int = 0) -> None:
    """Counts, draws, vectors, texts, neighbours and digests of a space against each other.

    Args:
        space: any value; where no text names it yet, it is brought in force for the check.
        draws: architectures looked at one by one.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    promise(copy.deepcopy(space) == space, f"{space}: equal spaces must compare equal")
    rng = np.random.default_rng(seed)
    vectors = space.draw(rng, draws)
    promise(
        vectors.shape == (draws, len(space.slots)) and vectors.dtype == np.int8 and space.fits(vectors).all(),
        f"{space}: draws are (n, slots) int8 vectors of the space",
    )
    again = space.draw(np.random.default_rng(seed), draws)
    promise(np.array_equal(vectors, again), f"{space}: equal generators give equal draws")
    if space.count() <= _ENUMERATED:
        _check_whole(space, rng)
    else:
        for template in space.templates:
            _check_uniform_slots(template, rng)
    known = spaces_by_name().get(space.base) is not None
    with contextlib.nullcontext() if known else in_force(space):
        for vector in vectors:
            _check_forms(space, vector)
    for vector in vectors[:3]:
        _check_neighbours(space, vector)
    for vector in vectors:
        _check_digest(space.decode(vector, macro=_MACRO), rng)


def _check_whole(space: Space, rng: np.random.Generator) -> None:
    """Every vector once, as many as counted, each as likely as any."""
    whole = space.enumerate()
    distinct = len(np.unique(whole, axis=0))
    promise(
        distinct == len(whole) == space.count() and space.fits(whole).all(),
        f"{space}: counts {space.count()} architectures, enumerates {len(whole)}, {distinct} of them distinct",
    )
    place = {row.tobytes(): index for index, row in enumerate(whole)}
    drawn = [place[row.tobytes()] for row in space.draw(rng, 10 * len(whole))]
    pvalue = chisquare(np.bincount(drawn, minlength=len(whole))).pvalue
    promise(pvalue >= _LEAST, f"{space}: draws are not uniform (chi-square p = {pvalue:.1g})")


def _check_uniform_slots(template: CellTemplate, rng: np.random.Generator, *, count: int = 20_000) -> None:
    """Each operation on each edge as often as in a uniform draw."""
    drawn, kinds = template.draw(rng, count), len(template.operations)
    for slot, (_, target) in enumerate(template.slots):
        each = 1 / (kinds + 1) if template.in_degree is None else template.in_degree / target / kinds
        seen = np.bincount(drawn[:, slot], minlength=kinds + 1)
        expected = count * np.array([1 - kinds * each, *[each] * kinds])
        pvalue = chisquare(seen[expected > 0], expected[expected > 0]).pvalue
        promise(
            pvalue >= _LEAST and not seen[expected <= 0].any(),
            f"{template.name}: edge {template.slots[slot]} is not drawn uniformly (chi-square p = {pvalue:.1g})",
        )


def _check_forms(space: Space, vector: Vector) -> None:
    """Vector, cells, text and JSON of an architecture read back."""
    architecture = space.decode(vector, macro=_MACRO)
    promise(space.contains(architecture), f"{space}: does not contain {architecture}, which it decodes")
    promise(np.array_equal(space.encode(architecture), vector), f"{space}: {architecture} is encoded as another vector")
    text = str(architecture)
    promise(parse_architecture(text) == architecture, f"{space}: {text} reads as another architecture")
    cells = text.partition(":")[2]
    promise(
        space.parse_cells(cells, macro=architecture.macro) == architecture,
        f"{space}: {cells} reads as another architecture",
    )
    promise(architecture_from_json(architecture.to_json()) == architecture, f"{space}: JSON of {text} reads otherwise")


def _check_neighbours(space: Space, vector: Vector) -> None:
    """Distinct members, not the vector itself, and near in both directions."""
    near = space.neighbours(vector)
    promise(space.fits(near).all(), f"{space}: a neighbour of {vector} is not of the space")
    promise(len(np.unique(near, axis=0)) == len(near), f"{space}: a neighbour of {vector} is listed twice")
    promise(not (near == vector).all(axis=1).any(), f"{space}: {vector} is its own neighbour")
    promise(
        all((space.neighbours(other) == vector).all(axis=1).any() for other in near),
        f"{space}: {vector} is not a neighbour of one of its neighbours",
    )


def _check_digest(architecture: Architecture, rng: np.random.Generator) -> None:
    """Neither dead edges nor the numbers of inner nodes matter."""
    live = tuple(replace(cell, edges=cell.live_edges()) for cell in architecture.cells)
    promise(
        replace(architecture, cells=live).digest == architecture.digest,
        f"{architecture}: its digest changes when dead edges are left out",
    )
    moved = tuple(_renumbered(cell, rng) for cell in architecture.flat)
    digest = digest_of(moved, str(architecture.macro), identities=architecture.space.identities)
    promise(digest == architecture.digest, f"{architecture}: its digest changes when inner nodes are renumbered")


def _renumbered(cell: Cell, rng: np.random.Generator) -> Cell:
    """The same graph with inner nodes in another topological order."""
    number = list(range(cell.nodes))
    for _ in range(2 * cell.nodes):
        left = int(rng.integers(cell.inputs, cell.nodes))
        pair = {left, left + 1}
        joined = any({number[edge.source], number[edge.target]} == pair for edge in cell.edges)
        if left + 1 < cell.nodes and not joined:
            number = [left + 1 if place == left else left if place == left + 1 else place for place in number]
    return Cell(
        inputs=cell.inputs,
        nodes=cell.nodes,
        outputs=tuple(sorted(number[node] for node in cell.outputs)),
        edges=tuple(sorted(Edge(number[edge.target], number[edge.source], edge.operation) for edge in cell.edges)),
    )
