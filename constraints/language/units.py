"""Units of the numbers in rules: how many base units each is worth, and how a limit that is not whole is rounded.

All quantities are whole numbers in base units, so rounding never changes what a comparison says: `x <= 1.5` is
`x <= 1`.
"""

from __future__ import annotations

import math
from fractions import Fraction

from constraints.language.syntax import Comparison

__all__ = ["UNITS", "whole_limit"]

UNITS: dict[str, tuple[str, int]] = {
    "param": ("param", 1),
    "kparam": ("param", 1_000),
    "Mparam": ("param", 1_000_000),
    "mac": ("mac", 1),
    "kmac": ("mac", 1_000),
    "Mmac": ("mac", 1_000_000),
    "Gmac": ("mac", 1_000_000_000),
    "byte": ("byte", 1),
    "KiB": ("byte", 1024),
    "MiB": ("byte", 1024**2),
    "px": ("px", 1),
}


def whole_limit(limit: Fraction, comparison: Comparison) -> int | None:
    """The whole number that says the same of whole numbers; None for `==` and `!=` when there is none.

    Example:
        >>> whole_limit(Fraction(3, 2), "<="), whole_limit(Fraction(3, 2), ">="), whole_limit(Fraction(3, 2), "==")
        (1, 2, None)
    """
    if comparison in ("<=", ">"):
        return math.floor(limit)
    if comparison in ("<", ">="):
        return math.ceil(limit)
    return int(limit) if limit.denominator == 1 else None
