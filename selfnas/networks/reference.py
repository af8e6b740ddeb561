"""The hand-designed network that every winner is compared with: a residual cell of equal parameter count.

For images and series it is the ResNet cell of NAS-Bench-201 (two 3x3 convolutions beside an identity), for tables two
residual MLP blocks (Gorishniy et al. 2021), as wide as it takes to come nearest to the winner's number of parameters.
"""

from __future__ import annotations

from dataclasses import replace

from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import SPACES
from selfnas.spaces.published import RESIDUAL_CELL

__all__ = ["residual_network"]


_RESIDUAL_MLP = "|mlp~0|+|none~0|none~1|+|none~0|mlp~1|none~2|"


def residual_network(params: int, shape: TaskShape, *, macro: Macro) -> Architecture:
    """The residual network, stacked as `macro` says but for its width, whose parameter count is nearest to `params`.

    Example:
        >>> shape = TaskShape(channels=3, size=(32, 32), classes=10)
        >>> residual_network(559_386, shape, macro=Macro(channels=8, depth=5, resolution=32)).macro.channels
        16
    """
    space, cell = (SPACES["nb201"], RESIDUAL_CELL) if shape.size else (SPACES["tabular"], _RESIDUAL_MLP)

    def at(channels: int) -> Architecture:
        return space.parse_cells(cell, macro=replace(macro, channels=channels))

    low, high = 2, 4096
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if costs(at(middle), shape).params <= params else (low, middle)
    return min(at(low), at(high), key=lambda candidate: abs(costs(candidate, shape).params - params))
