"""Training examples changed at random in ways that leave what is asked of them as it was.

Everything is drawn from one CPU generator and computed for the whole batch at once on the device of the examples.

Sources: random shifts and mirroring, Krizhevsky et al. 2012; cutout, DeVries, Taylor 2017; mixup, Zhang et al. 2018
(ICLR); jitter, scaling, window cropping and time warping of series, Um et al. 2017, Le Guennec et al. 2016; features
taken from other rows, Bahri et al. 2022 (ICLR), SCARF.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from selfnas import seeding
from selfnas.data.targets import InputKind
from selfnas.training.recipes import Recipe

__all__ = ["augmented", "mirror_keeps_labels", "mixing", "smooth_enough"]

_KNOTS = 4  # at which the speed of time is drawn
_LOOKED_AT = 400  # examples by which it is decided what keeps their labels
_ALIKE = 0.7  # correlation of neighbouring values from which series are stretched in time
_STILL = 1e-6  # of the largest variance


def augmented(x: Tensor, recipe: Recipe, generator: torch.Generator, *, inputs: InputKind) -> Tensor:
    """A changed copy of a batch, of the same shape.

    Args:
        x: `(b, channels, h, w)` of images, `(b, channels, l)` of series, `(b, features)` of tables; float, with
            standard deviation about 1. Others are left alone.
        recipe: how much of what.
        generator: on the CPU; everything random is drawn from it.
        inputs: what an example is.
    """
    change = _CHANGES.get(inputs)
    return change(x, recipe, generator) if change is not None and x.is_floating_point() and len(x) else x


def mixing(count: int, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, float]:
    """With whom each of `count` examples is mixed, and the weight of its own part in [0.5, 1].

    Mix inputs by the weight, and losses towards both targets by the same weight: right for every kind of target.
    """
    partner = torch.randperm(count, generator=generator)
    draws = torch._standard_gamma(torch.full((2,), recipe.mixup), generator=generator)
    weight = float(draws[0] / draws.sum().clamp_min(1e-12))
    return partner, max(weight, 1 - weight)


def mirror_keeps_labels(x: NDArray[np.float32], y: NDArray[np.int64], *, seed: int = 0) -> bool:
    """Whether images mirrored left to right still look like their own class: a rule measured on training data.

    Among at most 400 training images, the class of each image's nearest other image is compared with that of its mirror
    image's. Mirroring keeps labels if both find the right class about as often: the mirror images by no more than two
    standard errors less. So photographs may be mirrored, letters and digits not. It says no where neighbours tell the
    class hardly better than chance, for then nothing can be seen from them.

    Args:
        x: `(n, channels, h, w)`.
        y: `(n,)` classes.
        seed: decides which images are looked at.
    """
    chosen = seeding.generator(seed, "mirror").permutation(len(y))[:_LOOKED_AT]
    flat, labels = x[chosen].reshape(len(chosen), -1), y[chosen]
    mirrored = x[chosen][..., ::-1].reshape(len(chosen), -1)
    frequent = float(np.bincount(labels).max() / len(labels))
    own, other = (_found(each, flat, labels) for each in (flat, mirrored))
    if own.mean() <= frequent + 2 * np.sqrt(frequent * (1 - frequent) / len(labels)):
        return False
    loss = own.astype(np.float64) - other
    return bool(loss.mean() <= 2 * loss.std() / np.sqrt(len(labels)))


def smooth_enough(x: NDArray[np.float32], *, seed: int = 0) -> bool:
    """Whether series can be read between their steps: a rule measured on training data.

    Windows that are stretched, and time that runs faster or slower, take values between two steps, halfway where they
    lie apart. Of series whose neighbouring values are hardly alike this leaves something else: the load of an appliance
    that is sampled rarely is noise to it. Asked is that, over at most 400 training series, neighbours correlate by 0.7
    or more. Where they correlate by r, values between steps keep (2 + r) / 3 of the variance on average: nine tenths.

    Args:
        x: `(n, channels, length)`.
        seed: decides which series are looked at.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> noise = rng.standard_normal((20, 1, 200)).astype(np.float32)
        >>> smooth_enough(noise), smooth_enough(noise.cumsum(axis=2))
        (False, True)
    """
    chosen = seeding.generator(seed, "smooth").permutation(len(x))[:_LOOKED_AT]
    series = x[chosen].astype(np.float64)
    series = series - series.mean(axis=2, keepdims=True)
    variance = (series**2).mean(axis=2)
    moves = variance > _STILL * variance.max(initial=0.0)  # a channel that stands still tells nothing
    if not moves.any():
        return True
    alike = (series[..., :-1] * series[..., 1:]).mean(axis=2)[moves] / variance[moves]
    return bool(alike.mean() >= _ALIKE)


def _found(queries: NDArray[np.float32], keys: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the nearest of the other examples has the label of each."""
    distances = (keys**2).sum(1) - 2 * queries @ keys.T
    np.fill_diagonal(distances, np.inf)
    right: NDArray[np.bool_] = labels[distances.argmin(1)] == labels
    return right


