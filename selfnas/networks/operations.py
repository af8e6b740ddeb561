"""The operations an edge can carry, as modules written once over the number of spatial dimensions.

`costs.py` has the formula of each; a test builds every operation and compares. To add one: a constructor here, a
formula there, and its name in a space's template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

__all__ = ["OPERATIONS", "average_pool", "batch_norm", "convolution", "operation"]

# (channels, stride, spatial dimensions) -> module from (b, channels, *size) to (b, channels, *halved(size, stride))
Constructor = Callable[[int, int, int], nn.Module]

_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
_NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
_MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d}


def operation(name: str, channels: int, *, stride: int, dimensions: int) -> nn.Module:
    """A fresh module for an operation, initialised from torch's global generator.

    Raises:
        KeyError: unknown operation (spaces only contain known ones).
    """
    return OPERATIONS[name](channels, stride, dimensions)


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


def _skip(channels: int, stride: int, dimensions: int) -> nn.Module:
    # DARTS halves a skip by two shifted 1x1 convolutions; a single one has the same parameters and fits any size.
    return _Skip() if stride == 1 else _conv(1)(channels, stride, dimensions)


def _conv(kernel: int) -> Constructor:
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


def _sep(kernel: int) -> Constructor:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        first = _separable(kernel, dilation=1, stride=stride, channels=channels, dimensions=dimensions)
        second = _separable(kernel, dilation=1, stride=1, channels=channels, dimensions=dimensions)
        return nn.Sequential(*first, *second)

    return build


def _dil(kernel: int) -> Constructor:
    def build(channels: int, stride: int, dimensions: int) -> nn.Module:
        return nn.Sequential(*_separable(kernel, dilation=2, stride=stride, channels=channels, dimensions=dimensions))

    return build


def _average(channels: int, stride: int, dimensions: int) -> nn.Module:
    return average_pool(3, stride=stride, dimensions=dimensions)


def _maximum(channels: int, stride: int, dimensions: int) -> nn.Module:
    return _MAX[dimensions](3, stride=stride, padding=1)


OPERATIONS: Mapping[str, Constructor] = {
    "skip": _skip,
    "conv1x1": _conv(1),
    "conv3x3": _conv(3),
    "avg3": _average,
    "max3": _maximum,
    "sep3x3": _sep(3),
    "sep5x5": _sep(5),
    "dil3x3": _dil(3),
    "dil5x5": _dil(5),
}
