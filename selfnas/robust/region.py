"""The inputs that an answer is to hold for: every value moved by at most a share of the data's range, inside it.

A radius is told in units of the raw data's range, so that 0.1 means the same of pixels from 0 to 255 and from 0 to 1.
What a network sees is scaled channel by channel; here the radius is scaled along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from selfnas.errors import InputError, ShapeError
from selfnas.robust.bounds import Bounds

__all__ = ["MOST_RADIUS", "Region"]

MOST_RADIUS = 0.5  # from there on the middle of the range lies within reach of every input
_BEYOND = 0.1  # of the range: inputs that leave it by more are not scaled as the training inputs are
_FLOATS = (3, 4)  # dimensions of a batch of series and of images


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Maximum-norm balls of one radius in the range of some data.

    Attributes:
        radius: share of the range by which each value may move, in (0, 0.5].
        low: by channel, the least value of the training inputs as the network sees them.
        high: the greatest.

    Raises:
        InputError: a radius outside its limits, or data without a range.
    """

    radius: float
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < self.radius <= MOST_RADIUS:
            raise InputError(
                f"a radius is a share of the data's range above 0 and at most {MOST_RADIUS:g}, not {self.radius:g}"
            )
        ends = [*self.low, *self.high]
        if not ends or len(self.low) != len(self.high) or not all(map(math.isfinite, ends)):
            raise InputError("a region needs the finite least and greatest value of each channel")
        if any(low > high for low, high in zip(self.low, self.high, strict=True)) or not max(self.reach):
            raise InputError("the training inputs have one value alone: there is no range that a radius is a share of")

    @staticmethod
    def of(x: Tensor, *, radius: float) -> Region:
        """Balls in the range of `(n, channels, *size)` training inputs.

        Raises:
            ShapeError: not a batch of series or images.
            InputError: see the class.

        Example:
            >>> Region.of(torch.tensor([[[0.0, 4.0]], [[2.0, -1.0]]]), radius=0.1).reach
            (0.5,)
        """
        if x.ndim not in _FLOATS or not len(x):
            raise ShapeError(f"need inputs (n, channels, length) or (n, channels, height, width), not {tuple(x.shape)}")
        by_channel = x.transpose(0, 1).flatten(1)
        low, high = (tuple(map(float, end)) for end in (by_channel.amin(1), by_channel.amax(1)))
        return Region(radius=radius, low=low, high=high)

    @property
    def reach(self) -> tuple[float, ...]:
        """By channel how far a value may move, as the network sees it."""
        return tuple(self.radius * (high - low) for low, high in zip(self.low, self.high, strict=True))

    def ends(self, x: Tensor, *, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """`(b, channels, *size)` least and greatest values within a share of the radius.

        No value goes beyond the range; one that lies outside it already goes no farther.
        """
        wide = (1, -1, *[1] * (x.ndim - 2))
        low, high, reach = (x.new_tensor(each).reshape(wide) for each in (self.low, self.high, self.reach))
        least = torch.maximum(x - share * reach, torch.minimum(low, x))
        most = torch.minimum(x + share * reach, torch.maximum(high, x))
        return least, most

    def box(self, x: Tensor, *, share: float = 1.0, unit: float = 0.0) -> Bounds:
        """The same as bounds; see `selfnas.robust.bounds.Bounds` for the unit."""
        least, most = self.ends(x, share=share)
        return Bounds(least, most, unit=unit)

    def check(self, x: Tensor) -> None:
        """Raise where inputs are not scaled as the training inputs were.

        Raises:
            InputError: most of them leave the range by more than a tenth of it.
        """
        wide = (1, -1, *[1] * (x.ndim - 2))
        low, high = (x.new_tensor(each).reshape(wide) for each in (self.low, self.high))
        slack = _BEYOND * (high - low)
        outside = ((x < low - slack) | (x > high + slack)).flatten(1).any(1)
        if int(outside.sum()) * 2 > len(x):
            raise InputError(
                f"{int(outside.sum())} of {len(x)} inputs lie outside the range of the training inputs: they are not "
                "scaled alike, so that a radius means nothing"
            )
