"""Attacks within a region: by gradients, from several starts, and by a search that asks for answers alone.

The search is the check on the gradients: a network may hide from these (*gradient masking*) and is no more robust for
it. What only the search turns is counted by itself.

Sources: Madry et al. 2018 (ICLR), projected gradient descent with restarts; Croce and Hein 2020 (ICML), the difference
of outputs as the loss; Andriushchenko et al. 2020 (ECCV), Square Attack, of which the search is a plain form; Athalye
et al. 2018 (ICML) on masked gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from selfnas.robust.region import Region

__all__ = ["Attacked", "attack", "preference", "pushed"]

_BATCH = 256
_CROSSED = 2.5  # times that the steps together can cross the region, as Madry et al. advise
_WIDEST, _NARROWEST = 0.8, 0.1  # side of a changed window as a share of the input's, first and last


@dataclass(frozen=True, slots=True)
class Attacked:
    """What attacks on inputs came to.

    Attributes:
        clean: `(n,)` whether each was answered right before.
        by_gradient: `(n,)` whether gradients found an input of its region that is answered otherwise.
        by_search: `(n,)` whether the search did.
    """

    clean: Tensor
    by_gradient: Tensor
    by_search: Tensor

    @property
    def resisted(self) -> Tensor:
        """`(n,)` whether each was answered right and no attack found otherwise."""
        return self.clean & ~self.by_gradient & ~self.by_search

    @property
    def masked(self) -> Tensor:
        """`(n,)` whether the search turned what gradients did not."""
        return self.clean & self.by_search & ~self.by_gradient


def attack(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    region: Region,
    *,
    seed: torch.Generator,
    steps: int = 20,
    restarts: int = 2,
    queries: int = 100,
) -> Attacked:
    """Attack every input that is answered right.

    Args:
        network: in evaluation mode; gives `(b, c)` outputs.
        x: `(n, channels, *size)`.
        y: `(n,)` classes.
        region: that inputs may move in.
        seed: a CPU generator; starts and windows are drawn from it.
        steps: of each descent.
        restarts: descents from random starts, after one from the input itself.
        queries: of the search.
    """
    found = [
        _attack(network, *part, region, seed=seed, steps=steps, restarts=restarts, queries=queries)
        for part in zip(torch.split(x, _BATCH), torch.split(y, _BATCH), strict=True)
    ]
    return Attacked(*(torch.cat([getattr(part, name) for part in found]) for name in Attacked.__slots__))


def preference(outputs: Tensor, y: Tensor) -> Tensor:
    """`(b,)` output of the class less the largest other one: above 0 where the class is answered."""
    own = nn.functional.one_hot(y, outputs.shape[1]).to(torch.bool)
    return outputs[own] - outputs.masked_fill(own, -math.inf).amax(1)


def pushed(
    network: nn.Module, x: Tensor, y: Tensor, ends: tuple[Tensor, Tensor], start: Tensor, *, steps: int
) -> Tensor:
    """`(b, channels, *size)` where projected gradient descent ends that begins at `start`.

    Args:
        network: in the mode in which it is attacked.
        x: that the region is about.
        y: `(b,)` classes that it is pushed away from.
        ends: least and greatest values of the region.
        start: inside of it.
        steps: how many, each of a fixed length in every value.
    """
    low, high = ends
    step, moved = _CROSSED / steps * (high - low) / 2, start
    for _ in range(steps):
        at = moved.detach().requires_grad_(True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(preference(network(at), y).sum(), at)
        moved = torch.minimum(torch.maximum(moved - step * slope.sign(), low), high)
    return moved.detach()


def _attack(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    region: Region,
    *,
    seed: torch.Generator,
    steps: int,
    restarts: int,
    queries: int,
) -> Attacked:
    with torch.no_grad():
        clean = preference(network(x), y) > 0
    by_gradient, by_search = torch.zeros_like(clean), torch.zeros_like(clean)
    low, high = region.ends(x)
    for number in range(restarts + 1):
        start = x
        if number:
            start = low + torch.rand(x.shape, generator=seed).to(x) * (high - low)
        left = (clean & ~by_gradient).nonzero()[:, 0]
        if len(left):
            ends = low[left], high[left]
            moved = pushed(network, x[left], y[left], ends, start[left], steps=steps)
            with torch.no_grad():
                by_gradient[left] = ~(preference(network(moved), y[left]) > 0)
    left = clean.nonzero()[:, 0]
    if len(left):
        by_search[left] = _searched(network, y[left], (low[left], high[left]), seed=seed, queries=queries)
    return Attacked(clean, by_gradient, by_search)


def _searched(
    network: nn.Module, y: Tensor, ends: tuple[Tensor, Tensor], *, seed: torch.Generator, queries: int
) -> Tensor:
    """`(b,)` whether a random search over corners of the region turned each, by answers alone."""
    low, high = ends
    size = low.shape[2:]
    stripes = torch.rand(*low.shape[:2], *[1] * (len(size) - 1), size[-1], generator=seed) < 0.5
    now = torch.where(stripes.to(low.device), low, high)
    with torch.no_grad():
        least = preference(network(now), y)
        for query in range(queries):
            side = _WIDEST * (_NARROWEST / _WIDEST) ** (query / max(1, queries - 1))
            window, upper = _window(size, side, seed), torch.rand(*low.shape[:2], generator=seed) < 0.5
            wide = upper.reshape(*upper.shape, *[1] * len(size)).to(low.device)
            tried = torch.where(window.to(low.device), torch.where(wide, high, low), now)
            found = preference(network(tried), y)
            better = found < least
            least = torch.where(better, found, least)
            now = torch.where(better.reshape(-1, 1, *[1] * len(size)), tried, now)
    return ~(least > 0)


def _window(size: tuple[int, ...], side: float, seed: torch.Generator) -> Tensor:
    """`size` of bool: a box with about this share of each side, at a random place."""
    inside = torch.ones(size, dtype=torch.bool)
    for axis, length in enumerate(size):
        wide = max(1, round(side * length))
        begin = int(torch.randint(length - wide + 1, (1,), generator=seed))
        places = torch.arange(length)
        along = (places >= begin) & (places < begin + wide)
        inside = inside & along.reshape([length if axis == other else 1 for other in range(len(size))])
    return inside
