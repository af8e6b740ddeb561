"""Which examples two predictors are right about, kept in a few characters, and their difference on the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.training.intervals import paired_difference

__all__ = ["MOST_COMPARED", "Paired", "compared_rows", "hits_from_text", "hits_in_text", "paired"]

MOST_COMPARED = 16_384  # test examples of which it is kept whether each was right
Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two predictors on the same examples.

    Attributes:
        only_first: examples that the first alone is right about.
        only_second: that the second alone is right about.
        n: all examples compared.
    """

    only_first: int
    only_second: int
    n: int

    @property
    def difference(self) -> float:
        """Share that the first is right about minus that of the second."""
        return (self.only_first - self.only_second) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        return paired_difference(self.only_first, self.only_second, self.n)


def paired(first: Hits, second: Hits) -> Paired:
    """Compare two predictors, `(n,)` whether each example was right.

    Example:
        >>> paired(np.array([True, True, False]), np.array([True, False, False]))
        Paired(only_first=1, only_second=0, n=3)
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} examples cannot be compared one by one")
    return Paired(only_first=int((first & ~second).sum()), only_second=int((second & ~first).sum()), n=len(first))


def compared_rows(count: int) -> NDArray[np.int64]:
    """Numbers of the test examples that are compared one by one, ascending: all, or as many as are kept, drawn.

    Example:
        >>> compared_rows(3), len(compared_rows(10**5))
        (array([0, 1, 2]), 16384)
    """
    if count <= MOST_COMPARED:
        return np.arange(count)
    return np.sort(seeding.generator(0, "compared", count).choice(count, MOST_COMPARED, replace=False))


def hits_in_text(hits: Hits) -> str:
    """Of all test examples, those that are compared, a bit each, as hexadecimal text.

    Example:
        >>> hits_in_text(np.array([True, False, True, True]))
        'b0'
    """
    return np.packbits(hits[compared_rows(len(hits))]).tobytes().hex()


def hits_from_text(text: str, count: int) -> Hits:
    """Read what `hits_in_text` wrote of `count` test examples.

    Raises:
        ValueError: it is not of so many.

    Example:
        >>> hits_from_text("b0", 4)
        array([ True, False,  True,  True])
    """
    size = min(count, MOST_COMPARED)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8)).astype(np.bool_)
    if len(bits) != -(-size // 8) * 8 or bits[size:].any():
        raise ValueError(f"it does not say of {size} examples whether each was right")
    return bits[:size]
