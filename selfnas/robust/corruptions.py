"""Inputs as a worse sensor would give them, at a strength: 1 is mild, 2 is clear to see.

Source: Hendrycks and Dietterich 2019 (ICLR), Benchmarking Neural Network Robustness to Common Corruptions; these are
plain forms that need no data of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from selfnas.errors import ShapeError

__all__ = ["corrupted", "corruptions_of"]

_NOISE, _CONTRAST, _SHIFT, _DROPPED, _DRIFT = 0.08, 0.25, 0.05, 0.1, 0.15  # at strength 1

_Corruption = Callable[[Tensor, float, float, torch.Generator], Tensor]


def corruptions_of(x: Tensor) -> tuple[str, ...]:
    """Names of the corruptions of `(n, channels, *size)` inputs: those of series or those of images.

    Raises:
        ShapeError: neither series nor images.
    """
    return tuple(_table(x))


def corrupted(x: Tensor, name: str, strength: float, *, spread: float, generator: torch.Generator) -> Tensor:
    """A corrupted copy of inputs.

    Args:
        x: `(n, channels, *size)`.
        name: one of `corruptions_of`.
        strength: above 0.
        spread: range of the data, which noise is a share of.
        generator: on the CPU; all draws are of it.

    Example:
        >>> flat = torch.ones(2, 1, 4, 4)
        >>> generator = torch.Generator().manual_seed(0)
        >>> torch.equal(corrupted(flat, "contrast", 1.0, spread=1.0, generator=generator), flat)
        True
    """
    return _table(x)[name](x, strength, spread, generator)


def _table(x: Tensor) -> Mapping[str, _Corruption]:
    found = _TABLES.get(x.ndim - 2)
    if found is None:
        raise ShapeError(f"corruptions are of series and images, not of inputs {tuple(x.shape)}")
    return found


def _noise(x: Tensor, strength: float, spread: float, generator: torch.Generator) -> Tensor:
    return x + (_NOISE * strength * spread * torch.randn(x.shape, generator=generator)).to(x)


def _blur(x: Tensor, strength: float, spread: float, generator: torch.Generator) -> Tensor:
    """Each pixel moves towards the mean of the nine around it, once for each unit of strength."""
    while strength > 0:
        smooth = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x, strength = x + min(1.0, strength) * (smooth - x), strength - 1
    return x


def _contrast(x: Tensor, strength: float, spread: float, generator: torch.Generator) -> Tensor:
    """Each example moves towards its own mean."""
    mean = x.flatten(1).mean(1).reshape(-1, *[1] * (x.ndim - 1))
    share: float = (1 - _CONTRAST) ** strength
    return mean + share * (x - mean)


def _shift(x: Tensor, strength: float, spread: float, generator: torch.Generator) -> Tensor:
    """Along every dimension, forwards or backwards, the edge repeated; at least by one place."""
    for axis in range(2, x.ndim):
        length = x.shape[axis]
        by = max(1, round(_SHIFT * strength * length))
        back = torch.rand(len(x), generator=generator) < 0.5
        places = torch.arange(length)
        first = x.index_select(axis, (places - by).clamp(0, length - 1).to(x.device))
        second = x.index_select(axis, (places + by).clamp(0, length - 1).to(x.device))
        x = torch.where(back.reshape(-1, *[1] * (x.ndim - 1)).to(x.device), second, first)
    return x


def _dropout(x: Tensor, strength: float, spread: float, generator: torch.Generator) -> Tensor:
    """Steps at which nothing was measured repeat the one before."""
    length = x.shape[2]
    kept = torch.rand(len(x), length, generator=generator) >= _DROPPED * strength
    kept[:, 0] = True
    latest = torch.where(kept, torch.arange(length), 0).cummax(1).values
    return x.gather(2, latest.unsqueeze(1).expand(-1, x.shape[1], -1).to(x.device))


def _drift(x: Tensor, strength: float, spread: float, generator: torch.Generator) -> Tensor:
    """The scale rises or falls evenly over time."""
    slope = _DRIFT * strength * (2 * (torch.rand(len(x), 1, 1, generator=generator) < 0.5).to(x) - 1)
    return x * (1 + slope * torch.linspace(0, 1, x.shape[2], device=x.device))


_TABLES: Mapping[int, Mapping[str, _Corruption]] = {
    1: {"noise": _noise, "dropout": _dropout, "drift": _drift, "shift": _shift},
    2: {"noise": _noise, "blur": _blur, "contrast": _contrast, "shift": _shift},
}
