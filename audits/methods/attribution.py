"""Attributions by Captum, which is used nowhere else: which part of the input a prediction rests on."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audits.contract.examinee import Examinee, NetworkOutputError

__all__ = ["Tiles", "ablation_effects", "baseline", "integrated_gradients", "tile"]

_BATCH = 512  # inputs times integration steps per pass, as far as
_VALUES = 4_000_000  # input values per pass allow; bounds memory
_TILES = {1: 16, 2: 4}  # at most so many tiles a side, by number of spatial dimensions; columns of a table are one
_ABLATED = 2_000_000  # input values per pass of occlusion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tiles:
    """A partition of the input into tiles."""

    index: Tensor  # `(*size)` int64, the tile of each position, numbered from 0 without gaps
    count: int  # number of tiles
    marked: Tensor  # `(count,)` bool, whether a tile lies in the marked region; tiles are cut at its border

    def spread(self, taken: Tensor, x: Tensor) -> Tensor:
        """`(b, ...)` whether each position of inputs `x` lies in a tile that is taken, of `(b, count)` bool."""
        places = taken[:, self.index].to(x.device)
        return places if places.ndim == x.ndim else places.unsqueeze(1)


def baseline(examinee: Examinee) -> Tensor:
    """`(1, channels, *size)` the mean training input: on the data's scale whatever the scaling, unlike zeros."""
    return examinee.data.x_train.mean(0, keepdim=True)


def integrated_gradients(
    examinee: Examinee, x: Tensor, targets: Tensor, *, steps: int, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attribution of each input's target logit, and the difference of logits it should add up to.

    Args:
        x: `(b, channels, *size)` float32.
        targets: `(b,)` int64.
        steps: Gauss-Legendre points on the path from the baseline.
        start: the baseline, one for all or one for each input; the mean training input if absent.

    Returns:
        `(b, channels, *size)` attributions and `(b,)` of `f(x) - f(baseline)`, float64 on the CPU.

    Raises:
        NetworkOutputError: attributions that are not finite.

    Source: Sundararajan, Taly, Yan 2017 (ICML).
    """
    from captum.attr import IntegratedGradients

    start = baseline(examinee) if start is None else start
    difference = (examinee.logits(x) - examinee.logits(start)).gather(1, targets.cpu()[:, None]).squeeze(1)
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # captum warns when it sets requires_grad itself
        attributions = IntegratedGradients(examinee.network).attribute(
            x.to(examinee.device),
            baselines=start.to(examinee.device),
            target=targets.to(examinee.device),
            n_steps=steps,
            internal_batch_size=max(len(x), min(_BATCH, _VALUES // x[0].numel())),
        )
    result: Tensor = attributions.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(result).all()):
        raise NetworkOutputError("integrated gradients are not finite")
    return result, difference


def tile(size: tuple[int, ...], *, region: tuple[tuple[int, int], ...] = ()) -> Tiles:
    """An even grid, cut at the border of a region."""
    side_count = _TILES[len(size)]
    ids = torch.zeros(size, dtype=torch.int64)
    for axis, side in enumerate(size):
        width = math.ceil(side / side_count)
        shape = [1] * len(size)
        shape[axis] = side
        ids = ids * side_count + (torch.arange(side) // width).reshape(shape)
    inside = torch.zeros(size, dtype=torch.bool)
    if region:
        inside[tuple(slice(start, stop) for start, stop in region)] = True
    numbers, flat = torch.unique(2 * ids + inside.long(), return_inverse=True)
    return Tiles(index=flat.reshape(size), count=len(numbers), marked=numbers % 2 == 1)


def ablation_effects(
    examinee: Examinee, network: nn.Module, x: Tensor, targets: Tensor, tiles: Tiles, *, logits: Tensor | None = None
) -> Tensor:
    """`(b, tiles)` float64: how much the target's logit falls when a tile shows the mean training input.

    Args:
        network: that of the examinee itself or an untrained copy of it.
        x: `(b, channels, *size)`.
        targets: `(b,)` classes.
        logits: `(b, classes)` of the network on `x`, where they are known already.

    Source: Zeiler and Fergus 2014 (ECCV).
    """
    from captum.attr import FeatureAblation

    given = x.to(examinee.device)
    known = None if logits is None else logits.to(given)

    def answer(inputs: Tensor) -> Tensor:
        result: Tensor = known if known is not None and inputs is given else network(inputs)
        return result

    index = tiles.index if tiles.index.ndim + 1 == x.ndim else tiles.index.expand(x.shape[1], *tiles.index.shape)
    mask = index[None].to(examinee.device)
    with torch.no_grad():
        effects = FeatureAblation(answer).attribute(
            given,
            baselines=baseline(examinee).to(examinee.device),
            target=targets.to(examinee.device),
            feature_mask=mask,
            perturbations_per_eval=max(1, min(tiles.count, _ABLATED // x.numel())),
        )
    shared = effects if index is tiles.index else effects[:, 0]
    flat = shared.flatten(1).to("cpu", torch.float64)
    if not bool(torch.isfinite(flat).all()):
        raise NetworkOutputError("occlusion effects are not finite")
    first = torch.zeros(tiles.count, dtype=torch.int64)
    positions = tiles.index.flatten()
    first[positions.flip(0)] = torch.arange(len(positions)).flip(0)  # any position of a tile holds the tile's effect
    result: Tensor = flat[:, first]
    return result
