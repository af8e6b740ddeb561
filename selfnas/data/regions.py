"""Named parts of an input."""

from __future__ import annotations

from dataclasses import dataclass

from selfnas.errors import InputError

__all__ = ["Nuisance", "Region"]

Region = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuisance:
    """A part of the input that should not decide the class.

    Attributes:
        region: (start, stop) for each spatial dimension, stop excluded.
    """

    name: str
    region: Region

    def fit(self, size: tuple[int, ...]) -> None:
        """Check the region against a spatial size.

        Raises:
            InputError: another number of dimensions, or it leaves the input.
        """
        if len(self.region) != len(size):
            raise InputError(
                f"nuisance {self.name!r} has a region of {len(self.region)} dimensions, the input has {len(size)}"
            )
        for (start, stop), side in zip(self.region, size, strict=True):
            if not 0 <= start < stop <= side:
                raise InputError(
                    f"nuisance {self.name!r}: [{start}, {stop}] does not fit a side of {side}: "
                    f"need 0 <= start < stop <= {side}"
                )

    def index(self) -> tuple[slice, ...]:
        """What selects the region from `(n, channels, *size)`, after the first two axes."""
        return tuple(slice(start, stop) for start, stop in self.region)
