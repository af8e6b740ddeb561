"""An architecture, and the space that it is drawn from.

An architecture is cells plus macro settings: immutable, hashable, addressed by the content of its effective graph. A
space says which there are, and how to draw, count, encode, spell and read them.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ArchitectureError
from selfnas.spaces.canonical import digest_of
from selfnas.spaces.cell import Cell
from selfnas.spaces.composed import write_out
from selfnas.spaces.macro import Macro
from selfnas.spaces.operation import Operation
from selfnas.spaces.template import CellTemplate, Vector

__all__ = ["Architecture", "Macro", "Space", "TaskShape", "base_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}(\{[a-z0-9>&,]+\})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShape:
    """What a network must fit.

    Attributes:
        channels: of the input; the features of a table, the vocabulary of token sequences.
        size: spatial: two sides for images, a length for series and token sequences, empty for tables.
        classes: how many numbers the network gives: classes, labels, thresholds, or numbers of a regression
            (`selfnas.data.targets.Target.outputs`).
    """

    channels: int
    size: tuple[int, ...]
    classes: int

    def __post_init__(self) -> None:
        if self.channels < 1 or len(self.size) > 2 or min(self.size, default=4) < 4 or self.classes < 1:
            raise ArchitectureError(
                f"need channels >= 1, at most two spatial sizes >= 4 and classes >= 1, not channels={self.channels} "
                f"size={self.size} classes={self.classes}"
            )

    @property
    def dimensions(self) -> int:
        """0 for tables, 1 for series and token sequences, 2 for images."""
        return len(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Cells of one space with macro settings.

    Attributes:
        cells: one per cell template of the space, in its order.

    `str()` is the one-line form `space/macro:cell[;cell]`, read back by `selfnas.spaces.named.parse_architecture`.
    """

    space: Space = field(hash=False)  # cells and macro settings tell architectures apart well enough
    cells: tuple[Cell, ...]
    macro: Macro

    @property
    def flat(self) -> tuple[Cell, ...]:
        """The cells with composed operators written out: what is built."""
        return tuple(map(write_out, self.cells))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical effective graph and the macro settings, in hexadecimal.

        Dead operations and node numbering do not enter, so two spellings of one network share it. The space's name
        does not enter either: the same network found in two spaces is one network.
        """
        return _digest(self)

    def __str__(self) -> str:
        return self.space.format(self)

    def _repr_png_(self) -> bytes:
        """Its cells, for notebooks."""
        from selfnas.spaces.drawing import picture

        templates = self.space.templates
        titles = [f"{template.name} of {self.digest[:12]}" for template in templates]
        cells = list(zip(titles, self.cells, strict=True))
        return picture(cells, operations=self.space.operations, dpi=110)

    def to_json(self) -> str:
        """A JSON object with the keys `architecture` and `digest`."""
        return json.dumps({"architecture": str(self), "digest": self.digest}, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Space:
    """One or more cell templates; an architecture picks a cell of each.

    Spaces are equal where name, templates and origin are. Any value serves everywhere; one that a text names must be in
    the table of `named.py`, or be brought in force there.

    Attributes:
        name: letters, digits, `-` and `_`; a derived space spells out its composed operators.
        templates: the kinds of cells.
        origin: the plug-ins that it and its operations come from, with their digests; empty for none. It enters the
            digest of every guard for this space.

    Raises:
        ArchitectureError: a name that does not read so, no templates, or two operations of one name.
    """

    name: str
    templates: tuple[CellTemplate, ...] = field(hash=False, repr=False)
    origin: str = field(default="", hash=False, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ArchitectureError(f"a space's name is letters, digits, '-' and '_', not {self.name[:60]!r}")
        kinds = [(template.inputs, len(template.outputs)) for template in self.templates]
        if kinds != [(1, 1)] and not (len(kinds) == 2 and kinds[0] == kinds[1] and kinds[0][0] == 2):
            raise ArchitectureError(
                f"space {self.name} needs one template of one input and one output, or a normal and a reducing one of "
                "two inputs and equally many outputs"
            )
        for template in self.templates:
            for operation in template.operations:
                if self.operations[operation.name] != operation:
                    raise ArchitectureError(f"space {self.name} has two operations named {operation.name!r}")
        if not self.dimensions:
            raise ArchitectureError(f"no kind of input fits every operation of space {self.name}")

    def __str__(self) -> str:
        return self.name

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """Numbers of spatial dimensions in which all its operations exist: 0 for tables, 1 for series, 2 for images."""
        each = [operation.dimensions for operation in self.operations.values()]
        return tuple(count for count in (0, 1, 2) if all(count in one for one in each))

    @property
    def base(self) -> str:
        """The name of the space that this one is derived from, or its own."""
        return base_name(self.name)

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """Every operation that some template allows, by name, in a fixed order, without `none`."""
        return {operation.name: operation for template in self.templates for operation in template.operations}

    @cached_property
    def identities(self) -> frozenset[str]:
        """Names of the operations that hand on their input as it is."""
        return frozenset(name for name, operation in self.operations.items() if operation.identity)

    @cached_property
    def slots(self) -> tuple[tuple[int, int, int], ...]:
        """Every slot of the whole vector as (template index, source, target)."""
        return tuple((index, s, t) for index, template in enumerate(self.templates) for s, t in template.slots)

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """For each slot, how many values it can have: operations, and none."""
        return tuple(len(template.operations) + 1 for template in self.templates for _ in template.slots)

    def place(self, vectors: Vector) -> NDArray[np.int64]:
        """`(n,)` where `(n, slots)` vectors stand in the lexicographic order of all, members of the space or not."""
        places = np.zeros(len(vectors), dtype=np.int64)
        for column, kinds in enumerate(self.kinds):
            places = places * kinds + vectors[:, column]
        return places

    def count(self) -> int:
        """Number of distinct spellings (dead edges and node numbering included).

        Example:
            >>> from selfnas.spaces.named import SPACES
            >>> SPACES["nb201"].count(), SPACES["transnas-micro"].count()
            (15625, 4096)
        """
        return math.prod(template.count() for template in self.templates)

    def contains(self, architecture: Architecture) -> bool:
        """Whether the architecture is written in this space and each cell fits its template."""
        if architecture.space != self or len(architecture.cells) != len(self.templates):
            return False
        try:
            self.encode(architecture)
        except ArchitectureError:
            return False
        return True

    def spells(self, architecture: Architecture) -> bool:
        """Whether the architecture is written in this space; its cells are not looked at."""
        return architecture.space is self or architecture.space == self

    def settings(self, vectors: Vector) -> NDArray[np.float64]:
        """`(n, values)` what `(n, slots)` vectors say of macro settings: nothing, unless a search may choose them."""
        return np.zeros((len(vectors), 0))

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` exactly uniform, independent architectures as slot vectors."""
        return np.concatenate([template.draw(rng, count) for template in self.templates], axis=1)

    def fits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row of `(n, slots)` belongs to this space."""
        parts = self.split(vectors)
        return np.asarray(np.all([t.fits(part) for t, part in zip(self.templates, parts, strict=True)], axis=0))

    def effective(self, vectors: Vector) -> Vector:
        """`(n, slots)` the same architectures without their dead edges."""
        parts = self.split(vectors)
        return np.concatenate([t.effective(part) for t, part in zip(self.templates, parts, strict=True)], axis=1)

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
        rows = np.array(list(itertools.product(*map(range, self.kinds))), dtype=np.int8)
        return rows[self.fits(rows)]

    def encode(self, architecture: Architecture) -> Vector:
        """`(slots,)` int8 vector of an architecture.

        Raises:
            ArchitectureError: it is not of this space.
        """
        if architecture.space is not self and architecture.space != self:
            raise ArchitectureError(
                f"an architecture of space {architecture.space.name!r} is not of space {self.name!r}"
            )
        if len(architecture.cells) != len(self.templates):
            raise ArchitectureError(
                f"space {self.name} needs {len(self.templates)} cells, not {len(architecture.cells)}"
            )
        return np.concatenate([t.vector(cell) for t, cell in zip(self.templates, architecture.cells, strict=True)])

    def decode(self, vector: Vector, *, macro: Macro) -> Architecture:
        """The architecture that a `(slots,)` vector spells."""
        parts = self.split(vector[None])
        cells = tuple(t.cell(part[0]) for t, part in zip(self.templates, parts, strict=True))
        return Architecture(space=self, cells=cells, macro=macro)

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
            >>> from selfnas.spaces.named import SPACES
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
        return Architecture(space=self, cells=cells, macro=macro)


def base_name(name: str) -> str:
    """The name of the space that a derived one comes from; of another space its own.

    Example:
        >>> base_name("nb201{conv3x3>avg3}"), base_name("nb201")
        ('nb201', 'nb201')
    """
    return name.partition("{")[0]


@functools.lru_cache(maxsize=65536)
def _digest(architecture: Architecture) -> str:
    return digest_of(architecture.flat, str(architecture.macro), identities=architecture.space.identities)
