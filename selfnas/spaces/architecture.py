"""An architecture: cells plus macro settings; immutable, hashable, addressed by the content of its effective graph."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfnas.errors import ArchitectureError
from selfnas.spaces.canonical import digest_of
from selfnas.spaces.cell import Cell
from selfnas.spaces.composed import write_out

if TYPE_CHECKING:
    from selfnas.spaces.space import Space

__all__ = ["Architecture", "Macro", "TaskShape"]


@dataclass(frozen=True, slots=True, order=True)
class Macro:
    """How cells are stacked.

    Attributes:
        channels: width of the first stage; it doubles at each of the two reductions.
        depth: cells per stage, over three stages.
        resolution: the stem halves larger images, at most twice, until no side exceeds it (series: four times it).

    The defaults are those of NAS-Bench-201.
    """

    channels: int = 16
    depth: int = 5
    resolution: int = 32

    def __post_init__(self) -> None:
        if not (2 <= self.channels <= 4096 and 1 <= self.depth <= 64 and 4 <= self.resolution <= 4096):
            raise ArchitectureError(
                "need channels in 2..4096, depth in 1..64 and resolution in 4..4096, not "
                f"channels={self.channels} depth={self.depth} resolution={self.resolution}"
            )

    def __str__(self) -> str:
        return f"c{self.channels}n{self.depth}r{self.resolution}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShape:
    """What a network must fit: input channels, spatial size (one entry for series, two for images), classes."""

    channels: int
    size: tuple[int, ...]
    classes: int

    def __post_init__(self) -> None:
        if self.channels < 1 or len(self.size) not in (1, 2) or min(self.size) < 4 or self.classes < 2:
            raise ArchitectureError(
                f"need channels >= 1, one or two spatial sizes >= 4 and classes >= 2, not channels={self.channels} "
                f"size={self.size} classes={self.classes}"
            )

    @property
    def dimensions(self) -> int:
        """1 for series, 2 for images."""
        return len(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Cells of one space with macro settings.

    Attributes:
        space: the one it is written in.
        cells: one per cell template of the space, in its order.
        macro: how the cells are stacked.

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


@functools.lru_cache(maxsize=65536)
def _digest(architecture: Architecture) -> str:
    return digest_of(architecture.flat, str(architecture.macro), identities=architecture.space.identities)
