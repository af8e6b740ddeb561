"""Parts of an input that can be taken from another one: small windows, columns, the finest texture, level, contrast."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from audits.contract.data import region_slices
from selfnas.data.transforms import Region

__all__ = ["Graft", "fine_share", "grafts", "summaries", "windows"]

Graft = Callable[[Tensor, Tensor], Tensor]  # hosts and donors `(b, ...)` to hosts with that part of the donors

_PARTS = {1: 8, 2: 4}  # a window is such a part of a side, by the number of sides
_COLUMNS = 64  # of a table, that are searched or summarised at most
_VALUES = 2**24  # that are looked at together
_FINEST = 0.25  # cycles a step, from which on texture is called fine
_CHANNELS = 16  # whose means are summarised
_LEAST = 1e-6


def windows(size: tuple[int, ...], *, dimensions: int) -> list[Region]:
    """Regions that are small and overlap by half; of a table, each column.

    Args:
        size: as `audits.contract.data.AuditData.size`.
        dimensions: of a batch of inputs.

    Example:
        >>> windows((8, 8), dimensions=4)[:3]
        [((0, 2), (0, 2)), ((0, 2), (1, 3)), ((0, 2), (2, 4))]
    """
    if dimensions == 2:
        return [((column, column + 1),) for column in range(min(size[0], _COLUMNS))]
    sides = [_spans(side, _PARTS[len(size)]) for side in size]
    if len(sides) == 1:
        return [(span,) for span in sides[0]]
    return [(first, second) for first in sides[0] for second in sides[1]]


def _spans(side: int, parts: int) -> list[tuple[int, int]]:
    width = min(side, max(2, math.ceil(side / parts)))
    count = min(2 * parts - 1, side - width + 1)
    starts = {round(index * (side - width) / max(1, count - 1)) for index in range(count)}
    return [(start, start + width) for start in sorted(starts)]


def window(region: Region) -> Graft:
    """What lies in a region."""

    def graft(hosts: Tensor, donors: Tensor) -> Tensor:
        where = region_slices(region, hosts.ndim)
        changed = hosts.clone()
        changed[where] = donors[where]
        return changed

    return graft


def texture(hosts: Tensor, donors: Tensor) -> Tensor:
    """All waves that are shorter than four steps."""
    return hosts - fine(hosts) + fine(donors)


def fine(x: Tensor) -> Tensor:
    """What inputs consist of in waves that are shorter than four steps along some side."""
    sides = tuple(range(2, x.ndim))
    size = tuple(x.shape[2:])
    steps = [torch.fft.fftfreq(side) for side in size[:-1]] + [torch.fft.rfftfreq(size[-1])]
    short = torch.stack([each.abs() for each in torch.meshgrid(*steps, indexing="ij")]).amax(0) > _FINEST
    part: Tensor = torch.fft.irfftn(torch.fft.rfftn(x, dim=sides) * short.to(x.device), s=size, dim=sides)
    return part


def fine_share(x: Tensor) -> float:
    """How much of the variation of inputs around their mean is in such waves, in [0, 1]."""
    middle, whole, part = x.mean(0, keepdim=True), 0.0, 0.0
    for rows in torch.split(x, max(1, _VALUES // max(1, x[0].numel()))):
        centred = rows - middle
        whole += float(centred.double().square().sum())
        part += float(fine(centred).double().square().sum())
    return part / whole if whole else 0.0


def level(hosts: Tensor, donors: Tensor) -> Tensor:
    """The mean over all values of an input."""
    return hosts - _mean(hosts) + _mean(donors)


def contrast(hosts: Tensor, donors: Tensor) -> Tensor:
    """The standard deviation over all values of an input."""
    ratio = (donors - _mean(donors)).square().mean(_inner(donors), keepdim=True).sqrt()
    ratio = ratio / (hosts - _mean(hosts)).square().mean(_inner(hosts), keepdim=True).sqrt().clamp_min(_LEAST)
    return _mean(hosts) + (hosts - _mean(hosts)) * ratio


def grafts(dimensions: int) -> Mapping[str, Graft]:
    """Parts that are not a place, by name; a table has none."""
    return {} if dimensions == 2 else {"texture": texture, "level": level, "contrast": contrast}


def summaries(x: Tensor) -> Tensor:
    """`(b, k)` simple features of inputs: moments, extremes, roughness, means of parts; of a table its columns."""
    flat = x.flatten(1).double()
    if x.ndim == 2:
        widest = flat.var(0, unbiased=False).sort(descending=True, stable=True).indices[:_COLUMNS]
        return flat[:, widest]
    parts = [flat.mean(1), flat.std(1, unbiased=False), flat.amin(1), flat.amax(1)]
    places = [[(0, side - side // 2), (side // 2, side)] for side in x.shape[2:]]  # halves, which share the middle
    for axis, halves in enumerate(places, start=2):
        parts.append(x.diff(dim=axis).abs().flatten(1).double().sum(1) / flat.shape[1])
        parts += [x.narrow(axis, start, stop - start).flatten(1).double().mean(1) for start, stop in halves]
    if len(places) == 2:
        for first in places[0]:
            parts += [x[:, :, slice(*first), slice(*second)].flatten(1).double().mean(1) for second in places[1]]
    if x.shape[1] > 1:
        parts += list(x[:, :_CHANNELS].flatten(2).double().mean(2).T)
    return torch.stack(parts, 1)


def _inner(x: Tensor) -> tuple[int, ...]:
    return tuple(range(1, x.ndim))


def _mean(x: Tensor) -> Tensor:
    return x.mean(_inner(x), keepdim=True)
