"""Exact cost of a network by formula: parameters, multiply-accumulates, activation memory, receptive field.

Costs are of the network that is built, hence of the effective graph: a dead operation costs nothing. A cost table gives
each (slot, operation) its cost summed over every place where the stack puts the cell, so that a network's cost is a
constant plus a sum over live edges; rules are checked on the same numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from selfnas.errors import InputError
from selfnas.networks.stack import Block, Stack, stack
from selfnas.plugins import ExtensionPoint
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.operation import Kernel, Operation, convolution

__all__ = [
    "EXTENSION_POINT",
    "QUANTITIES",
    "CostTable",
    "Costs",
    "Quantity",
    "Spot",
    "cost_table",
    "costs",
    "operation_costs",
    "quantity_table",
]

_FLOAT_BYTES = 4
_MOST = 10**12  # of a quantity for one operation at one place; sums over a network stay exact in 64 bits

Spot = tuple[int, int, int, str]  # template index, source, target, operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A whole number that rules of scope `network` may limit: a formula summed over the live operations of a network.

    Attributes:
        name: as rules call it: lower-case letters, digits and `_`.
        unit: what a limit may name after `@`; empty where it has none.
        formula: `(operation, channels, size, stride)` to a whole number of at least 0, of one operation at one place,
            reading an input of spatial `size`. Made of the operation's kernels it is right for composed operators too.
        origin: the plug-in that it comes from, with its digest; empty for our own.

    Stem, reduction blocks and head count nothing, but of our own three, whose share in them `CostTable.fixed` has.
    """

    name: str
    unit: str = ""
    formula: Callable[[Operation, int, tuple[int, ...], int], int] = field(hash=False)
    origin: str = ""


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
    slots: Mapping[Spot, Costs]

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
    slots: dict[Spot, Costs] = {}
    for block in plan.blocks:
        if block.template is None:
            fixed += _reduction(block)
        else:
            fixed += _preprocessing(block, space.templates[block.template].inputs)
    for spot, operation, channels, size, stride in _placed(plan, space):
        slots[spot] = slots.get(spot, Costs()) + operation_costs(operation, channels, size=size, stride=stride)
    return CostTable(space=space, macro=macro, shape=shape, fixed=fixed, slots=MappingProxyType(slots))


@functools.lru_cache(maxsize=64)
def quantity_table(quantity: Quantity, space: Space, macro: Macro, shape: TaskShape) -> Mapping[Spot, int]:
    """A quantity of each operation on each edge, summed over the stack.

    Raises:
        InputError: its formula gives something else than a whole number of at least 0.
    """
    table: dict[Spot, int] = {}
    for spot, operation, channels, size, stride in _placed(stack(space, macro, shape), space):
        value = quantity.formula(operation, channels, size, stride)
        if not isinstance(value, int) or not 0 <= value <= _MOST:
            raise InputError(
                f"quantity {quantity.name!r} gives {value!r} for {operation.name}: need a whole number in 0..{_MOST:,}"
            )
        table[spot] = table.get(spot, 0) + int(value)
    return MappingProxyType(table)


def _placed(plan: Stack, space: Space) -> Iterator[tuple[Spot, Operation, int, tuple[int, ...], int]]:
    """Every operation at every place of the stack: spot, operation, channels, spatial size of its input, stride."""
    for block in plan.blocks:
        if block.template is None:
            continue
        template = space.templates[block.template]
        for source, target in template.slots:
            size, stride = block.edge(source)
            for operation in template.operations:
                yield (block.template, source, target, operation.name), operation, block.channels, size, stride


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
    """Convolution, or linear layer after the features of a table were laid out in bins, with its norm."""
    laid = _FLOAT_BYTES * plan.stem_inputs if plan.stem_bins else 0
    return _convolution(plan.stem_inputs, plan.stem_channels, plan.stem_kernel, plan.stem_size) + Costs(
        activation_bytes=laid
    )


def _head(plan: Stack) -> Costs:
    """Batch norm, pooling over space, linear layer with bias; attention scores each position by a linear layer."""
    last, classes, features = plan.blocks[-1], plan.shape.classes, plan.features
    positions = math.prod(last.size_out) if plan.head == "attention" else 0
    return Costs(
        params=2 * last.channels_out + features * classes + classes + (last.channels_out + 1) * bool(positions),
        macs=features * classes + last.channels_out * positions,
        activation_bytes=_FLOAT_BYTES * (features + classes + 2 * positions),
    )


def _reduction(block: Block) -> Costs:
    """Two 3x3 convolutions beside average pooling and a 1x1 convolution (no norm on the shortcut)."""
    before, after = block.channels_in[0], block.channels_out
    shortcut = before * after
    positions = math.prod(block.size_out)
    pooled = before if block.size_out else 0  # a table has nothing to pool over
    main = _convolution(before, after, 3, block.size_out) + _convolution(after, after, 3, block.size_out)
    return main + Costs(
        params=shortcut, macs=shortcut * positions, activation_bytes=_FLOAT_BYTES * (pooled + after) * positions
    )


def _preprocessing(block: Block, inputs: int) -> Costs:
    """DARTS brings both inputs to the cell's width by a 1x1 convolution; single-input cells need none."""
    if inputs == 1:
        return Costs()
    total = Costs()
    for width in block.channels_in:
        total += _convolution(width, block.channels, 1, block.size_in)
    return total


def _own(name: str, unit: str) -> Quantity:
    def formula(operation: Operation, channels: int, size: tuple[int, ...], stride: int) -> int:
        return int(getattr(operation_costs(operation, channels, size=size, stride=stride), name))

    return Quantity(name=name, unit=unit, formula=formula)


def _accept(name: str, part: object, origin: str) -> object:
    if not isinstance(part, Quantity):
        raise ValueError(f"it is of type {type(part).__name__}")
    if part.name != name or not name.replace("_", "").isalnum() or name.lower() != name:
        raise ValueError(f"it calls itself {part.name!r}; a name is lower-case letters, digits and '_'")
    if not callable(part.formula) or not (part.unit == "" or part.unit.isalpha()):
        raise ValueError("its formula must be callable, and its unit letters")
    return replace(part, origin=origin)


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {one.name: one for one in (_own("params", "param"), _own("macs", "mac"), _own("activation_bytes", "byte"))}
)
EXTENSION_POINT = ExtensionPoint(
    wanted="a Quantity (selfnas.networks.costs) of that name", own=QUANTITIES, accept=_accept
)
