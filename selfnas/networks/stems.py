"""What brings an input to the first cell, as modules; `stack.py` says which, `costs.py` at what cost."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor, nn

from selfnas.networks.operations import batch_norm, convolution
from selfnas.networks.stack import Stack

__all__ = ["stem"]

_TAIL = 0.02  # of standard normal features below the first edge, and above the last


class _Bins(nn.Module):
    """`(b, features)` to `(b, features · (1 + bins))`: each feature, and how far it is through each bin, from 0 to 1.

    The edges are quantiles of the standard normal distribution, which tables are scaled to, so no data are asked for
    them. Source: Gorishniy, Rubachev, Babenko 2022 (NeurIPS), piecewise linear encoding.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        step = (1 - 2 * _TAIL) / bins
        edges = torch.tensor([NormalDist().inv_cdf(_TAIL + step * number) for number in range(bins + 1)])
        self.register_buffer("start", edges[:-1], persistent=False)
        self.register_buffer("scale", 1 / (edges[1:] - edges[:-1]), persistent=False)
        self.start: Tensor
        self.scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        through = ((x.unsqueeze(2) - self.start) * self.scale).clamp(0, 1)
        return torch.cat([x, through.flatten(1)], dim=1)


def stem(plan: Stack) -> nn.Sequential:
    """A convolution and its norm; of a table a linear layer, after its features were laid out in bins."""
    dimensions = plan.shape.dimensions
    layers: list[nn.Module] = [_Bins(plan.stem_bins)] if plan.stem_bins else []
    layers += [
        convolution(
            plan.stem_inputs, plan.stem_channels, plan.stem_kernel, stride=plan.stem_stride, dimensions=dimensions
        ),
        batch_norm(plan.stem_channels, dimensions=dimensions),
    ]
    return nn.Sequential(*layers)
