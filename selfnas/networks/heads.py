"""How a network brings space down to the vector that its linear layer sees, as modules.

`selfnas.networks.stack.Stack` says how many numbers each gives, `costs.py` what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from selfnas.networks.stack import Stack, grid_stride

__all__ = ["pooling_head"]


class _Average(nn.Module):
    """The mean over all positions of `(b, channels, *size)`; of a table what it is."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(dim=2) if x.dim() > 2 else x


class _Grid(nn.Module):
    """Means over at most four parts in each dimension, side by side."""

    def __init__(self, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride
        self.pool = nn.functional.avg_pool1d if len(stride) == 1 else nn.functional.avg_pool2d

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pool(x, self.stride, ceil_mode=True, count_include_pad=False)
        return pooled.flatten(1)


class _Attention(nn.Module):
    """The mean over all positions, each weighted by a softmax over what a linear layer says of it.

    Source: Ilse, Tomczak, Welling 2018 (ICML), attention-based pooling, with one linear layer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)
        nn.init.zeros_(self.score.weight)  # training starts from the plain mean

    def forward(self, x: Tensor) -> Tensor:
        seen = x.flatten(2)
        weights = self.score(seen.transpose(1, 2)).softmax(dim=1)  # (b, positions, 1)
        mean: Tensor = (seen * weights.transpose(1, 2)).sum(dim=2)
        return mean


class _Peaks(nn.Module):
    """Mean and maximum over all positions, side by side."""

    def forward(self, x: Tensor) -> Tensor:
        seen = x.flatten(2)
        return torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1)


_HEADS: Mapping[str, Callable[[int, tuple[int, ...]], nn.Module]] = {
    "average": lambda channels, size: _Average(),
    "grid4": lambda channels, size: _Grid(grid_stride(size)),
    "attention": lambda channels, size: _Attention(channels),
    "peaks": lambda channels, size: _Peaks(),
}


def pooling_head(plan: Stack) -> nn.Module:
    """From `(b, channels, *size)` to `(b, plan.features)`."""
    last = plan.blocks[-1]
    return _HEADS[plan.head](last.channels_out, last.size_out)
