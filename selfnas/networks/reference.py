"""The hand-designed network that every winner is compared with: a residual cell of equal parameter count.

It is the ResNet cell of NAS-Bench-201 (two 3x3 convolutions beside an identity), as wide as it takes to come nearest to
the winner's number of parameters.
"""

from __future__ import annotations

from selfnas.networks.costs import costs
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import SPACES
from selfnas.spaces.published import RESIDUAL_CELL

__all__ = ["residual_network"]


def residual_network(params: int, shape: TaskShape, *, depth: int, resolution: int) -> Architecture:
    """The residual network of a depth whose parameter count is nearest to `params`.

    Example:
        >>> shape = TaskShape(channels=3, size=(32, 32), classes=10)
        >>> residual_network(559_386, shape, depth=5, resolution=32).macro.channels
        16
    """

    def at(channels: int) -> Architecture:
        macro = Macro(channels=channels, depth=depth, resolution=resolution)
        return SPACES["nb201"].parse_cells(RESIDUAL_CELL, macro=macro)

    low, high = 2, 4096
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if costs(at(middle), shape).params <= params else (low, middle)
    return min(at(low), at(high), key=lambda candidate: abs(costs(candidate, shape).params - params))
