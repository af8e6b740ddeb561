"""What a program computes: over arrays for a search, and over fractions where a proof is to be checked."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from selfnas.acquisition.expression import ATOMS, Apply, Atom, Constant, Expression

__all__ = ["Values", "evaluate", "exactly"]

Values = NDArray[np.float64]


def evaluate(tree: Expression, inputs: Mapping[str, Values | float]) -> Values:
    """The value of a program at every candidate, in double precision.

    Args:
        tree: the program.
        inputs: `(k,)` or one number for each atom that it reads; what lies outside its bounds counts as the bound.

    Raises:
        KeyError: an atom of the program is missing.

    Example:
        >>> from selfnas.acquisition.parser import parse_program
        >>> evaluate(parse_program("mean + spread"), {"mean": np.array([0.0, 9.0]), "spread": 0.5}).tolist()
        [0.5, 4.5]
    """
    bounded = {name: np.clip(value, ATOMS[name].low, ATOMS[name].high) for name, value in inputs.items()}

    def value(part: Expression) -> Values:
        if isinstance(part, Constant):
            return np.float64(part.thousandths / 1000)  # type: ignore[return-value]  # broadcasts
        if isinstance(part, Atom):
            return np.asarray(bounded[part.name], dtype=np.float64)
        items = [value(item) for item in part.items]
        match part.operator:
            case "+":
                return items[0] + items[1]
            case "-":
                return items[0] - items[1]
            case "*":
                return items[0] * items[1]
            case "min":
                return np.minimum(items[0], items[1])
            case "max":
                return np.maximum(items[0], items[1])
            case _:
                return np.abs(items[0])

    found = value(tree)
    return np.array(np.broadcast_to(found, np.broadcast_shapes(found.shape, *(np.shape(x) for x in inputs.values()))))


def exactly(tree: Expression, point: Mapping[str, Fraction]) -> Fraction:
    """The value of a program at one point of the box, without rounding."""
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Atom):
        return point[tree.name]
    assert isinstance(tree, Apply)  # noqa: S101 - there is nothing else
    items = [exactly(item, point) for item in tree.items]
    match tree.operator:
        case "+":
            return items[0] + items[1]
        case "-":
            return items[0] - items[1]
        case "*":
            return items[0] * items[1]
        case "min":
            return min(items)
        case "max":
            return max(items)
        case _:
            return abs(items[0])
