"""Occlusion: what replacing a tile of the input by its training mean does to a prediction (Captum feature ablation)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audits.contract.examinee import Examinee, NetworkOutputError
from audits.methods.attribution import baseline

__all__ = ["Tiles", "ablation_effects", "tile"]

_TILES = {1: 16, 2: 4}  # at most so many tiles a side, by number of spatial dimensions
_VALUES = 2_000_000  # input values per forward pass; bounds memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tiles:
    """A partition of the input into tiles."""

    index: Tensor  # `(*size)` int64, the tile of each position, numbered from 0 without gaps
    count: int  # number of tiles
    marked: Tensor  # `(count,)` bool, whether a tile lies in the marked region; tiles are cut at its border


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
        examinee: gives the data and the device.
        network: the network itself or an untrained copy of it.
        x: `(b, channels, *size)`.
        targets: `(b,)` classes.
        tiles: the partition.
        logits: `(b, classes)` of the network on `x`, where they are known already.

    Source: Zeiler and Fergus 2014 (ECCV).
    """
    from captum.attr import FeatureAblation

    given = x.to(examinee.device)
    known = None if logits is None else logits.to(given)

    def answer(inputs: Tensor) -> Tensor:
        result: Tensor = known if known is not None and inputs is given else network(inputs)
        return result

    mask = tiles.index.expand(1, x.shape[1], *tiles.index.shape).to(examinee.device)
    with torch.no_grad():
        effects = FeatureAblation(answer).attribute(
            given,
            baselines=baseline(examinee).to(examinee.device),
            target=targets.to(examinee.device),
            feature_mask=mask,
            perturbations_per_eval=max(1, min(tiles.count, _VALUES // x.numel())),
        )
    flat = effects[:, 0].flatten(1).to("cpu", torch.float64)
    if not bool(torch.isfinite(flat).all()):
        raise NetworkOutputError("occlusion effects are not finite")
    first = torch.zeros(tiles.count, dtype=torch.int64)
    positions = tiles.index.flatten()
    first[positions.flip(0)] = torch.arange(len(positions)).flip(0)  # any position of a tile holds the tile's effect
    result: Tensor = flat[:, first]
    return result
