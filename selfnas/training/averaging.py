"""The average of a network's weights over its latest steps, with batch-norm statistics of its own.

Statistics gathered while the weights moved do not fit their average. So they are computed afresh on training examples
before the averaged network is used.

Sources: Polyak, Juditsky 1992; Izmailov et al. 2018 (UAI), who recompute the statistics.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

__all__ = ["STATISTICS", "WeightAverage"]

STATISTICS = 512  # training examples that are enough for them
_BATCH = 128


class WeightAverage:
    """An exponential average of a network's weights.

    Args:
        network: whose weights are averaged; it is copied.
        steps: over about how many steps.
        x: `(n, channels, *size)` training examples, as they come, that statistics are computed on.
    """

    def __init__(self, network: nn.Module, *, steps: float, x: Tensor) -> None:
        decay = 1 - 1 / max(1.0, steps)
        average: Any = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(network, multi_avg_fn=average)
        self._batches = list(x.tensor_split(max(1, len(x) // _BATCH)))

    def update(self, network: nn.Module) -> None:
        """Take in the weights after one more step."""
        self._average.update_parameters(network)

    @property
    def network(self) -> nn.Module:
        """The averaged network in evaluation mode, its statistics computed afresh."""
        with torch.no_grad():
            update_bn(self._batches, self._average)
        averaged: nn.Module = self._average.module
        return averaged.eval()