def _image(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    if recipe.shift or recipe.zoom or recipe.turn or recipe.flip:
        x = _moved(x, recipe, generator)
    return _cut_out(x, recipe.cutout, generator) if recipe.cutout else x


def _moved(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Shifted, zoomed, turned and mirrored in one interpolation; what comes in from outside repeats the edge."""
    count = len(x)
    draws = torch.rand(5, count, generator=generator)
    angle = (2 * draws[0] - 1) * recipe.turn * torch.pi / 180
    factor = torch.exp((2 * draws[1] - 1) * torch.log1p(torch.tensor(recipe.zoom)))
    mirror = torch.where(draws[2] < recipe.flip, -1.0, 1.0)
    cosine, sine = torch.cos(angle) * factor, torch.sin(angle) * factor
    shift = (2 * draws[3:] - 1) * 2 * recipe.shift  # in units of half a side
    rows = [torch.stack([cosine * mirror, -sine, shift[0]], 1), torch.stack([sine * mirror, cosine, shift[1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1).to(x), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _cut_out(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A square about a random pixel is set to 0, the mean."""
    kept = torch.zeros(len(x), *x.shape[2:], dtype=torch.bool)
    inside = torch.ones_like(kept)
    for axis, side in enumerate(x.shape[2:]):
        middle = torch.rand(len(x), 1, generator=generator) * side
        near = ((torch.arange(side) + 0.5 - middle).abs() * 2 < share * side).view(
            len(x), *(side if axis == place else 1 for place in range(kept.dim() - 1))
        )
        inside = inside & near
    return x.masked_fill(inside.unsqueeze(1).to(x.device), 0.0)


def _series(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    if recipe.crop or recipe.warp:
        x = _resampled(x, recipe, generator)
    if recipe.scaling:
        x = x * (1 + recipe.scaling * torch.randn(*x.shape[:2], 1, generator=generator)).to(x)
    return _noisy(x, recipe.jitter, generator)


def _resampled(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """A window of the series, in which time runs now faster and now slower, stretched to the whole length."""
    count, length = len(x), x.shape[2]
    width = 1 - recipe.crop * torch.rand(count, 1, generator=generator)
    begin = (1 - width) * torch.rand(count, 1, generator=generator)
    knots = torch.exp(recipe.warp * torch.randn(count, 1, _KNOTS, generator=generator))
    speed = functional.interpolate(knots, size=length - 1, mode="linear", align_corners=True).squeeze(1)
    run = torch.cat([torch.zeros(count, 1), speed.cumsum(1)], 1)
    places = (begin + width * run / run[:, -1:]) * (length - 1)
    left = places.floor().clamp(0, length - 2).long()
    share = (places - left).unsqueeze(1).to(x)
    left = left.unsqueeze(1).expand(-1, x.shape[1], -1).to(x.device)
    return x.gather(2, left) * (1 - share) + x.gather(2, left + 1) * share


def _table(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    if recipe.swap:
        others = torch.randint(len(x), x.shape, generator=generator)
        swapped = (torch.rand(x.shape, generator=generator) < recipe.swap).to(x.device)
        x = torch.where(swapped, x.gather(0, others.to(x.device)), x)
    return _noisy(x, recipe.noise, generator)


def _noisy(x: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    return x + deviation * torch.randn(x.shape, generator=generator).to(x) if deviation else x


_CHANGES: Mapping[InputKind, Callable[[Tensor, Recipe, torch.Generator], Tensor]] = {
    "image": _image,
    "series": _series,
    "table": _table,
}
