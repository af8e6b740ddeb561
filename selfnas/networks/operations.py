"""Our own operations as modules, written once over the number of spatial dimensions.

The records in `selfnas.spaces.operations` name them; `selfnas.testing.check_operation` holds the two together.
"""

from __future__ import annotations

from torch import Tensor, nn

from selfnas.spaces.operation import Builder

__all__ = [
    "average_pool",
    "avg3",
    "batch_norm",
    "conv1x1",
    "conv3x3",
    "convolution",
    "dil3x3",
    "dil5x5",
    "max3",
    "sep3x3",
    "sep5x5",
    "skip",
]

_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
_NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
_MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d}


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
    """'Same'-padded convolution over one or two spatial dimensions."""
    padding = dilation * (kernel - 1) // 2
    return _CONVOLUTION[dimensions](
        channels_in, channels_out, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias
    )


def batch_norm(channels: int, *, dimensions: int) -> nn.Module:
    """Batch norm with scale and shift over one or two spatial dimensions."""
    return _NORM[dimensions](channels)


def average_pool(kernel: int, *, stride: int, dimensions: int) -> nn.Module:
    """'Same'-padded average pooling that does not count the padding."""
    padding = (kernel - 1) // 2
    if dimensions == 1:
        return nn.AvgPool1d(kernel, stride=stride, padding=padding, count_include_pad=False)
    return nn.AvgPool2d(kernel, stride=stride, padding=padding, count_include_pad=False)


class _Skip(nn.Module):
    """Identity; an own class so that every edge has a module with a name."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def skip(channels: int, stride: int, dimensions: int) -> nn.Module:
    """The input as it is; at a stride a 1x1 convolution."""
    return _Skip() if stride == 1 else conv1x1(channels, stride, dimensions)


def _conv(kernel: int) -> Builder:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        return nn.Sequential(
            nn.ReLU(),
            convolution(channels, channels, kernel, stride=stride, dimensions=dimensions),
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


def _dil(kernel: int) -> Builder:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        return nn.Sequential(*_separable(kernel, dilation=2, stride=stride, channels=channels, dimensions=dimensions))

    return build


def avg3(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Mean of three pixels in each dimension."""
    return average_pool(3, stride=stride, dimensions=dimensions)


def max3(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Maximum of three pixels in each dimension."""
    return _MAX[dimensions](3, stride=stride, padding=1)


conv1x1, conv3x3 = _conv(1), _conv(3)
sep3x3, sep5x5 = _sep(3), _sep(5)
dil3x3, dil5x5 = _dil(3), _dil(5)
