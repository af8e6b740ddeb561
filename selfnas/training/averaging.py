"""The average of a network's weights over its latest steps, with batch-norm statistics of its own.

Statistics gathered while the weights moved do not fit their average. So they are computed afresh on training examples
before the averaged network is used.

Sources: Polyak, Juditsky 1992; Izmailov et al. 2018 (UAI), who recompute the statistics.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

__all__ = ["STATISTICS", "WeightAverage"]

STATISTICS = 512  # training examples that are enough for them
_BATCH = 128


class WeightAverage:
    """An exponential average of a network's weights, which begins with the weights after the first step.

    It does what `torch.optim.swa_utils.AveragedModel` does. But it holds the two lists of weights, which that class
    gathers anew at each step: for a small network that takes longer than the step itself.

    Args:
        network: whose weights are averaged; it is copied, and may not be replaced or moved to another device later.
        steps: over about how many steps.
        x: `(n, channels, *size)` training examples, as they come, that statistics are computed on.
    """

    def __init__(self, network: nn.Module, *, steps: float, x: Tensor) -> None:
        self._share, self._begun = 1 / max(1.0, steps), False
        self._average = copy.deepcopy(network)
        self._own = [each.detach() for each in self._average.parameters()]
        self._theirs = [each.detach() for each in network.parameters()]
        self._batches = list(x.tensor_split(max(1, len(x) // _BATCH)))

    def update(self) -> None:
        """Take in the weights after one more step."""
        with torch.no_grad():
            if self._begun:
                torch._foreach_lerp_(self._own, self._theirs, self._share)
            else:
                torch._foreach_copy_(self._own, self._theirs)
                self._begun = True

    @property
    def network(self) -> nn.Module:
        """The averaged network in evaluation mode, its statistics computed afresh."""
        with torch.no_grad():
            update_bn(self._batches, self._average)
        return self._average.eval()
