"""Our own operations as modules, written once over the number of spatial dimensions.

The records in `selfnas.spaces.operations` name them; `selfnas.testing.check_operation` holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from selfnas.networks import series
from selfnas.spaces.operation import Builder, halved
from selfnas.spaces.operations import MIXER_WIDTH, key_stride

__all__ = [
    "attention",
    "average_pool",
    "avg3",
    "batch_norm",
    "conv1x1",
    "conv3x3",
    "convolution",
    "dil3x3",
    "dil5x5",
    "dilated4",
    "dilated8",
    "gated",
    "groupnorm3",
    "linear",
    "max3",
    "mixer",
    "mlp",
    "residual",
    "se",
    "sep3x3",
    "sep5x5",
    "skip",
    "wide9",
    "wide19",
    "wide39",
]

_CONVOLUTION = {1: series.Conv1d, 2: nn.Conv2d}
_NORM = {0: nn.BatchNorm1d, 1: series.BatchNorm1d, 2: nn.BatchNorm2d}
_DROPOUT = 0.1  # of the residual MLP block
_MAX: Mapping[int, Callable[..., nn.Module]] = {1: series.MaxPool1d, 2: nn.MaxPool2d}


def convolution(
    channels_in: int,
    channels_out: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    dimensions: int,
) -> nn.Module:
    """'Same'-padded convolution over one or two spatial dimensions; over none, a linear layer."""
    if dimensions == 0:
        return nn.Linear(channels_in, channels_out, bias=bias)
    padding = dilation * (kernel - 1) // 2
    return _CONVOLUTION[dimensions](
        channels_in, channels_out, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias
    )


def batch_norm(channels: int, *, dimensions: int) -> nn.Module:
    """Batch norm with scale and shift over up to two spatial dimensions."""
    return _NORM[dimensions](channels)


def average_pool(kernel: int, *, stride: int, dimensions: int) -> nn.Module:
    """'Same'-padded average pooling that does not count the padding."""
    padding = (kernel - 1) // 2
    if dimensions == 1:
        return series.AvgPool1d(kernel, stride=stride, padding=padding)
    return nn.AvgPool2d(kernel, stride=stride, padding=padding, count_include_pad=False)


class _Skip(nn.Module):
    """Identity; an own class so that every edge has a module with a name."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def skip(channels: int, stride: int, dimensions: int) -> nn.Module:
    """The input as it is; at a stride a 1x1 convolution."""
    return _Skip() if stride == 1 else conv1x1(channels, stride, dimensions)


def _conv(kernel: int, *, dilation: int = 1) -> Builder:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        return nn.Sequential(
            nn.ReLU(),
            convolution(channels, channels, kernel, stride=stride, dilation=dilation, dimensions=dimensions),
            batch_norm(channels, dimensions=dimensions),
        )

    return build


def _separable(kernel: int, *, dilation: int, stride: int, channels: int, dimensions: int) -> list[nn.Module]:
    return [
        nn.ReLU(),
        convolution(
            channels, channels, kernel, stride=stride, dilation=dilation, groups=channels, dimensions=dimensions
        ),
        convolution(channels, channels, 1, dimensions=dimensions),
        batch_norm(channels, dimensions=dimensions),
    ]


def _sep(kernel: int) -> Builder:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        first = _separable(kernel, dilation=1, stride=stride, channels=channels, dimensions=dimensions)
        second = _separable(kernel, dilation=1, stride=1, channels=channels, dimensions=dimensions)
        return nn.Sequential(*first, *second)

    return build


def _one_separable(kernel: int, *, dilation: int = 1) -> Builder:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        parts = _separable(kernel, dilation=dilation, stride=stride, channels=channels, dimensions=dimensions)
        return nn.Sequential(*parts)

    return build


