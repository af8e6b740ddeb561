"""Our own operations: their formulas, and one literal table of records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from selfnas.spaces.operation import (
    EVERYWHERE,
    Form,
    Kernel,
    Operation,
    convolution,
    depthwise,
    halved,
    linear,
    passing,
    pointwise,
    pooling,
)

__all__ = [
    "MIXER_WIDTH",
    "MOST_KEYS",
    "OPERATIONS",
    "UNPROVED",
    "Attention",
    "Convolution",
    "Gated",
    "GroupNormConvolution",
    "Mixer",
    "Pass",
    "Pool",
    "Residual",
    "ResidualMlp",
    "Separable",
    "SqueezeExcitation",
    "key_stride",
]

# What rounding of float32 does to these, no rule of `selfnas.robust.bounds` says: their answers cannot be certified.
UNPROVED = frozenset({"attention", "groupnorm3", "mixer"})
MIXER_WIDTH = 32  # hidden numbers of a mixer's MLP over the positions
MOST_KEYS = 64
_FLOAT_BYTES = 4


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
    """Activation, full convolution over `side` pixels in each dimension, `dilation` apart, norm."""

    side: int
    dilation: int = 1

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """One."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        return (convolution(channels, channels, self.side ** len(size), before=before, after=after),)

    def reach(self, stride: int) -> int:
        """The window."""
        return (self.side - 1) * self.dilation


@dataclass(frozen=True, slots=True)
class GroupNormConvolution:
    """Activation, full convolution over `side` pixels in each dimension, group norm.

    The norm takes its moments from the example, not from a batch, so batches may be small. Source: Wu & He 2018 (ECCV).
    """

    side: int

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Two, for a norm with moments of its own cannot be fused."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        weights = channels * channels * self.side ** len(size)
        bare = Kernel(
            macs=weights * after,
            params=weights,
            activation_bytes=_FLOAT_BYTES * channels * after,
            traffic_bytes=_FLOAT_BYTES * (channels * (before + after) + weights),
        )
        return bare, pointwise(channels, positions=after, params=2 * channels)

    def reach(self, stride: int) -> int:
        """Everywhere, by the moments."""
        return EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Separable:
    """Activation, depthwise and pointwise convolution, norm; all of it `times` times, the first at the stride."""

    side: int
    times: int = 1
    dilation: int = 1

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Two each time."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        mixing = convolution(channels, channels, 1, before=after, after=after)
        taps = self.side ** len(size)
        found = [depthwise(channels, taps, before=before, after=after), mixing]
        for _ in range(1, self.times):
            found += [depthwise(channels, taps, before=after, after=after), mixing]
        return tuple(found)

    def reach(self, stride: int) -> int:
        """The first window in pixels of the input, later ones as many times wider as the stride."""
        return (self.side - 1) * self.dilation * (1 + stride * (self.times - 1))


@dataclass(frozen=True, slots=True)
class Residual:
    """Twice activation, 3x3 convolution and norm, added to the input; at a stride the input is pooled first.

    Source: He et al. 2016 (CVPR).
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Two convolutions and a sum."""
        out = halved(size, stride)
        inner = Convolution(3).kernels(channels, out, 1)
        return *_entry(channels, size, stride), *inner, *inner, pointwise(channels, positions=math.prod(out), read=2)

    def reach(self, stride: int) -> int:
        """Two windows."""
        return _entry_reach(stride) + 4 * stride


@dataclass(frozen=True, slots=True)
class SqueezeExcitation:
    """Activation, 3x3 convolution, norm; then each channel is scaled by what all of them are on average.

    Source: Hu, Shen, Sun 2018 (CVPR); four channels are squeezed into one.
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """The convolution, a mean over space, two linear layers, the scaling."""
        after, squeezed = math.prod(halved(size, stride)), max(channels // 4, 1)
        return (
            *Convolution(3).kernels(channels, size, stride),
            pooling(channels, before=after, after=1),
            linear(channels, squeezed),
            linear(squeezed, channels),
            pointwise(channels, positions=after),
        )

    def reach(self, stride: int) -> int:
        """Everywhere, by the mean."""
        return EVERYWHERE


@dataclass(frozen=True, slots=True)
class Attention:
    """Layer norm, then attention of one head from each position to all, added to the input; at a stride pooled first.

    Inputs of more than `MOST_KEYS` positions are averaged to at most so many before keys and values are made of them,
    so that the cost grows with the positions and not with their square. Sources: Vaswani et al. 2017 (NeurIPS); Xiong
    et al. 2020 (ICML) for the norm before; Wang et al. 2021 (ICCV), Pyramid Vision Transformer, for the averaging.
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Norm, queries, keys with values, scores, weighted means, projection, sum."""
        out = halved(size, stride)
        positions = math.prod(out)
        keys = math.prod(halved(out, key_stride(out)))
        scores = Kernel(
            macs=positions * keys * channels,
            activation_bytes=2 * _FLOAT_BYTES * positions * keys,  # before and after the softmax
            traffic_bytes=_FLOAT_BYTES * (channels * (positions + keys) + 2 * positions * keys),
        )
        means = Kernel(
            macs=positions * keys * channels,
            activation_bytes=_FLOAT_BYTES * channels * positions,
            traffic_bytes=_FLOAT_BYTES * (channels * (positions + keys) + positions * keys),
        )
        averaged = [] if keys == positions else [pooling(channels, before=positions, after=keys)]
        return (
            *_entry(channels, size, stride),
            pointwise(channels, positions=positions, params=2 * channels),
            *averaged,
            linear(channels, channels, positions=positions, bias=False),
            linear(channels, 2 * channels, positions=keys, bias=False),
            scores,
            means,
            linear(channels, channels, positions=positions, bias=False),
            pointwise(channels, positions=positions, read=2),
        )

    def reach(self, stride: int) -> int:
        """Everywhere."""
        return EVERYWHERE


@dataclass(frozen=True, slots=True)
class Mixer:
    """An MLP over the positions and one over the channels, each after layer norm and added to its input.

    Its weights depend on the number of positions. Source: Tolstikhin et al. 2021 (NeurIPS), MLP-Mixer.
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """For each half: norm, two linear layers, sum."""
        positions = math.prod(halved(size, stride))
        norm = pointwise(channels, positions=positions, params=2 * channels)
        sum_ = pointwise(channels, positions=positions, read=2)
        return (
            *_entry(channels, size, stride),
            norm,
            linear(positions, MIXER_WIDTH, positions=channels),
            linear(MIXER_WIDTH, positions, positions=channels),
            sum_,
            norm,
            linear(channels, 2 * channels, positions=positions),
            linear(2 * channels, channels, positions=positions),
            sum_,
        )

    def reach(self, stride: int) -> int:
        """Everywhere."""
        return EVERYWHERE


