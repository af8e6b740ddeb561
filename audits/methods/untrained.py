"""Networks of one architecture that never learned anything: what attributions of a trained one are compared with."""

from __future__ import annotations

import copy
import math
import warnings

import torch
from torch import nn

__all__ = ["duplicate", "redraw", "untrained"]


def untrained(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy with freshly drawn weights (see `redraw`)."""
    fresh = duplicate(network)
    redraw(fresh, generator)
    return fresh


def redraw(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights anew, in place: He normal matrices and kernels, biases 0, scales 1, running moments 0 and 1.

    Works by the names and shapes of parameters, so it needs no knowledge of the modules.

    Source: He et al. 2015 (ICCV) for the spread.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim >= 2:
                spread = math.sqrt(2 / max(1, parameter[0].numel()))
                drawn = torch.randn(parameter.shape, generator=generator) * spread
                parameter.copy_(drawn.to(parameter))
            else:
                parameter.fill_(0.0 if name.rsplit(".", 1)[-1].endswith("bias") else 1.0)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.zero_()
            elif name.endswith("running_var"):
                buffer.fill_(1.0)


def duplicate(network: nn.Module) -> nn.Module:
    """A copy that shares nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # torch's own, on copying what torch.export made
        return copy.deepcopy(network)
