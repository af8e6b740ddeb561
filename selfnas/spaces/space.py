"""Search spaces: which cells exist, how to draw, count, encode, spell and read them.

A space is a list of cell templates. A template lists every edge a cell may have (its *slots*); an architecture of the
space is then one small integer per slot: 0 for no operation, k for the k-th operation of the template. That vector is
what surrogates, the NumPy engine, Z3 and the decision diagram all work on.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ArchitectureError, suggestion
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.composed import is_composed, written_out

__all__ = [
    "MOST_COMPOSED",
    "SPACES",
    "CellTemplate",
    "Space",
    "Vector",
    "base_name",
    "composed_space",
    "parse_architecture",
    "respelled",
    "space_named",
]

Vector = NDArray[np.int8]

# Official spellings of the tabular benchmarks, read but never written.
_ALIASES = {
    "nor_conv_3x3": "conv3x3",
    "nor_conv_1x1": "conv1x1",
    "skip_connect": "skip",
    "avg_pool_3x3": "avg3",
    "max_pool_3x3": "max3",
    "sep_conv_3x3": "sep3x3",
    "sep_conv_5x5": "sep5x5",
    "dil_conv_3x3": "dil3x3",
    "dil_conv_5x5": "dil5x5",
}
_MACRO = re.compile(r"c(\d{1,4})n(\d{1,2})r(\d{1,4})")
MOST_COMPOSED = 8  # composed operators of a space; rules are judged on two more nodes for each possible edge
_MAX_TEXT = 4096  # longest architecture text that is read; the longest that is written is under 600 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTemplate:
    """The cells of one kind that a space allows.

    Attributes:
        name: `cell`, or `normal` and `reduce`.
        inputs: number of input nodes.
        nodes: number of nodes in all.
        outputs: nodes that leave the cell.
        operations: what an edge may carry, without `none`.
        in_degree: exactly so many edges run into each node that is not an input; None allows any number.
        reduces: whether edges from inputs halve the resolution.
    """

    name: str
    inputs: int
    nodes: int
    outputs: tuple[int, ...]
    operations: tuple[str, ...]
    in_degree: int | None = None
    reduces: bool = False

    @property
    def slots(self) -> tuple[tuple[int, int], ...]:
        """Every possible edge as (source, target), ascending by target, then source."""
        return tuple((s, t) for t in range(self.inputs, self.nodes) for s in range(t))

    def count(self) -> int:
        """Number of distinct spellings."""
        total = 1
        for target in range(self.inputs, self.nodes):
            if self.in_degree is None:
                total *= (len(self.operations) + 1) ** target
            else:
                total *= math.comb(target, self.in_degree) * len(self.operations) ** self.in_degree
        return total

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` exactly uniform, independent cells as slot vectors."""
        kinds = len(self.operations)
        if self.in_degree is None:
            return rng.integers(0, kinds + 1, size=(count, len(self.slots)), dtype=np.int8)
        columns = []
        for target in range(self.inputs, self.nodes):
            order = np.argsort(rng.random((count, target)), axis=1)
            chosen = np.argsort(order, axis=1) < self.in_degree
            columns.append(
                np.where(chosen, rng.integers(1, kinds + 1, size=(count, target), dtype=np.int8), np.int8(0))
            )
        return np.concatenate(columns, axis=1).astype(np.int8)

    def fits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row of `(n, slots)` is a cell of this template."""
        good = np.asarray(((vectors >= 0) & (vectors <= len(self.operations))).all(axis=1))
        if self.in_degree is not None:
            start = 0
            for target in range(self.inputs, self.nodes):
                good = good & ((vectors[:, start : start + target] > 0).sum(axis=1) == self.in_degree)
                start += target
        return good

    def neighbours(self, vector: Vector) -> Iterator[Vector]:
        """Every cell one edit away: another operation on an edge, or (fixed in-degree) another source for it."""
        kinds = len(self.operations)
        for slot, (_, target) in enumerate(self.slots):
            old = int(vector[slot])
            if self.in_degree is None or old:
                for new in range(0 if self.in_degree is None else 1, kinds + 1):
                    if new != old:
                        changed = vector.copy()
                        changed[slot] = new
                        yield changed
            if self.in_degree is not None and old:
                for other, (_, other_target) in enumerate(self.slots):
                    if other_target == target and not vector[other]:
                        moved = vector.copy()
                        moved[slot], moved[other] = 0, old
                        yield moved

    def cell(self, vector: Vector) -> Cell:
        """The cell that a `(slots,)` vector spells."""
        edges = tuple(
            Edge(target=t, source=s, operation=self.operations[value - 1])
            for (s, t), value in zip(self.slots, vector.tolist(), strict=True)
            if value
        )
        return Cell(inputs=self.inputs, nodes=self.nodes, outputs=self.outputs, edges=edges)

    def vector(self, cell: Cell) -> Vector:
        """`(slots,)` int8 of a cell.

        Raises:
            ArchitectureError: the cell is not of this template.
        """
        if (cell.inputs, cell.nodes, cell.outputs) != (self.inputs, self.nodes, self.outputs):
            raise ArchitectureError(
                f"a {self.name} cell has {self.inputs} inputs, {self.nodes} nodes and outputs {self.outputs}, "
                f"not {cell.inputs}, {cell.nodes} and {cell.outputs}"
            )
        index = {slot: position for position, slot in enumerate(self.slots)}
        vector = np.zeros(len(index), dtype=np.int8)
        for edge in cell.edges:
            if edge.operation not in self.operations:
                raise ArchitectureError(
                    f"unknown operation {edge.operation!r}{suggestion(edge.operation, self.operations)}"
                )
            position = index[edge.source, edge.target]
            if vector[position]:
                raise ArchitectureError(f"two operations on edge {edge.source}->{edge.target}")
            vector[position] = self.operations.index(edge.operation) + 1
        if not self.fits(vector[None])[0]:
            raise ArchitectureError(
                f"each inner node of a {self.name} cell needs exactly {self.in_degree} incoming edges"
            )
        return vector

    def format(self, cell: Cell) -> str:
        """`|op~source|…|+|…|`, one group per node; `none` is written only where any number of edges is allowed."""
        operation = {(edge.source, edge.target): edge.operation for edge in cell.edges}
        groups = []
        for target in range(self.inputs, self.nodes):
            words = [
                f"{operation.get((source, target), 'none')}~{source}"
                for source in range(target)
                if self.in_degree is None or (source, target) in operation
            ]
            groups.append("|" + "|".join(words) + "|")
        return "+".join(groups)

    def parse(self, text: str) -> Cell:
        """Read what `format` wrote, or an official benchmark string.

        Raises:
            ArchitectureError: not such a text, or not a cell of this template.
        """
        groups = text.strip().split("+")
        if len(groups) != self.nodes - self.inputs:
            raise ArchitectureError(
                f"a {self.name} cell has {self.nodes - self.inputs} groups joined by '+', not {len(groups)}: {text!r}"
            )
        edges = []
        for target, group in enumerate(groups, start=self.inputs):
            for word in group.strip("|").split("|"):
                operation, tilde, source = word.partition("~")
                if not tilde or not source.isdecimal():
                    raise ArchitectureError(f"an edge reads 'operation~source', not {word!r}")
                operation = _ALIASES.get(operation, operation)
                if operation not in ("none", *self.operations):
                    raise ArchitectureError(
                        f"unknown operation {operation!r}{suggestion(operation, ('none', *self.operations))}"
                    )
                if not int(source) < target:
                    raise ArchitectureError(f"edge {source}->{target} must come from an earlier node")
                if operation != "none":
                    edges.append(Edge(target=target, source=int(source), operation=operation))
        cell = Cell(inputs=self.inputs, nodes=self.nodes, outputs=self.outputs, edges=tuple(sorted(edges)))
        self.vector(cell)
        return cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One or more cell templates; an architecture picks a cell of each."""

    name: str
    templates: tuple[CellTemplate, ...]

    @property
    def slots(self) -> tuple[tuple[int, int, int], ...]:
        """Every slot of the whole vector as (template index, source, target)."""
        return tuple((index, s, t) for index, template in enumerate(self.templates) for s, t in template.slots)

    def count(self) -> int:
        """Number of distinct spellings (dead edges and node numbering included).

        Example:
            >>> SPACES["nb201"].count(), SPACES["transnas-micro"].count()
            (15625, 4096)
        """
        return math.prod(template.count() for template in self.templates)

    def contains(self, architecture: Architecture) -> bool:
        """Whether the architecture is written in this space and each cell fits its template."""
        if architecture.space != self.name or len(architecture.cells) != len(self.templates):
            return False
        try:
            self.encode(architecture)
        except ArchitectureError:
            return False
        return True

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` exactly uniform, independent architectures as slot vectors."""
        return np.concatenate([template.draw(rng, count) for template in self.templates], axis=1)

    def fits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row of `(n, slots)` belongs to this space."""
        parts = self.split(vectors)
        return np.asarray(np.all([t.fits(part) for t, part in zip(self.templates, parts, strict=True)], axis=0))

    def neighbours(self, vector: Vector) -> Vector:
        """`(k, slots)` every architecture one edit away from a `(slots,)` vector, in a fixed order."""
        rows = []
        start = 0
        for template in self.templates:
            stop = start + len(template.slots)
            for changed in template.neighbours(vector[start:stop]):
                row = vector.copy()
                row[start:stop] = changed
                rows.append(row)
            start = stop
        return np.stack(rows)

    def enumerate(self) -> Vector:
        """`(count, slots)` every architecture, in lexicographic order of the vector.

        Raises:
            ArchitectureError: the space has more than a million architectures.
        """
        if self.count() > 1_000_000:
            raise ArchitectureError(f"space {self.name} has {self.count():,} architectures: too many to enumerate")
        widths = [len(template.operations) + 1 for template in self.templates for _ in template.slots]
        rows = np.array(list(itertools.product(*map(range, widths))), dtype=np.int8)
        return rows[self.fits(rows)]

    def encode(self, architecture: Architecture) -> Vector:
        """`(slots,)` int8 vector of an architecture.

        Raises:
            ArchitectureError: it is not of this space.
        """
        if architecture.space != self.name:
            raise ArchitectureError(f"an architecture of space {architecture.space!r} is not of space {self.name!r}")
        if len(architecture.cells) != len(self.templates):
            raise ArchitectureError(
                f"space {self.name} needs {len(self.templates)} cells, not {len(architecture.cells)}"
            )
        return np.concatenate([t.vector(cell) for t, cell in zip(self.templates, architecture.cells, strict=True)])

    def decode(self, vector: Vector, *, macro: Macro) -> Architecture:
        """The architecture that a `(slots,)` vector spells."""
        parts = self.split(vector[None])
        cells = tuple(t.cell(part[0]) for t, part in zip(self.templates, parts, strict=True))
        return Architecture(space=self.name, cells=cells, macro=macro)

    def split(self, vectors: Vector) -> list[Vector]:
        """The columns of `(n, slots)` vectors that belong to each template."""
        stops = list(itertools.accumulate(len(template.slots) for template in self.templates))
        if vectors.ndim != 2 or vectors.shape[1] != stops[-1]:
            raise ArchitectureError(f"vectors of space {self.name} are (n, {stops[-1]}), not {vectors.shape}")
        return np.split(vectors, stops[:-1], axis=1)

    def format(self, architecture: Architecture) -> str:
        """One line: `space/macro:cell[;cell]`."""
        cells = ";".join(t.format(cell) for t, cell in zip(self.templates, architecture.cells, strict=True))
        return f"{self.name}/{architecture.macro}:{cells}"

    def parse_cells(self, text: str, *, macro: Macro) -> Architecture:
        """Read the cells alone, without space and macro settings.

        Example:
            >>> a = SPACES["nb201"].parse_cells("|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|", macro=Macro())
            >>> str(a)
            'nb201/c16n5r32:|conv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|'
        """
        parts = text.strip().split(";")
        if len(parts) != len(self.templates):
            raise ArchitectureError(
                f"space {self.name} needs {len(self.templates)} cells joined by ';', not {len(parts)}"
            )
        cells = tuple(t.parse(part) for t, part in zip(self.templates, parts, strict=True))
        return Architecture(space=self.name, cells=cells, macro=macro)


_NB201 = CellTemplate(
    name="cell", inputs=1, nodes=4, outputs=(3,), operations=("skip", "conv1x1", "conv3x3", "avg3")
)  # Dong & Yang 2020 (ICLR), NAS-Bench-201
_TRANSNAS = CellTemplate(
    name="cell", inputs=1, nodes=4, outputs=(3,), operations=("skip", "conv1x1", "conv3x3")
)  # Duan et al. 2021 (CVPR), TransNAS-Bench-101, micro space
_DARTS_OPERATIONS = ("skip", "max3", "avg3", "sep3x3", "sep5x5", "dil3x3", "dil5x5")
_DARTS = tuple(
    CellTemplate(
        name=name,
        inputs=2,
        nodes=6,
        outputs=(2, 3, 4, 5),
        operations=_DARTS_OPERATIONS,
        in_degree=2,
        reduces=name == "reduce",
    )
    for name in ("normal", "reduce")
)  # Liu, Simonyan, Yang 2019 (ICLR), DARTS

SPACES: Mapping[str, Space] = {
    "nb201": Space(name="nb201", templates=(_NB201,)),
    "transnas-micro": Space(name="transnas-micro", templates=(_TRANSNAS,)),
    "darts": Space(name="darts", templates=_DARTS),
}


def space_named(name: str) -> Space:
    """The space of that name, or the derived one that `base{operator,…}` spells out.

    Raises:
        ArchitectureError: there is none; the message suggests the nearest.

    Example:
        >>> space_named("nb201{conv3x3>avg3}").count()
        46656
    """
    if name in SPACES:
        return SPACES[name]
    base, brace, operators = name.partition("{")
    if base not in SPACES:
        raise ArchitectureError(f"unknown space {name!r}{suggestion(name, sorted(SPACES))}")
    if not brace or not operators.endswith("}"):
        raise ArchitectureError(f"a space with composed operators reads 'nb201{{a>b,a>b&c}}', not {name[:60]!r}")
    return composed_space(base, tuple(operators[:-1].split(",")))


def base_name(name: str) -> str:
    """The name of the space that a derived one comes from; of another space its own.

    Example:
        >>> base_name("nb201{conv3x3>avg3}"), base_name("nb201")
        ('nb201', 'nb201')
    """
    return name.partition("{")[0]


@functools.lru_cache(maxsize=256)
def composed_space(base: str, operators: tuple[str, ...]) -> Space:
    """A space whose edges may also carry composed operators; its name spells them out, their order is their number.

    Raises:
        ArchitectureError: not an operator of that space's operations, one named twice, too many of them, or a space
            whose nodes have a fixed number of edges, in which no operator can stand alone to be judged.
    """
    space = space_named(base)
    if not operators:
        return space
    if len(operators) > MOST_COMPOSED or len(set(operators)) < len(operators):
        raise ArchitectureError(f"a space has at most {MOST_COMPOSED} composed operators, each once")
    for template in space.templates:
        if template.in_degree is not None:
            raise ArchitectureError(f"space {base} fixes the number of edges of a node: it takes no composed operators")
        for operator in operators:
            unknown = [step for _, _, step in written_out(operator).edges if step not in template.operations]
            if not is_composed(operator) or unknown:
                raise ArchitectureError(f"{operator!r} is not composed of operations of space {base}")
    return Space(
        name=f"{base}{{{','.join(operators)}}}",
        templates=tuple(replace(one, operations=(*one.operations, *operators)) for one in space.templates),
    )


def respelled(architecture: Architecture, space: Space) -> Architecture | None:
    """The same cells as architectures of a space of the same base; None where one carries an operator it has not."""
    if architecture.space == space.name:
        return architecture
    if base_name(architecture.space) != base_name(space.name):
        return None
    same = replace(architecture, space=space.name)
    return same if space.contains(same) else None


def parse_architecture(text: str) -> Architecture:
    """Read the one-line form `space/macro:cell[;cell]`.

    Raises:
        ArchitectureError: not such a text; the message names the part that is wrong.

    Example:
        >>> text = "nb201/c8n1r16:|conv3x3~0|+|none~0|none~1|+|skip~0|conv3x3~1|none~2|"
        >>> str(parse_architecture(text)) == text
        True
    """
    if len(text) > _MAX_TEXT:
        raise ArchitectureError(f"an architecture text has at most {_MAX_TEXT} characters, not {len(text)}")
    head, colon, cells = text.partition(":")
    name, slash, macro = head.partition("/")
    match = _MACRO.fullmatch(macro)
    if not colon or not slash or not match:
        raise ArchitectureError(f"an architecture reads 'space/c16n5r32:cells', not {text[:60]!r}")
    return space_named(name).parse_cells(cells, macro=Macro(*map(int, match.groups())))


@functools.cache
def operations_of(space: str) -> tuple[str, ...]:
    """Every operation that some template of the space allows, in a fixed order, without `none`."""
    seen = dict.fromkeys(op for template in space_named(space).templates for op in template.operations)
    return tuple(seen)
