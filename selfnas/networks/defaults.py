"""Which space is searched, and how cells are stacked, where nobody says: by what a task's inputs are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import SPACES

__all__ = ["default_macro", "default_space", "main_dimensions"]

# By spatial dimensions of the inputs, the spaces that are searched, the best first.
_SPACES: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {0: ("tabular",), 1: ("series", "nb201"), 2: ("image", "nb201")}
)
_MACROS: Mapping[int, Macro] = MappingProxyType(
    {
        0: Macro(channels=32, depth=1, resolution=16),
        1: Macro(channels=24, depth=1, resolution=16, head="peaks"),
        2: Macro(channels=16, depth=1, resolution=16, head="peaks"),
    }
)


def default_space(dimensions: int, permitted: Collection[str]) -> Space | None:
    """The space that is searched for inputs of so many dimensions, the best of those permitted; None where none fits.

    Example:
        >>> [default_space(dimensions, ["nb201", "series", "tabular"]).name for dimensions in (0, 1, 2)]
        ['tabular', 'series', 'nb201']
    """
    return next((SPACES[name] for name in _SPACES[dimensions] if name in permitted), None)


def main_dimensions(space: Space) -> int:
    """Which inputs stand for a space where none are given: those that it is the best for, else its largest.

    Example:
        >>> [main_dimensions(SPACES[name]) for name in ("tabular", "series", "darts")]
        [0, 1, 2]
    """
    meant = [dimensions for dimensions, names in _SPACES.items() if names[0] == space.base]
    return meant[0] if meant else max(space.dimensions)


def default_macro(shape: TaskShape) -> Macro:
    """How cells are stacked for a task of a shape."""
    return _MACROS[shape.dimensions]
