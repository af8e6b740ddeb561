"""Our own operations: their formulas, and one literal table of records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from selfnas.spaces.operation import Form, Kernel, Operation, convolution, depthwise, halved, passing, pooling

__all__ = ["OPERATIONS", "Convolution", "Pass", "Pool", "Separable"]


@dataclass(frozen=True, slots=True)
class Pass:
    """The input as it is; at a stride a 1x1 convolution, with its norm.

    DARTS halves a skip by two shifted 1x1 convolutions; a single one has the same parameters and fits any size.
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Nothing is moved at stride 1, but the value counts as kept."""
        if stride == 1:
            return (passing(channels, positions=math.prod(size)),)
        return Convolution(1).kernels(channels, size, stride)

    def reach(self, stride: int) -> int:
        """Nowhere."""
        return 0


@dataclass(frozen=True, slots=True)
class Pool:
    """Mean or maximum over `side` pixels in each dimension."""

    side: int

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """One, without weights."""
        return (pooling(channels, before=math.prod(size), after=math.prod(halved(size, stride))),)

    def reach(self, stride: int) -> int:
        """The window."""
        return self.side - 1


@dataclass(frozen=True, slots=True)
class Convolution:
    """Activation, full convolution over `side` pixels in each dimension, norm."""

    side: int

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """One."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        return (convolution(channels, channels, self.side ** len(size), before=before, after=after),)

    def reach(self, stride: int) -> int:
        """The window."""
        return self.side - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Separable:
    """Activation, depthwise and pointwise convolution, norm; all of it `times` times, the first at the stride."""

    side: int
    times: int = 1
    dilation: int = 1

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Two each time."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        pointwise = convolution(channels, channels, 1, before=after, after=after)
        taps = self.side ** len(size)
        found = [depthwise(channels, taps, before=before, after=after), pointwise]
        for _ in range(1, self.times):
            found += [depthwise(channels, taps, before=after, after=after), pointwise]
        return tuple(found)

    def reach(self, stride: int) -> int:
        """The first window in pixels of the input, later ones as many times wider as the stride."""
        return (self.side - 1) * self.dilation * (1 + stride * (self.times - 1))


def _own(name: str, form: Form, alias: str, colour: str, *, identity: bool = False) -> Operation:
    builder = f"selfnas.networks.operations:{name}"
    return Operation(name=name, form=form, builder=builder, aliases=(alias,), identity=identity, colour=colour)


# Aliases are those of NAS-Bench-201 and DARTS; colours are safe for the colour-blind (Okabe & Ito 2008).
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            _own("skip", Pass(), "skip_connect", "#999999", identity=True),
            _own("conv1x1", Convolution(1), "nor_conv_1x1", "#E69F00"),
            _own("conv3x3", Convolution(3), "nor_conv_3x3", "#D55E00"),
            _own("avg3", Pool(3), "avg_pool_3x3", "#56B4E9"),
            _own("max3", Pool(3), "max_pool_3x3", "#0072B2"),
            _own("sep3x3", Separable(side=3, times=2), "sep_conv_3x3", "#CC79A7"),
            _own("sep5x5", Separable(side=5, times=2), "sep_conv_5x5", "#882255"),
            _own("dil3x3", Separable(side=3, dilation=2), "dil_conv_3x3", "#009E73"),
            _own("dil5x5", Separable(side=5, dilation=2), "dil_conv_5x5", "#004D40"),
        )
    }
)
