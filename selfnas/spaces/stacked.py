"""Macro settings that are searched together with the cells: a space whose vectors say both.

`stacked(space, choices)` has, after the slots of the cells, one column for each setting of which there is a choice. Its
architectures are those of the space itself, so that texts, digests and certificates are what they are without it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfnas.errors import ArchitectureError
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.macro import STAGES, parse_macro
from selfnas.spaces.template import Vector

__all__ = ["MOST_STACKS", "Choices", "StackedSpace", "parse_choices", "stacked"]

MOST_STACKS = 64  # a guard is compiled for each
_SETTINGS = ("channels", "depth", "resolution", "stem", "head", "stages")
_LETTERS = "cnrsh"  # of all but the last, which stands before the stem where there are not three stages alone
_CHOSEN = re.compile(r"c([\d,]+)n([\d,]+)r([\d,]+)(?:t([\d,]+))?s([\d,]+)h([a-z\d,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """For each macro setting the values that a search may choose, one where there is nothing to choose.

    Raises:
        ArchitectureError: none or a value twice, a setting out of range, or more than `MOST_STACKS` in all.
    """

    channels: tuple[int, ...]
    depth: tuple[int, ...]
    resolution: tuple[int, ...]
    stem: tuple[int, ...] = (0,)
    head: tuple[str, ...] = ("average",)
    stages: tuple[int, ...] = (3,)

    def __post_init__(self) -> None:
        for name in _SETTINGS:
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ArchitectureError(f"macro setting {name} needs one or more values, no two alike")
        if len(self) > MOST_STACKS:
            raise ArchitectureError(f"macro settings leave {len(self)} ways to stack cells: at most {MOST_STACKS}")
        tuple(self)

    @staticmethod
    def of(macro: Macro) -> Choices:
        """The one way that leaves nothing to choose."""
        return Choices(
            channels=(macro.channels,),
            depth=(macro.depth,),
            resolution=(macro.resolution,),
            stem=(macro.stem,),
            head=(macro.head,),
            stages=(macro.stages,),
        )

    def __len__(self) -> int:
        total = 1
        for name in _SETTINGS:
            total *= len(getattr(self, name))
        return total

    def __iter__(self) -> Iterator[Macro]:
        """Every way to stack cells, in the order of `place`."""
        for values in itertools.product(*(getattr(self, name) for name in _SETTINGS)):
            yield Macro(**dict(zip(_SETTINGS, values, strict=True)))

    def __contains__(self, macro: Macro) -> bool:
        return all(getattr(macro, name) in getattr(self, name) for name in _SETTINGS)

    def __str__(self) -> str:
        if len(self) == 1:
            return str(self.first)
        parts = [
            f"{letter}{','.join(map(str, getattr(self, name)))}"
            for letter, name in zip(_LETTERS, _SETTINGS[:-1], strict=True)
        ]
        stages = f"t{','.join(map(str, self.stages))}" if self.stages != (STAGES[0],) else ""
        return "".join([*parts[:3], stages, *parts[3:]])

    @property
    def first(self) -> Macro:
        """Of each setting the first value: what is stacked where nothing is chosen."""
        return next(iter(self))

    @property
    def open(self) -> tuple[str, ...]:
        """Names of the settings of which there is a choice."""
        return tuple(name for name in _SETTINGS if len(getattr(self, name)) > 1)

    @property
    def kinds(self) -> tuple[int, ...]:
        """How many values each of those has."""
        return tuple(len(getattr(self, name)) for name in self.open)

    def columns(self, macro: Macro) -> list[int]:
        """Which values of the open settings it has.

        Raises:
            ArchitectureError: it is none of these.
        """
        if macro not in self:
            raise ArchitectureError(f"macro settings {macro} are none of {self}")
        return [getattr(self, name).index(getattr(macro, name)) for name in self.open]

    def macro(self, columns: list[int]) -> Macro:
        """What those values spell."""
        chosen = {name: getattr(self, name)[value] for name, value in zip(self.open, columns, strict=True)}
        return replace(self.first, **chosen)


def parse_choices(text: str) -> Choices:
    """What `str` of choices wrote, or of one `Macro`.

    Raises:
        ArchitectureError: not such a text.

    Example:
        >>> len(parse_choices("c8,16n1,2r16s0haverage,peaks")), len(parse_choices("c8n1r16hp"))
        (8, 1)
    """
    if "," not in text:
        return Choices.of(parse_macro(text))
    match = _CHOSEN.fullmatch(text)
    if match is None:
        raise ArchitectureError(f"not macro settings: {text[:60]!r}")
    numbers = (match[1], match[2], match[3], match[4] or str(STAGES[0]), match[5])
    try:
        channels, depth, resolution, stages, stem = (tuple(map(int, part.split(","))) for part in numbers)
    except ValueError as error:
        raise ArchitectureError(f"not macro settings: {text[:60]!r}") from error
    return Choices(
        channels=channels,
        depth=depth,
        resolution=resolution,
        stem=stem,
        head=tuple(match[6].split(",")),
        stages=stages,
    )


@dataclass(frozen=True, kw_only=True)
class StackedSpace(Space):
    """A space whose vectors also say how cells are stacked; see the module.

    Attributes:
        choices: of macro settings, more than one in all.
    """

    choices: Choices = field(default=Choices(channels=(16,), depth=(5,), resolution=(32,)), repr=False)

    @cached_property
    def cells(self) -> Space:
        """The space of the cells alone, which its architectures are of."""
        return Space(name=self.name, templates=self.templates, origin=self.origin)

    @cached_property
    def slots(self) -> tuple[tuple[int, int, int], ...]:
        """As of every space; a macro setting stands as (-1, its number, its number)."""
        return (*self.cells.slots, *((-1, number, number) for number in range(len(self.choices.kinds))))

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """For each column, how many values it can have."""
        return (*self.cells.kinds, *self.choices.kinds)

    def count(self) -> int:
        """Cells times ways to stack them."""
        return self.cells.count() * len(self.choices)

    def spells(self, architecture: Architecture) -> bool:
        """Whether it is of the cells' space and stacked in one of the ways."""
        return architecture.space == self.cells and architecture.macro in self.choices

    def contains(self, architecture: Architecture) -> bool:
        """The same, and each cell fits its template."""
        return architecture.macro in self.choices and self.cells.contains(architecture)

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` exactly uniform, independent architectures as vectors."""
        columns = [rng.integers(0, kinds, size=(count, 1), dtype=np.int8) for kinds in self.choices.kinds]
        return np.concatenate([self.cells.draw(rng, count), *columns], axis=1)

    def fits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row of `(n, slots)` belongs to this space."""
        cells, columns = self._parts(vectors)
        inside = ((columns >= 0) & (columns < np.array(self.choices.kinds))).all(axis=1)
        return np.asarray(self.cells.fits(cells) & inside)

    def effective(self, vectors: Vector) -> Vector:
        """`(n, slots)` the same architectures without their dead edges."""
        cells, columns = self._parts(vectors)
        return np.concatenate([self.cells.effective(cells), columns], axis=1)

    def neighbours(self, vector: Vector) -> Vector:
        """`(k, slots)` every architecture one edit of a cell or one macro setting away, in a fixed order."""
        cells, columns = (part[0] for part in self._parts(vector[None]))
        near = self.cells.neighbours(cells)
        rows = [np.concatenate([near, np.repeat(columns[None], len(near), axis=0)], axis=1)]
        for column, kinds in enumerate(self.choices.kinds, start=len(cells)):
            for value in range(kinds):
                if value != vector[column]:
                    changed = vector.copy()
                    changed[column] = value
                    rows.append(changed[None])
        return np.concatenate(rows)

    def encode(self, architecture: Architecture) -> Vector:
        """`(slots,)` int8 vector of an architecture.

        Raises:
            ArchitectureError: it is not of this space.
        """
        columns = self.choices.columns(architecture.macro)
        return np.concatenate([self.cells.encode(architecture), np.array(columns, dtype=np.int8)])

    def decode(self, vector: Vector, *, macro: Macro) -> Architecture:
        """The architecture that a `(slots,)` vector spells; `macro` is not asked."""
        cells, columns = (part[0] for part in self._parts(vector[None]))
        return self.cells.decode(cells, macro=self.choices.macro(columns.tolist()))

    def split(self, vectors: Vector) -> list[Vector]:
        """The columns of `(n, slots)` vectors that belong to each template; none has those of macro settings."""
        return self.cells.split(self._parts(vectors)[0])

    def stacks(self, vectors: Vector) -> NDArray[np.int64]:
        """`(n,)` the number, in the order of the choices, of the way in which each row of `(n, slots)` is stacked."""
        places = np.zeros(len(vectors), dtype=np.int64)
        for values, kinds in zip(self._parts(vectors)[1].T, self.choices.kinds, strict=True):
            places = places * kinds + values
        return places

    def settings(self, vectors: Vector) -> NDArray[np.float64]:
        """`(n, values)` 1 where a macro setting has a value, for each setting that is open and each of its values."""
        columns = self._parts(vectors)[1]
        marks = [columns[:, [place]] == np.arange(kinds) for place, kinds in enumerate(self.choices.kinds)]
        return np.concatenate(marks, axis=1).astype(np.float64)

    def parse_cells(self, text: str, *, macro: Macro) -> Architecture:
        """As of the space of the cells."""
        return self.cells.parse_cells(text, macro=macro)

    def _parts(self, vectors: Vector) -> tuple[Vector, Vector]:
        """The columns of the cells, and those of macro settings."""
        if vectors.ndim != 2 or vectors.shape[1] != len(self.slots):
            raise ArchitectureError(f"vectors of space {self.name} are (n, {len(self.slots)}), not {vectors.shape}")
        return vectors[:, : len(self.cells.slots)], vectors[:, len(self.cells.slots) :]


def stacked(space: Space, choices: Choices) -> Space:
    """The space with macro settings to choose, or as it is where there is but one way.

    Example:
        >>> from selfnas.spaces.named import SPACES
        >>> stacked(SPACES["nb201"], parse_choices("c8,16n1r16s0haverage,peaks")).count()
        62500
    """
    if len(choices) == 1:
        return space
    return StackedSpace(name=space.name, templates=space.templates, origin=space.origin, choices=choices)
