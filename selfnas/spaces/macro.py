"""Macro settings: how cells are stacked into a network, with what before and behind them, and how that is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from selfnas.errors import ArchitectureError

__all__ = ["HEADS", "STAGES", "STEM_STRIDES", "Macro", "parse_macro"]

# How the head brings space down to a vector, and the letters that spell it; of tables, which have no space, none does.
HEADS: Mapping[str, str] = MappingProxyType(
    {
        "average": "",  # mean over all positions
        "grid4": "g4",  # means over four parts in each dimension, side by side
        "attention": "a",  # mean over all positions, each weighted by what is there
        "peaks": "p",  # mean and maximum over all positions
    }
)
STEM_STRIDES = (1, 2, 4)
STAGES = (3, 2, 1)
_SPELLED = re.compile(r"c(\d{1,4})n(\d{1,2})r(\d{1,4})(?:t([12]))?(?:s([124]))?(?:h([a-z]\d?))?")


@dataclass(frozen=True, slots=True, order=True)
class Macro:
    """How cells are stacked.

    Attributes:
        channels: width of the first stage; it doubles at each reduction, of which there is one between two stages.
        depth: cells per stage.
        resolution: the stem halves larger images, at most twice, until no side exceeds it (series: four times it).
        head: one of `HEADS`.
        stem: stride of the stem, one of `STEM_STRIDES`; 0 leaves it to `resolution`.
        stages: 3, or fewer for shallow networks, whose answers can be proved farther; spaces of two inputs have 3.

    The defaults are those of NAS-Bench-201. `str()` gives `c16n5r32`, followed by `t1` or `t2` for fewer stages, by
    `s2` for a stem that is not left to the resolution, and by `hg4`, `ha` or `hp` for another head than the mean.

    Raises:
        ArchitectureError: a setting out of range.
    """

    channels: int = 16
    depth: int = 5
    resolution: int = 32
    head: str = "average"
    stem: int = 0
    stages: int = 3

    def __post_init__(self) -> None:
        if not (2 <= self.channels <= 4096 and 1 <= self.depth <= 64 and 4 <= self.resolution <= 4096):
            raise ArchitectureError(
                "need channels in 2..4096, depth in 1..64 and resolution in 4..4096, not "
                f"channels={self.channels} depth={self.depth} resolution={self.resolution}"
            )
        if self.head not in HEADS:
            raise ArchitectureError(f"a head is one of {', '.join(HEADS)}, not {self.head!r}")
        if self.stem not in (0, *STEM_STRIDES):
            raise ArchitectureError(f"a stem has stride 1, 2 or 4, or 0 to follow the resolution, not {self.stem}")
        if self.stages not in STAGES:
            raise ArchitectureError(f"a network has 1, 2 or 3 stages, not {self.stages}")

    def __str__(self) -> str:
        stages = f"t{self.stages}" if self.stages != STAGES[0] else ""
        stem = f"s{self.stem}" if self.stem else ""
        head = f"h{HEADS[self.head]}" if HEADS[self.head] else ""
        return f"c{self.channels}n{self.depth}r{self.resolution}{stages}{stem}{head}"


def parse_macro(text: str) -> Macro:
    """Macro settings as `str` writes them.

    Raises:
        ArchitectureError: not such a text, or out of range.

    Example:
        >>> parse_macro("c8n1r16hg4").head, str(parse_macro("c16n5r32"))
        ('grid4', 'c16n5r32')
    """
    match = _SPELLED.fullmatch(text)
    heads = {letters: name for name, letters in HEADS.items()}
    if not match or (match[6] or "") not in heads:
        raise ArchitectureError(
            f"macro settings read 'c16n5r32' (width, depth, resolution), then 't1' for fewer stages, 's2' for the "
            f"stem's stride and 'hg4' for the head where they are chosen, not {text[:40]!r}"
        )
    channels, depth, resolution, stages, stem = (int(digits or 0) for digits in match.groups()[:5])
    return Macro(
        channels=channels,
        depth=depth,
        resolution=resolution,
        head=heads[match[6] or ""],
        stem=stem,
        stages=stages or STAGES[0],
    )
