"""Interval arithmetic over many boxes at once: what a program's value, and its slope in one atom, can be on each.

Ends are rounded outward only where the operation was not exact, which error-free transformations tell. So an enclosure
never leaves out a value, and one that touches zero still does. Where a program has a corner, its slope is enclosed by
all that it is nearby (the generalised gradient of a Lipschitz function).

Sources: Moore, Kearfott, Cloud 2009 (interval arithmetic); Dekker 1971 and Knuth 1969 (exact sums and products);
Clarke 1983 (generalised gradients; Lebourg's mean value theorem makes a slope of one sign a monotone program).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from selfnas.acquisition.expression import Apply, Atom, Constant, Expression, atoms_of

__all__ = ["Enclosure", "constant", "difference", "improvement", "slope", "value"]

Ends = NDArray[np.float64]

_SURE = Apply("max", (Apply("-", (Atom("mean"), Atom("incumbent"))), Constant(0)))  # improvement, were spread 0

_SPLIT = 134217729.0  # 2**27 + 1, which cuts a double in two halves
_TINY = 1e-200  # products below may lose the exact error to underflow: they are rounded outward in any case
_UNSURE = Fraction(2, 5)  # expected improvement exceeds a sure one by at most the density of a normal at zero, 0.3989…


@dataclass(frozen=True, slots=True)
class Enclosure:
    """`(n,)` lower and `(n,)` upper ends, one pair for each box."""

    low: Ends
    high: Ends

    def __add__(self, other: Enclosure) -> Enclosure:
        return Enclosure(_down(*_sum(self.low, other.low)), _up(*_sum(self.high, other.high)))

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.high, -self.low)

    def __sub__(self, other: Enclosure) -> Enclosure:
        return self + -other

    def __mul__(self, other: Enclosure) -> Enclosure:
        products = [_product(one, two) for one in (self.low, self.high) for two in (other.low, other.high)]
        lows, highs = [_down(*found) for found in products], [_up(*found) for found in products]
        return Enclosure(np.minimum.reduce(lows), np.maximum.reduce(highs))

    def least(self, other: Enclosure) -> Enclosure:
        """Of the smaller of two."""
        return Enclosure(np.minimum(self.low, other.low), np.minimum(self.high, other.high))

    def greatest(self, other: Enclosure) -> Enclosure:
        """Of the larger of two."""
        return Enclosure(np.maximum(self.low, other.low), np.maximum(self.high, other.high))

    def magnitude(self) -> Enclosure:
        """Of the absolute value."""
        low = np.where(self.low > 0, self.low, np.where(self.high < 0, -self.high, 0.0))
        return Enclosure(low, np.maximum(-self.low, self.high))

    def hull(self, other: Enclosure) -> Enclosure:
        """Of either of two."""
        return Enclosure(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def where(self, chosen: NDArray[np.bool_], other: Enclosure) -> Enclosure:
        """This one on the boxes that are chosen, the other elsewhere."""
        return Enclosure(np.where(chosen, self.low, other.low), np.where(chosen, self.high, other.high))


Boxes = Mapping[str, Enclosure]


def constant(number: Fraction, like: Enclosure) -> Enclosure:
    """A number, on as many boxes as another enclosure has; the doubles next to it where it is none itself."""
    near = float(number)
    low = near if Fraction(near) <= number else float(np.nextafter(near, -np.inf))
    high = near if Fraction(near) >= number else float(np.nextafter(near, np.inf))
    return Enclosure(np.full_like(like.low, low), np.full_like(like.high, high))


def value(tree: Expression | None, boxes: Boxes) -> Enclosure:
    """What a program can be on each box; without one, what expected improvement can be."""
    return improvement(boxes) if tree is None else _both(tree, boxes, "")[0]


def slope(tree: Expression, boxes: Boxes, atom: str) -> Enclosure:
    """What the slope of a program in one atom can be on each box."""
    return _both(tree, boxes, atom)[1]


def difference(one: Expression | None, other: Expression | None, boxes: Boxes) -> Enclosure:
    """What one program less another can be on each box: by their values, and by both slopes from the middle of the box.

    Where the two share terms, the second says how little apart they are. Expected improvement is a sure one, which is a
    program, and a share of the spread.
    """
    first, second = (_SURE if tree is None else tree for tree in (one, other))
    middles = {name: (box.low + box.high) / 2 for name, box in boxes.items()}
    centre = {name: Enclosure(middle, middle) for name, middle in middles.items()}
    found, around = (value(first, where) - value(second, where) for where in (boxes, centre))
    for name in sorted({*atoms_of(first), *atoms_of(second)}):  # rounded sums hang on their order
        box = boxes[name]
        around += (slope(first, boxes, name) - slope(second, boxes, name)) * (box - centre[name])
    found = Enclosure(np.maximum(found.low, around.low), np.minimum(found.high, around.high))
    more = Enclosure(np.zeros_like(found.low), (constant(_UNSURE, found) * boxes["spread"]).high)
    found = found + more if one is None else found
    return found - more if other is None else found


def improvement(boxes: Boxes) -> Enclosure:
    """Of expected improvement: between a sure one and that plus two fifths of the spread.

    With d the mean less the incumbent and s the spread it is `s g(d / s)`, and `max(z, 0) <= g(z) <= max(z, 0) + 0.4`.
    """
    sure = _both(_SURE, boxes, "")[0]
    return Enclosure(sure.low, (sure + constant(_UNSURE, sure) * boxes["spread"]).high)


def _both(tree: Expression, boxes: Boxes, atom: str) -> tuple[Enclosure, Enclosure]:
    """Value and slope."""
    zero = constant(Fraction(0), boxes["mean"])
    if isinstance(tree, Constant):
        return constant(tree.value, zero), zero
    if isinstance(tree, Atom):
        return boxes[tree.name], constant(Fraction(tree.name == atom), zero)
    assert isinstance(tree, Apply)  # noqa: S101 - there is nothing else
    parts = [_both(item, boxes, atom) for item in tree.items]
    one, rise = parts[0]
    if tree.operator == "abs":
        positive, negative = one.low >= 0, one.high <= 0
        return one.magnitude(), rise.where(positive, (-rise).where(negative, rise.hull(-rise)))
    two, climb = parts[1]
    match tree.operator:
        case "+":
            return one + two, rise + climb
        case "-":
            return one - two, rise - climb
        case "*":
            return one * two, rise * two + one * climb
        case "min":
            first, second = one.high <= two.low, two.high <= one.low
            return one.least(two), rise.where(first, climb.where(second, rise.hull(climb)))
        case _:
            first, second = one.low >= two.high, two.low >= one.high
            return one.greatest(two), rise.where(first, climb.where(second, rise.hull(climb)))


def _sum(one: Ends, two: Ends) -> tuple[Ends, Ends]:
    """The rounded sum and its exact error."""
    total = one + two
    back = total - one
    return total, (one - (total - back)) + (two - back)


def _product(one: Ends, two: Ends) -> tuple[Ends, Ends]:
    """The rounded product and its exact error; not a number where that cannot be told."""
    total = one * two
    (a, b), (c, d) = _halves(one), _halves(two)
    error = ((a * c - total) + a * d + b * c) + b * d
    lost = (np.abs(total) < _TINY) & (one != 0) & (two != 0)
    return total, np.where(lost, np.nan, error)


def _halves(number: Ends) -> tuple[Ends, Ends]:
    scaled = _SPLIT * number
    high = scaled - (scaled - number)
    return high, number - high


def _down(total: Ends, error: Ends) -> Ends:
    return np.where(error >= 0, total, np.nextafter(total, -np.inf))


def _up(total: Ends, error: Ends) -> Ends:
    return np.where(error <= 0, total, np.nextafter(total, np.inf))
