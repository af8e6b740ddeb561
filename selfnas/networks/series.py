"""Layers for series that compute as layers for images one pixel high, with the channels of a step side by side.

PyTorch's own layers for series lay the steps of a channel side by side, and on CPUs take about twice as long. Numbers,
shapes and parameters are those of the layers that these derive from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AvgPool1d", "BatchNorm1d", "Conv1d", "MaxPool1d", "lay_out"]


def lay_out(network: nn.Module, order: torch.memory_format) -> None:
    """Order the memory of the weights of convolutions, in place; of those over series as if they were of images.

    What a layer puts out is laid out as its weights are. Those of one input channel lie alike in both orders, and only
    their strides tell which is meant; a clone has them anew.
    """
    for each in network.parameters():
        if each.dim() == 4:
            each.data = each.data.clone(memory_format=order)
        elif each.dim() == 3:
            each.data = each.data.unsqueeze(2).clone(memory_format=order).squeeze(2)


class Conv1d(nn.Conv1d):
    """Over `(b, channels, length)`; padding with zeros, by a number."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding[0]
        assert isinstance(padding, int)  # noqa: S101 - narrows the type
        flat = functional.conv2d(
            input.unsqueeze(2),
            weight.unsqueeze(2),
            bias,
            (1, self.stride[0]),
            (0, padding),
            (1, self.dilation[0]),
            self.groups,
        )
        return flat.squeeze(2)


class BatchNorm1d(nn.BatchNorm1d):
    """Over `(b, channels, length)`; over `(b, features)` as its base."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 3, 4):
            raise ValueError(f"expected 2 to 4 dimensions, not {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalised, of the same shape."""
        if input.dim() != 3:
            return super().forward(input)
        return super().forward(input.unsqueeze(2)).squeeze(2)


class MaxPool1d(nn.Module):
    """Maximum over `kernel` steps, borders left out."""

    def __init__(self, kernel: int, *, stride: int, padding: int) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """`(b, channels, length)`, fewer steps by the stride."""
        sizes = (1, self.kernel), (1, self.stride), (0, self.padding)
        return functional.max_pool2d(x.unsqueeze(2), *sizes).squeeze(2)


class AvgPool1d(nn.Module):
    """Mean over `kernel` steps; what lies beyond the border does not count."""

    def __init__(self, kernel: int, *, stride: int, padding: int) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """`(b, channels, length)`, fewer steps by the stride."""
        sizes = (1, self.kernel), (1, self.stride), (0, self.padding)
        return functional.avg_pool2d(x.unsqueeze(2), *sizes, count_include_pad=False).squeeze(2)
