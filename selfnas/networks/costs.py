"""Exact cost of a network by formula: parameters, multiply-accumulates, activation memory, receptive field.

Costs are of the network that is built, hence of the effective graph: a dead operation costs nothing. A cost table gives
each (slot, operation) its cost summed over every place where the stack puts the cell, so that a network's cost is a
constant plus a sum over live edges; rules are checked on the same numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from selfnas.networks.stack import Block, Stack, stack
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.operation import Kernel, Operation, convolution

__all__ = ["QUANTITIES", "CostTable", "Costs", "cost_table", "costs", "operation_costs"]

QUANTITIES = ("params", "macs", "activation_bytes")

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a piece of a network costs for one example.

    Attributes:
        params: trainable numbers.
        macs: multiply-accumulates of convolutions and the linear head; pooling, norms and sums are not counted.
        activation_bytes: bytes of every operation's output in float32, what a backward pass would keep.
    """

    params: int = 0
    macs: int = 0
    activation_bytes: int = 0

    def __add__(self, other: Costs) -> Costs:
        return Costs(
            params=self.params + other.params,
            macs=self.macs + other.macs,
            activation_bytes=self.activation_bytes + other.activation_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """Costs under given macro settings and task shape.

    Attributes:
        fixed: stem, preprocessing, reduction blocks and head.
        slots: by (template index, source, target, operation), summed over the stack.
    """

    space: Space
    macro: Macro
    shape: TaskShape
    fixed: Costs
    slots: Mapping[tuple[int, int, int, str], Costs]

    def of(self, architecture: Architecture) -> Costs:
        """The cost of one architecture: `fixed` plus its live edges."""
        total = self.fixed
        for index, cell in enumerate(architecture.cells):
            for edge in cell.live_edges():
                total += self.slots[index, edge.source, edge.target, edge.operation]
        return total


def costs(architecture: Architecture, shape: TaskShape) -> Costs:
    """What the network of an architecture costs on tasks of a shape.

    Example:
        >>> from selfnas.spaces.named import parse_architecture
        >>> a = parse_architecture("nb201/c16n5r32:|conv3x3~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|")
        >>> costs(a, TaskShape(channels=3, size=(32, 32), classes=10)).params
        559386
    """
    return cost_table(architecture.space, architecture.macro, shape).of(architecture)


@functools.lru_cache(maxsize=256)
def cost_table(space: Space, macro: Macro, shape: TaskShape) -> CostTable:
    """The cost table of a space under macro settings for a task shape."""
    plan = stack(space, macro, shape)
    fixed = _stem(plan) + _head(plan)
    slots: dict[tuple[int, int, int, str], Costs] = {}
    for block in plan.blocks:
        if block.template is None:
            fixed += _reduction(block)
            continue
        template = space.templates[block.template]
        fixed += _preprocessing(block, template.inputs)
        for source, target in template.slots:
            size, stride = block.edge(source)
            for operation in template.operations:
                key = (block.template, source, target, operation.name)
                spent = operation_costs(operation, block.channels, size=size, stride=stride)
                slots[key] = slots.get(key, Costs()) + spent
    return CostTable(space=space, macro=macro, shape=shape, fixed=fixed, slots=MappingProxyType(slots))


def operation_costs(operation: Operation, channels: int, *, size: tuple[int, ...], stride: int = 1) -> Costs:
    """One operation that keeps `channels` channels, reading an input of spatial `size`; a composed one in all."""
    return _total(operation.kernels(channels, size=size, stride=stride))


def _total(kernels: Sequence[Kernel]) -> Costs:
    return Costs(
        params=sum(kernel.params for kernel in kernels),
        macs=sum(kernel.macs for kernel in kernels),
        activation_bytes=sum(kernel.activation_bytes for kernel in kernels),
    )


def _convolution(channels_in: int, channels_out: int, side: int, out: tuple[int, ...]) -> Costs:
    """Convolution without bias, then batch norm with scale and shift."""
    positions = math.prod(out)
    return _total([convolution(channels_in, channels_out, side ** len(out), before=positions, after=positions)])


def _stem(plan: Stack) -> Costs:
    return _convolution(plan.shape.channels, plan.stem_channels, plan.stem_kernel, plan.stem_size)


def _head(plan: Stack) -> Costs:
    """Batch norm, pooling over space, linear layer with bias."""
    last = plan.blocks[-1].channels_out
    classes = plan.shape.classes
    return Costs(
        params=2 * last + last * classes + classes,
        macs=last * classes,
        activation_bytes=_FLOAT_BYTES * (last + classes),
    )


def _reduction(block: Block) -> Costs:
    """Two 3x3 convolutions beside average pooling and a 1x1 convolution (no norm on the shortcut)."""
    before, after = block.channels_in[0], block.channels_out
    shortcut = before * after
    positions = math.prod(block.size_out)
    main = _convolution(before, after, 3, block.size_out) + _convolution(after, after, 3, block.size_out)
    return main + Costs(
        params=shortcut, macs=shortcut * positions, activation_bytes=_FLOAT_BYTES * (before + after) * positions
    )


def _preprocessing(block: Block, inputs: int) -> Costs:
    """DARTS brings both inputs to the cell's width by a 1x1 convolution; single-input cells need none."""
    if inputs == 1:
        return Costs()
    total = Costs()
    for width in block.channels_in:
        total += _convolution(width, block.channels, 1, block.size_in)
    return total
