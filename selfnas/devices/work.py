"""What a network does, part by part: multiply-accumulates and memory traffic of each, and peak activation memory.

A *part* is a piece that can be built and timed alone: the stem, one operation of a cell, one sum, a reduction block,
the head. Its *kernels* are what an inference engine would run: convolution, norm and activation fused into one, each
reading its input and weights from memory once and writing its output once, for one example in float32. Costs for the
rules are in `costs.py`; times and energies are made of this in `roofline.py` and `latency.py`.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from selfnas.networks.stack import Block, Stack, laid_out, pooled_features, stack, table_bins
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.spaces.cell import Cell
from selfnas.spaces.operation import Kernel, Operation, convolution, halved, pooling

__all__ = [
    "Part",
    "frame_parts",
    "head_part",
    "join_part",
    "operation_part",
    "parts",
    "peak_memory_bytes",
    "stem_part",
    "sum_part",
    "traffic_bytes",
]

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a network that can be timed alone; parts of equal key do the same.

    Attributes:
        kind: an operation's name, or `stem`, `prepare`, `reduction`, `sum`, `join`, `head`; `head:` and the name of
            another head than the mean; `stem:plain` where a table is not laid out in bins.
        channels_in: width of what it reads.
        channels_out: width of what it writes; classes for the head, all outputs together for `join`.
        size: spatial size of what it reads.
        stride: 2 where it halves that size (a stem may halve it twice: 4).
        operation: the record, where it is an operation.
    """

    kind: str
    channels_in: int
    channels_out: int
    size: tuple[int, ...]
    stride: int = 1
    operation: Operation | None = field(default=None, hash=False)  # `kind` tells them apart well enough

    @property
    def key(self) -> str:
        """Names the part in a device file.

        Example:
            >>> Part(kind="conv3x3", channels_in=8, channels_out=8, size=(16, 16)).key
            'conv3x3 8-8 16x16 s1'
        """
        return f"{self.kind} {self.channels_in}-{self.channels_out} {'x'.join(map(str, self.size))} s{self.stride}"

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """What it comes to; a skip that keeps the size moves nothing."""
        return _kernels(self)


def parts(architecture: Architecture, shape: TaskShape) -> Counter[Part]:
    """The parts of the network that is built, and how often each is in it."""
    plan = stack(architecture.space, architecture.macro, shape)
    found = Counter([stem_part(plan), head_part(plan)])
    for block in plan.blocks:
        sizes = [plan.blocks[source].size_out if source >= 0 else plan.stem_size for source in block.inputs]
        cell = None if block.template is None else architecture.flat[block.template]
        found.update(_block_parts(block, cell, sizes, architecture.space.operations))
    return found


def operation_part(operation: Operation, channels: int, *, size: tuple[int, ...], stride: int = 1) -> Part:
    """The part that an operation is on an input of `channels` and spatial `size`."""
    return Part(
        kind=operation.name, channels_in=channels, channels_out=channels, size=size, stride=stride, operation=operation
    )


def traffic_bytes(architecture: Architecture, shape: TaskShape) -> int:
    """Bytes that all kernels of the network read and write for one example, none of it kept in a cache between them."""
    return sum(
        count * kernel.traffic_bytes for part, count in parts(architecture, shape).items() for kernel in part.kernels
    )


def peak_memory_bytes(architecture: Architecture, shape: TaskShape) -> int:
    """Most bytes of activations alive at once in inference on one example: operations in the order they are built.

    A value lives until its last reader is done; an operation's input and output are alive together; a sum is made in
    place. A skip counts like an operation with an output of its own. Weights are not counted.
    """
    plan = stack(architecture.space, architecture.macro, shape)
    values = [plan.stem_channels * math.prod(plan.stem_size)]
    peak = shape.channels * math.prod(shape.size) + values[0]
    last = {source: index for index, block in enumerate(plan.blocks) for source in block.inputs}
    for index, block in enumerate(plan.blocks):
        read = set(block.inputs)
        waiting = sum(values[s + 1] for s, until in last.items() if s < index < until and s not in read)
        cell = None if block.template is None else architecture.flat[block.template]
        peak = max(peak, waiting + _block_peak(block, cell, sum(values[source + 1] for source in read)))
        values.append(block.channels_out * math.prod(block.size_out))
    return _FLOAT_BYTES * peak


def _block_peak(block: Block, cell: Cell | None, inputs: int) -> int:
    """Most numbers alive within one block, of which `inputs` come from outside; a two-input block keeps those."""
    out = block.channels_out * math.prod(block.size_out)
    if cell is None:
        return inputs + 2 * out  # input, main path and shortcut
    node = block.channels * math.prod(block.size_out)
    entry = inputs if cell.inputs == 1 else block.channels * math.prod(block.size_in)
    kept = 0 if cell.inputs == 1 else inputs

    def held(alive: set[int]) -> int:
        return kept + sum(entry if value < cell.inputs else node for value in alive)

    live = cell.live_edges()
    last = {edge.source: place for place, edge in enumerate(live)}
    alive = set(range(cell.inputs))
    peak = held(alive)
    for place, edge in enumerate(live):
        peak = max(peak, held(alive) + node)
        alive = {value for value in alive | {edge.target} if last.get(value, -1) > place or value in cell.outputs}
    return max(peak, held(alive) + (out if len(cell.outputs) > 1 or not live else 0))


