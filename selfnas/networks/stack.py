"""How cells are stacked into a network: the plan that the builder, the cost tables and the rules all read.

Single-input spaces follow NAS-Bench-201 (stem, up to three stages of cells, a residual reduction block between stages);
two-input spaces follow DARTS (each cell sees the two blocks before it, reduction cells between stages). Tables have no
resolution to halve: their stem is a linear layer over features laid out in bins, and what is a reduction elsewhere only
widens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from selfnas.errors import ArchitectureError
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.macro import STAGES
from selfnas.spaces.operation import halved, kinds_of_input

__all__ = ["Block", "Stack", "grid_stride", "laid_out", "pooled_features", "stack", "table_bins"]

_MOST_BINS, _MOST_BINNED = 16, 1024  # of one feature, and of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One cell instance or one fixed reduction block.

    Attributes:
        template: index of the space's cell template; None for a residual reduction block.
        inputs: the blocks it reads, -1 for the stem.
        channels_in: channels of each input as it arrives.
        strides: what brings each input to the common resolution: 2 where it comes from before a reduction.
        channels: width inside.
        channels_out: width of what leaves.
        stride: 2 when the block halves the resolution, else 1.
        size_in: spatial size at which its operations work, before its own stride.
        size_out: spatial size of what leaves.
    """

    template: int | None
    inputs: tuple[int, ...]
    channels_in: tuple[int, ...]
    strides: tuple[int, ...]
    channels: int
    channels_out: int
    stride: int
    size_in: tuple[int, ...]
    size_out: tuple[int, ...]

    def edge(self, source: int) -> tuple[tuple[int, ...], int]:
        """Spatial size that an edge from node `source` of its cell reads, and the edge's stride."""
        return (self.size_in, self.stride) if source < len(self.inputs) else (self.size_out, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Stem, blocks and head of a network for one task shape.

    Attributes:
        stem_stride: stride of the stem convolution; its kernel is `stem_kernel`.
        stem_bins: bins that each feature of a table is laid out in before the stem; 0 for none.
        head: how space is brought down to a vector, of `selfnas.spaces.macro.HEADS`; `average` where there is none.
    """

    shape: TaskShape
    stem_kernel: int
    stem_stride: int
    stem_channels: int
    stem_size: tuple[int, ...]
    blocks: tuple[Block, ...]
    head: str = "average"
    stem_bins: int = 0

    @property
    def stem_inputs(self) -> int:
        """Channels that the stem's convolution or linear layer reads."""
        return laid_out(self.shape.channels, self.stem_bins)

    @property
    def features(self) -> int:
        """How many numbers the linear layer of the head sees."""
        last = self.blocks[-1]
        return pooled_features(self.head, last.channels_out, last.size_out)


def grid_stride(size: tuple[int, ...]) -> tuple[int, ...]:
    """Positions in each dimension that are averaged into one by the head `grid4`; it gives at most four in each.

    Example:
        >>> grid_stride((8, 3)), grid_stride((9,))
        ((2, 1), (3,))
    """
    return tuple(-(-side // 4) for side in size)


def laid_out(features: int, bins: int) -> int:
    """How many numbers the features of a table become, each beside its bins."""
    return features * (1 + bins)


def table_bins(features: int) -> int:
    """How many bins each feature of a table is laid out in: 16, fewer where there are many features, down to none.

    Example:
        >>> [table_bins(features) for features in (4, 100, 1000)]
        [16, 10, 0]
    """
    bins = min(_MOST_BINS, _MOST_BINNED // features)
    return bins if bins > 1 else 0


def pooled_features(head: str, channels: int, size: tuple[int, ...]) -> int:
    """How many numbers a head makes of `channels` over a spatial `size`.

    Example:
        >>> [pooled_features(head, 32, (4, 2)) for head in ("average", "grid4", "attention", "peaks")]
        [32, 256, 32, 64]
    """
    if head == "grid4":
        return channels * math.prod(-(-side // step) for side, step in zip(size, grid_stride(size), strict=True))
    return 2 * channels if head == "peaks" else channels


def stack(space: Space, macro: Macro, shape: TaskShape) -> Stack:
    """The plan of every network of a space under given macro settings, for one task shape.

    Raises:
        ArchitectureError: some operation of the space does not exist for inputs of so many dimensions.
    """
    if shape.dimensions not in space.dimensions:
        fitting, here = kinds_of_input(space.dimensions), kinds_of_input([shape.dimensions])
        raise ArchitectureError(f"space {space.name} is for {fitting}, not for {here}")
    stride = macro.stem or 1
    longest = macro.resolution * (4 if shape.dimensions == 1 else 1)
    while not macro.stem and max(shape.size, default=1) / stride > longest and stride < 4:
        stride *= 2
    size = halved(shape.size, stride)
    two_inputs = space.templates[0].inputs == 2
    if two_inputs and macro.stages != STAGES[0]:
        raise ArchitectureError(f"space {space.name} has cells of two inputs, which are stacked in 3 stages alone")
    width = macro.channels * (3 if two_inputs else 1)  # DARTS widens the stem threefold
    blocks = _two_input_blocks(macro, width, size, space) if two_inputs else _one_input_blocks(macro, width, size)
    return Stack(
        shape=shape,
        stem_kernel=1 if not shape.size else 3 if stride <= 2 else 5,
        stem_stride=stride if shape.size else 1,
        stem_channels=width,
        stem_size=size,
        blocks=tuple(blocks),
        head=macro.head if shape.size else "average",
        stem_bins=0 if shape.size or macro.stem == 1 else table_bins(shape.channels),
    )


def _one_input_blocks(macro: Macro, width: int, size: tuple[int, ...]) -> list[Block]:
    blocks: list[Block] = []
    for stage in range(macro.stages):
        if stage:
            smaller = halved(size, 2)
            blocks.append(_block(None, len(blocks) - 1, width, 2 * width, size, smaller))
            width, size = 2 * width, smaller
        for _ in range(macro.depth):
            blocks.append(_block(0, len(blocks) - 1, width, width, size, size))
    return blocks


def _block(
    template: int | None, source: int, width: int, width_out: int, size: tuple[int, ...], size_out: tuple[int, ...]
) -> Block:
    return Block(
        template=template,
        inputs=(source,),
        channels_in=(width,),
        strides=(1,),
        channels=width_out,
        channels_out=width_out,
        stride=2 if template is None else 1,
        size_in=size,
        size_out=size_out,
    )


def _two_input_blocks(macro: Macro, stem_width: int, size: tuple[int, ...], space: Space) -> list[Block]:
    blocks: list[Block] = []
    width = macro.channels
    outputs = len(space.templates[0].outputs)

    def add(template: int, stride: int) -> None:
        sources = (max(len(blocks) - 2, -1), len(blocks) - 1)
        sizes = [blocks[source].size_out if source >= 0 else start for source in sources]
        here = sizes[1]
        blocks.append(
            Block(
                template=template,
                inputs=sources,
                channels_in=tuple(blocks[source].channels_out if source >= 0 else stem_width for source in sources),
                strides=tuple(1 if side == here else 2 for side in sizes),
                channels=width,
                channels_out=outputs * width,
                stride=stride,
                size_in=here,
                size_out=halved(here, stride),
            )
        )

    start = size
    for stage in range(3):
        if stage:
            width *= 2
            add(1, 2)
        for _ in range(macro.depth):
            add(0, 1)
    return blocks
