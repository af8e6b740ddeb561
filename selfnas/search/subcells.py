"""Recurring sub-cells: what the best cells of several tasks have in common, and how to build it into others.

A *sub-cell* is a connected part of a cell's live graph: labelled edges between input nodes, the output node and inner
nodes. Inputs and a single output keep their role, since an operation at the input means something else than one at the
end; inner nodes may stand anywhere. Sources: Kuramochi and Karypis 2001 (ICDM) for frequent connected subgraphs with
a minimum support; Jiang, Ru, Wan et al. 2021 (ICLR, NAS-BOWL) for labelled subgraphs as carriers of a cell's worth.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ArchitectureError
from selfnas.search.domain import Domain
from selfnas.spaces.architecture import Space
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.template import CellTemplate, Vector

__all__ = ["SIZES", "SubCell", "contains", "implant", "parts", "picture_cell"]

SIZES = (2, 3)  # edges of a sub-cell: one edge is no structure, four are nearly a whole cell
_INNER = "abcdefgh"
_EDGE = re.compile(r"(in\d|out|[a-h])-([a-z0-9]+)>(in\d|out|[a-h])")
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True, order=True)
class SubCell:
    """A labelled connected graph, in canonical form.

    Attributes:
        template: which of the space's cells it is a part of.
        text: edges `source-operation>target`, sorted; nodes are `in0`, …, `out`, and `a`, `b`, … for inner ones.

    Raises:
        ArchitectureError: the text is not the canonical form of a sub-cell of that space.
    """

    space: Space
    template: int
    text: str

    def __post_init__(self) -> None:
        templates = self.space.templates
        if not 0 <= self.template < len(templates):
            raise ArchitectureError(f"space {self.space} has {len(templates)} cells, not a number {self.template}")
        edges = self.edges
        known = templates[self.template].names
        for _, operation, _ in edges:
            if operation not in known:
                raise ArchitectureError(f"sub-cell {self.text!r}: {operation!r} is not an operation of {self.space}")
        if not _connected(edges) or _canonical(edges) != self.text:
            raise ArchitectureError(f"sub-cell {self.text!r} is not connected or not in canonical form")

    def __hash__(self) -> int:
        """Without the space, whose own takes long: sub-cells are counted by the thousand, mostly of one space."""
        return hash((self.template, self.text))

    @property
    def edges(self) -> tuple[tuple[str, str, str], ...]:
        """(source, operation, target) each."""
        if len(self.text) > _MOST_TEXT:
            raise ArchitectureError(f"a sub-cell has at most {_MOST_TEXT} characters, not {len(self.text)}")
        found = [_EDGE.fullmatch(word) for word in self.text.split()]
        if not found or not all(found):
            raise ArchitectureError(f"a sub-cell reads 'in0-conv3x3>a a-skip>out', not {self.text!r}")
        return tuple((match[1], match[2], match[3]) for match in found if match)

    @property
    def digest(self) -> str:
        """SHA-256 over space, cell and text, in hexadecimal."""
        return hashlib.sha256(f"{self.space.name}\x1f{self.template}\x1f{self.text}".encode()).hexdigest()

    def _repr_png_(self) -> bytes:
        """Itself, for notebooks."""
        from selfnas.spaces.drawing import picture

        return picture([(self.digest[:12], picture_cell(self))], part=True, operations=self.space.operations, dpi=110)

    def placements(self) -> NDArray[np.int64]:
        """`(p, edges)` every way to lay it into the space's vector, as slot numbers of its edges in order."""
        space = self.space
        start = sum(len(template.slots) for template in space.templates[: self.template])
        template = space.templates[self.template]
        slots = {slot: start + position for position, slot in enumerate(template.slots)}
        inner = sorted({node for s, _, t in self.edges for node in (s, t) if node in _INNER})
        free = [node for node in range(template.inputs, template.nodes) if not _is_output(template, node)]
        rows = []
        for chosen in itertools.permutations(free, len(inner)):
            where = dict(zip(inner, chosen, strict=True)) | _fixed(template)
            wanted = [(where.get(s, -1), where.get(t, -1)) for s, _, t in self.edges]
            if all(pair in slots for pair in wanted):
                rows.append([slots[pair] for pair in wanted])
        return np.array(sorted(rows), dtype=np.int64).reshape(len(rows), len(self.edges))

    def values(self) -> Vector:
        """`(edges,)` what each of its edges is in a slot vector."""
        names = self.space.templates[self.template].names
        return np.array([names.index(operation) + 1 for _, operation, _ in self.edges], dtype=np.int8)


def parts(space: Space, vector: Vector) -> set[SubCell]:
    """Every sub-cell of `SIZES` edges in the live part of a `(slots,)` vector's cells."""
    found = set()
    for index, (template, part) in enumerate(zip(space.templates, space.split(vector[None]), strict=True)):
        edges = [
            (_name(template, edge.source), edge.operation, _name(template, edge.target))
            for edge in template.cell(part[0]).live_edges()
        ]
        for size in SIZES:
            for chosen in itertools.combinations(edges, size):
                sub_cell = _of_edges(space, index, chosen)
                if sub_cell is not None:
                    found.add(sub_cell)
    return found