def frame_parts(block: Block, sizes: Sequence[tuple[int, ...]]) -> Iterator[Part]:
    """A reduction block, or what prepares each of a cell's two inputs, which come in these spatial sizes."""
    one, two = block.channels_in[0], block.channels_out
    if block.template is None:
        yield Part(kind="reduction", channels_in=one, channels_out=two, size=block.size_in, stride=2)
    elif len(block.inputs) == 2:
        for width, stride, size in zip(block.channels_in, block.strides, sizes, strict=True):
            yield Part(kind="prepare", channels_in=width, channels_out=block.channels, size=size, stride=stride)


def sum_part(block: Block) -> Part:
    """One sum of two values within a cell."""
    return Part(kind="sum", channels_in=block.channels, channels_out=block.channels, size=block.size_out)


def join_part(block: Block) -> Part:
    """A cell's outputs put together."""
    return Part(kind="join", channels_in=block.channels, channels_out=block.channels_out, size=block.size_out)


def _block_parts(
    block: Block, cell: Cell | None, sizes: Sequence[tuple[int, ...]], operations: Mapping[str, Operation]
) -> Iterator[Part]:
    yield from frame_parts(block, sizes)
    if cell is None:
        return
    reached: set[int] = set()
    for edge in cell.live_edges():
        size, stride = block.edge(edge.source)
        yield operation_part(operations[edge.operation], block.channels, size=size, stride=stride)
        if edge.target in reached:
            yield sum_part(block)
        reached.add(edge.target)
    if len(cell.outputs) > 1:
        yield join_part(block)


def stem_part(plan: Stack) -> Part:
    """What brings the input to the first cell."""
    return Part(
        kind="stem" if plan.shape.size or plan.stem_bins else "stem:plain",
        channels_in=plan.shape.channels,
        channels_out=plan.stem_channels,
        size=plan.shape.size,
        stride=plan.stem_stride,
    )


def head_part(plan: Stack) -> Part:
    """Norm, pooling over space and the linear layer."""
    last = plan.blocks[-1]
    kind = "head" if plan.head == "average" else f"head:{plan.head}"
    return Part(kind=kind, channels_in=last.channels_out, channels_out=plan.shape.classes, size=last.size_out)


@functools.lru_cache(maxsize=4096)
def _kernels(part: Part) -> tuple[Kernel, ...]:
    if part.operation is not None:
        kernels = part.operation.kernels(part.channels_in, size=part.size, stride=part.stride)
        return tuple(kernel for kernel in kernels if kernel.traffic_bytes)
    before, after = math.prod(part.size), math.prod(halved(part.size, part.stride))
    one, two = part.channels_in, part.channels_out
    dimensions = len(part.size)
    if part.kind == "sum":
        return (Kernel(traffic_bytes=_FLOAT_BYTES * 3 * one * before),)
    if part.kind == "join":
        return (Kernel(traffic_bytes=_FLOAT_BYTES * 2 * two * before),)
    if part.kind.startswith("head"):
        return _head_kernels(part, before)
    if part.kind.startswith("stem"):
        return _stem_kernels(part, before, after)
    if part.kind == "prepare":
        return (convolution(one, two, 1, before=before, after=after),)
    if part.kind == "reduction":
        return (
            convolution(one, two, 3**dimensions, before=before, after=after),
            convolution(two, two, 3**dimensions, before=after, after=after),
            *([pooling(one, before=before, after=after)] if dimensions else []),
            convolution(one, two, 1, before=after, after=after),
            Kernel(traffic_bytes=_FLOAT_BYTES * 3 * two * after),
        )
    raise AssertionError(f"no part is of kind {part.kind!r}")


def _stem_kernels(part: Part, before: int, after: int) -> tuple[Kernel, ...]:
    """Convolution and norm in one; of a table, before the linear layer, what lays its features out in bins."""
    one, two = part.channels_in, part.channels_out
    if part.size:
        kernel = 3 if part.stride <= 2 else 5
        return (convolution(one, two, kernel ** len(part.size), before=before, after=after),)
    bins = table_bins(one) if part.kind == "stem" else 0
    wide = laid_out(one, bins)
    linear = convolution(wide, two, 1, before=1, after=1)
    return (Kernel(traffic_bytes=_FLOAT_BYTES * (one + wide)), linear) if bins else (linear,)


def _head_kernels(part: Part, positions: int) -> tuple[Kernel, ...]:
    """Norm, pooling and linear layer in one; where attention pools, before it what scores each position."""
    head, width, classes = part.kind.partition(":")[2] or "average", part.channels_in, part.channels_out
    features = pooled_features(head, width, part.size)
    last = Kernel(
        macs=features * classes,
        traffic_bytes=_FLOAT_BYTES * (width * positions + features * classes + classes),
    )
    if head != "attention":
        return (last,)
    scores = Kernel(
        macs=width * positions, traffic_bytes=_FLOAT_BYTES * (width * positions + 2 * positions + width + 1)
    )
    return scores, last