@dataclass(frozen=True, slots=True)
class ResidualMlp:
    """Norm, a linear layer to twice the width, activation, dropout and one back, added to the input.

    Source: Gorishniy et al. 2021 (NeurIPS), their ResNet for tables.
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Norm, two linear layers, sum."""
        return (
            pointwise(channels, positions=1, params=2 * channels),
            linear(channels, 2 * channels),
            linear(2 * channels, channels),
            pointwise(channels, positions=1, read=2),
        )

    def reach(self, stride: int) -> int:
        """Tables have no extent."""
        return 0


@dataclass(frozen=True, slots=True)
class Gated:
    """The input, each number scaled by the logistic function of a linear layer over all.

    Source: Dauphin et al. 2017 (ICML), gated linear units, with the identity for the linear half.
    """

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """The layer and the scaling."""
        return linear(channels, channels), pointwise(channels, positions=1, read=2)

    def reach(self, stride: int) -> int:
        """Tables have no extent."""
        return 0


def key_stride(size: tuple[int, ...]) -> int:
    """How many positions in each dimension attention averages into one key, so that there are at most `MOST_KEYS`.

    Example:
        >>> key_stride((16, 16)), key_stride((8, 7)), key_stride((200,))
        (2, 1, 4)
    """
    stride = 1
    while math.prod(halved(size, stride)) > MOST_KEYS:
        stride += 1
    return stride


def _entry(channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
    """What halves the resolution before a block that adds to its input: average pooling."""
    return Pool(3).kernels(channels, size, stride) if stride > 1 else ()


def _entry_reach(stride: int) -> int:
    return Pool(3).reach(stride) if stride > 1 else 0


def _own(
    name: str,
    form: Form,
    alias: str,
    colour: str,
    *,
    identity: bool = False,
    dimensions: tuple[int, ...] = (1, 2),
    sized: bool = False,
) -> Operation:
    return Operation(
        name=name,
        form=form,
        builder=f"selfnas.networks.operations:{name}",
        aliases=(alias,) if alias else (),
        identity=identity,
        colour=colour,
        dimensions=dimensions,
        sized=sized,
    )


# Aliases are those of NAS-Bench-201 and DARTS; colours are safe for the colour-blind (Okabe & Ito 2008; Tol 2021).
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            _own("skip", Pass(), "skip_connect", "#999999", identity=True, dimensions=(0, 1, 2)),
            _own("conv1x1", Convolution(1), "nor_conv_1x1", "#E69F00"),
            _own("conv3x3", Convolution(3), "nor_conv_3x3", "#D55E00"),
            _own("avg3", Pool(3), "avg_pool_3x3", "#56B4E9"),
            _own("max3", Pool(3), "max_pool_3x3", "#0072B2"),
            _own("sep3x3", Separable(side=3, times=2), "sep_conv_3x3", "#CC79A7"),
            _own("sep5x5", Separable(side=5, times=2), "sep_conv_5x5", "#882255"),
            _own("dil3x3", Separable(side=3, dilation=2), "dil_conv_3x3", "#009E73"),
            _own("dil5x5", Separable(side=5, dilation=2), "dil_conv_5x5", "#004D40"),
            _own("dilated4", Convolution(3, dilation=4), "", "#DDCC77"),
            _own("dilated8", Convolution(3, dilation=8), "", "#999933"),
            _own("wide9", Separable(side=9), "", "#88CCEE"),
            _own("wide19", Separable(side=19), "", "#44AA99"),
            _own("wide39", Separable(side=39), "", "#117733"),
            _own("groupnorm3", GroupNormConvolution(3), "", "#AA4499"),
            _own("residual", Residual(), "", "#332288"),
            _own("se", SqueezeExcitation(), "", "#CC6677"),
            _own("attention", Attention(), "", "#EE3377"),
            _own("mixer", Mixer(), "", "#33BBEE", sized=True),
            _own("linear", Convolution(1), "", "#EE7733", dimensions=(0,)),
            _own("mlp", ResidualMlp(), "", "#661100", dimensions=(0,)),
            _own("gated", Gated(), "", "#6699CC", dimensions=(0,)),
        )
    }
)
