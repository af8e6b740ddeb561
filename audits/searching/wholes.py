"""What an input has as a whole and another one can be given: its place, size, slope, spectrum, colours."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audits.searching.views import Graft

__all__ = ["Whole", "lines", "slopes", "wholes"]

_LEAST = 1e-6  # of energy, so that a flat input has a centre
_ZOOM = (0.4, 2.5)  # least and greatest factor of size
_IMAGE = 4  # dimensions of a batch of images


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A summary of a whole input that another one can be given.

    Attributes:
        given: what gives hosts the summary of donors.
        opposed: what moves it as far the other way, as a control of what such a move breaks; None where there is no
            other way, and donors of the own class are the control.
    """

    given: Graft
    opposed: Graft | None = None


def wholes(shape: tuple[int, ...]) -> Mapping[str, Whole]:
    """Summaries of a whole input, by name.

    Args:
        shape: of an input, `(channels, *size)`; a table has none.
    """
    if len(shape) == 1:
        return {}
    axes = range(2, len(shape) + 1)
    parts = {f"place along {axis - 2}": Whole(given=_place(axis), opposed=_place(axis, -1)) for axis in axes}
    if len(parts) > 1:
        parts["place"] = Whole(given=_placed(1), opposed=_placed(-1))
    parts["size"] = Whole(given=_size(1), opposed=_size(-1))
    parts["spectrum"] = Whole(given=_spectrum)
    return parts | ({"colours": Whole(given=_colours)} if shape[0] > 1 else {})


def slopes(dimensions: int) -> Mapping[str, Whole]:
    """The straight line that fits an input best along each side, by name.

    Args:
        dimensions: of a batch of inputs; a table has none.
    """
    return {
        f"slope along {axis - 2}": Whole(given=_slope(axis), opposed=_slope(axis, -1)) for axis in range(2, dimensions)
    }


def lines(size: tuple[int, ...], count: int) -> list[tuple[tuple[int, int], ...]]:
    """Bands right across an image, `count` a side or each line; anything else has none.

    Example:
        >>> lines((4, 4), 2)
        [((0, 2), (0, 4)), ((2, 4), (0, 4)), ((0, 4), (0, 2)), ((0, 4), (2, 4))]
    """
    if len(size) == 1:
        return []
    found = []
    for axis, side in enumerate(size):
        ends = [round(index * side / min(count, side)) for index in range(min(count, side) + 1)]
        for start, stop in itertools.pairwise(ends):
            band = [(0, other) for other in size]
            band[axis] = (start, stop)
            found.append(tuple(band))
    return found


def _place(axis: int, way: int = 1) -> Graft:
    """Where the bulk of an input lies along a dimension, by the phase of its slowest wave; around the end."""

    def graft(hosts: Tensor, donors: Tensor) -> Tensor:
        side = hosts.shape[axis]
        steps = way * torch.round((_phase(hosts, axis) - _phase(donors, axis)) * side / (2 * math.pi)).long()
        index = (torch.arange(side, device=hosts.device)[None] - steps[:, None]) % side
        shape = [len(hosts), *[1] * (hosts.ndim - 1)]
        shape[axis] = side
        return hosts.gather(axis, index.reshape(shape).expand_as(hosts))

    return graft


def _phase(x: Tensor, axis: int) -> Tensor:
    profile = x.mean([other for other in range(1, x.ndim) if other != axis])
    waves: Tensor = torch.fft.rfft(profile.double(), dim=1)
    return waves[:, min(1, waves.shape[1] - 1)].angle()


def _placed(way: int) -> Graft:
    def graft(hosts: Tensor, donors: Tensor) -> Tensor:
        for axis in range(2, hosts.ndim):
            hosts = _place(axis, way)(hosts, donors)
        return hosts

    return graft


def _size(way: int) -> Graft:
    """How far the variation of an input spreads around its centre, which stays where it is."""

    def graft(hosts: Tensor, donors: Tensor) -> Tensor:
        (centres, radii), (_, wanted) = _extent(hosts), _extent(donors)
        factor = (way * (radii.log().mean(1) - wanted.log().mean(1))).exp().clamp(*_ZOOM).to(hosts)
        flat = hosts if hosts.ndim == _IMAGE else hosts[:, :, None]
        moves = torch.zeros(len(hosts), 2, 3, dtype=hosts.dtype, device=hosts.device)
        for row in range(2):
            place = centres[:, -1 - row].to(hosts) if row < centres.shape[1] else torch.zeros_like(factor)
            moves[:, row, row] = factor
            moves[:, row, 2] = place - factor * place
        where = nn.functional.affine_grid(moves, list(flat.shape), align_corners=False)
        found = nn.functional.grid_sample(flat, where, align_corners=False, padding_mode="border")
        return found if hosts.ndim == _IMAGE else found[:, :, 0]

    return graft


def _extent(x: Tensor) -> tuple[Tensor, Tensor]:
    """`(b, sides)` centres of the variation, and its spreads, where an input reaches from -1 to 1."""
    energy = (x - _mean(x)).square().sum(1).double() + _LEAST
    centres, radii = [], []
    for axis in range(1, energy.ndim):
        profile = energy.transpose(1, axis).flatten(2).sum(2) if energy.ndim > 2 else energy
        share = profile / profile.sum(1, keepdim=True)
        side = share.shape[1]
        steps = (2 * torch.arange(side, device=x.device) + 1) / side - 1
        centre = (share * steps).sum(1)
        centres.append(centre)
        radii.append((share * (steps - centre[:, None]).square()).sum(1).sqrt().clamp_min(1 / side))
    return torch.stack(centres, 1), torch.stack(radii, 1)


def _slope(axis: int, way: int = 1) -> Graft:
    def part(x: Tensor) -> Tensor:
        shape = [1] * x.ndim
        shape[axis] = x.shape[axis]
        line = torch.linspace(-1, 1, x.shape[axis], dtype=x.dtype, device=x.device).reshape(shape)
        return _mean(x * line) / line.square().mean() * line

    return lambda hosts, donors: hosts + way * (part(donors) - part(hosts))


def _spectrum(hosts: Tensor, donors: Tensor) -> Tensor:
    """How strong each wave is; where its crests lie stays."""
    sides = tuple(range(2, hosts.ndim))
    own, other = (torch.fft.rfftn(x, dim=sides) for x in (hosts, donors))
    strength = other.abs()
    still = (slice(None), slice(None), *[0] * len(sides))
    strength[still] = own[still].abs()
    mixed: Tensor = torch.fft.irfftn(torch.polar(strength, own.angle()), s=tuple(hosts.shape[2:]), dim=sides)
    return mixed


def _colours(hosts: Tensor, donors: Tensor) -> Tensor:
    """The mean of each channel."""
    sides = tuple(range(2, hosts.ndim))
    return hosts - hosts.mean(sides, keepdim=True) + donors.mean(sides, keepdim=True)


def _mean(x: Tensor) -> Tensor:
    return x.mean(tuple(range(1, x.ndim)), keepdim=True)