@lru_cache(maxsize=16_384)
def _of_edges(space: Space, template: int, edges: tuple[tuple[str, str, str], ...]) -> SubCell | None:
    """The sub-cell of some edges; None where they are not connected. Cached: cells share most of their parts."""
    return SubCell(space, template, _canonical(edges)) if _connected(edges) else None


def contains(sub_cell: SubCell, vectors: Vector) -> NDArray[np.bool_]:
    """`(n,)` whether cells contain it, given their vectors without dead edges."""
    held = np.zeros(len(vectors), dtype=bool)
    values = sub_cell.values()
    for slots in sub_cell.placements():
        held |= (vectors[:, slots] == values).all(axis=1)
    return held


def implant(domain: Domain, vector: Vector, sub_cell: SubCell, rng: np.random.Generator) -> Vector | None:
    """`(slots,)` with the sub-cell laid into it somewhere, admitted and changed; None where there is no such cell.

    Where a node has a fixed number of incoming edges, other edges of that node make room at random.
    """
    placements, values = sub_cell.placements(), sub_cell.values()
    children = np.repeat(vector[None], len(placements), axis=0)
    template = domain.space.templates[sub_cell.template]
    for child, slots in zip(children, placements, strict=True):
        child[slots] = values
        if template.in_degree is not None:
            _make_room(domain.space, child, slots, template.in_degree, rng)
    children = children[(children != vector).any(axis=1) & domain.space.fits(children)]
    children = children[domain.admits(children)] if len(children) else children
    if not len(children):
        return None
    chosen: Vector = children[rng.integers(len(children))]
    return chosen


def picture_cell(sub_cell: SubCell) -> Cell:
    """The sub-cell alone, laid into a cell of its template as early as it goes, for drawing."""
    space = sub_cell.space
    template = space.templates[sub_cell.template]
    vector = np.zeros(len(space.slots), dtype=np.int8)
    vector[sub_cell.placements()[0]] = sub_cell.values()
    part = space.split(vector[None])[sub_cell.template][0]
    edges = tuple(
        Edge(target=t, source=s, operation=template.names[value - 1])
        for (s, t), value in zip(template.slots, part.tolist(), strict=True)
        if value
    )
    return Cell(inputs=template.inputs, nodes=template.nodes, outputs=template.outputs, edges=edges)


def _make_room(space: Space, child: Vector, kept: NDArray[np.int64], in_degree: int, rng: np.random.Generator) -> None:
    """Drop edges of the implant's target nodes, in place, until each has `in_degree`."""
    targets = {space.slots[slot][0::2] for slot in kept.tolist()}
    for slot_set in (
        [slot for slot, (template, _, node) in enumerate(space.slots) if (template, node) == target]
        for target in sorted(targets)
    ):
        present = [slot for slot in slot_set if child[slot]]
        others = [slot for slot in present if slot not in set(kept.tolist())]
        surplus = len(present) - in_degree
        if 0 < surplus <= len(others):
            child[rng.permutation(others)[:surplus]] = 0


def _is_output(template: CellTemplate, node: int) -> bool:
    """Whether a node is the one output; where all inner nodes leave the cell, none is told apart."""
    return template.outputs == (node,)


def _fixed(template: CellTemplate) -> dict[str, int]:
    names = {f"in{node}": node for node in range(template.inputs)}
    return names | ({"out": template.outputs[0]} if len(template.outputs) == 1 else {})


def _name(template: CellTemplate, node: int) -> str:
    if node < template.inputs:
        return f"in{node}"
    return "out" if _is_output(template, node) else _INNER[node - template.inputs]


def _connected(edges: Sequence[tuple[str, str, str]]) -> bool:
    """Whether edges are connected; in few lines, since loading networkx takes longer than all that lists sub-cells."""
    reached = {edges[0][0]}
    for _ in edges:
        reached.update(node for source, _, target in edges if {source, target} & reached for node in (source, target))
    return all(source in reached for source, _, _ in edges)


def _canonical(edges: Sequence[tuple[str, str, str]]) -> str:
    """The least text over all names of the inner nodes."""
    inner = sorted({node for s, _, t in edges for node in (s, t) if node in _INNER})
    return min(_spellings(edges, inner))


def _spellings(edges: Sequence[tuple[str, str, str]], inner: Sequence[str]) -> Iterator[str]:
    for names in itertools.permutations(_INNER[: len(inner)]):
        named = dict(zip(inner, names, strict=True))
        yield " ".join(sorted(f"{named.get(s, s)}-{operation}>{named.get(t, t)}" for s, operation, t in edges))