def avg3(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Mean of three pixels in each dimension."""
    return average_pool(3, stride=stride, dimensions=dimensions)


def max3(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Maximum of three pixels in each dimension."""
    return _MAX[dimensions](3, stride=stride, padding=1)


class _Added(nn.Module):
    """A block added to its input."""

    def __init__(self, *block: nn.Module) -> None:
        super().__init__()
        self.block = nn.Sequential(*block)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.block(x)
        return out


def _pooled_first(block: nn.Module, stride: int, dimensions: int) -> nn.Module:
    """A block that keeps the resolution, after average pooling where there is a stride."""
    if stride == 1:
        return block
    return nn.Sequential(average_pool(3, stride=stride, dimensions=dimensions), block)


def groupnorm3(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Convolution with group norm, of four groups where four divide the channels."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(channels, channels, 3, stride=stride, dimensions=dimensions),
        nn.GroupNorm(math.gcd(channels, 4), channels),
    )


def residual(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Two convolutions beside an identity."""
    block = _Added(conv3x3(channels, 1, dimensions), conv3x3(channels, 1, dimensions))
    return _pooled_first(block, stride, dimensions)


class _SqueezeExcitation(nn.Module):
    """Scales each channel of `(b, channels, *size)` by what all of them are on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(channels // 4, 1)
        self.scale = nn.Sequential(
            nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.scale(x.flatten(2).mean(dim=2))
        return x * scale.reshape(*scale.shape, *[1] * (x.dim() - 2))


def se(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Convolution with squeeze and excitation."""
    return nn.Sequential(conv3x3(channels, stride, dimensions), _SqueezeExcitation(channels))


class _Attention(nn.Module):
    """Attention of one head over the positions of `(b, channels, *size)`, after layer norm, added to the input."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(channels, 2 * channels, bias=False)
        self.project = nn.Linear(channels, channels, bias=False)
        self.pool = nn.functional.avg_pool1d if dimensions == 1 else nn.functional.avg_pool2d

    def forward(self, x: Tensor) -> Tensor:
        size, stride = tuple(x.shape[2:]), key_stride(tuple(x.shape[2:]))
        seen = self.norm(x.flatten(2).transpose(1, 2))
        looked_at = seen
        if stride > 1:
            plane = seen.transpose(1, 2).reshape(x.shape)
            plane = self.pool(plane, stride, ceil_mode=True, count_include_pad=False)
            looked_at = plane.flatten(2).transpose(1, 2)
        key, value = self.key_value(looked_at).chunk(2, dim=2)
        scores = self.query(seen) @ key.transpose(1, 2) / math.sqrt(x.shape[1])
        mean: Tensor = self.project(scores.softmax(dim=2) @ value)
        return x + mean.transpose(1, 2).reshape(-1, x.shape[1], *size)


def attention(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Attention of one head with its norm before, beside an identity."""
    return _pooled_first(_Attention(channels, dimensions), stride, dimensions)


class _Mixer(nn.Module):
    """An MLP over the positions of `(b, channels, *size)` and one over the channels, each added to its input."""

    def __init__(self, channels: int, positions: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(channels), nn.LayerNorm(channels)])
        self.positions = _mlp(positions, MIXER_WIDTH)
        self.channels = _mlp(channels, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        seen = x.flatten(2).transpose(1, 2)
        seen = seen + self.positions(self.norms[0](seen).transpose(1, 2)).transpose(1, 2)
        seen = seen + self.channels(self.norms[1](seen))
        mixed: Tensor = seen.transpose(1, 2).reshape(x.shape)
        return mixed


def _mlp(features: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, features))


def mixer(channels: int, stride: int, dimensions: int, size: tuple[int, ...]) -> nn.Module:
    """Mixer block for inputs of one spatial size."""
    return _pooled_first(_Mixer(channels, math.prod(halved(size, stride))), stride, dimensions)


def mlp(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Residual MLP block with its norm before; a table has no stride."""
    return _Added(
        batch_norm(channels, dimensions=dimensions),
        nn.Linear(channels, 2 * channels),
        nn.ReLU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(2 * channels, channels),
    )


class _Gated(nn.Module):
    """Its input, scaled by the logistic function of a linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        return x * gate.sigmoid()


def gated(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Gated unit; a table has no stride."""
    return _Gated(channels)


conv1x1, conv3x3 = _conv(1), _conv(3)
linear = conv1x1  # of no dimensions
dilated4, dilated8 = _conv(3, dilation=4), _conv(3, dilation=8)
sep3x3, sep5x5 = _sep(3), _sep(5)
dil3x3, dil5x5 = _one_separable(3, dilation=2), _one_separable(5, dilation=2)
wide9, wide19, wide39 = _one_separable(9), _one_separable(19), _one_separable(39)
