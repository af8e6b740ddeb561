"""A search as a picture of lines: each score, and the best so far; numbers alone, so that a page can draw it as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Curve", "curve"]

_WIDTH, _HEIGHT, _LEFT, _BELOW, _ABOVE = 900, 260, 56, 30, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn; all of it in the picture's own units.

    Attributes:
        width: of the picture.
        height: of the picture.
        best: points of the line of the best so far.
        dots: a point for each score, and whether it was recalled.
        ticks: heights of the horizontal lines, with their labels.
        steps: places of the vertical labels, with their labels.
        left: where the axis stands.
        floor: where it ends.
    """

    width: int
    height: int
    best: str
    dots: tuple[tuple[float, float, bool], ...]
    ticks: tuple[tuple[float, str], ...]
    steps: tuple[tuple[float, str], ...]
    left: int
    floor: int


def curve(scores: Sequence[float | None], recalled: Sequence[bool], *, room: int) -> Curve | None:
    """The picture of a task's scores; None while there is none.

    Args:
        scores: in order; None where training failed.
        recalled: whether each was recalled.
        room: how many there may be, for the width.

    Example:
        >>> drawn = curve([0.5, None, 0.75], [True, False, False], room=4)
        >>> drawn.best, len(drawn.dots)
        ('264.5,215.0 681.5,215.0 681.5,27.0 681.5,27.0', 2)
    """
    known = [score for score in scores if score is not None and math.isfinite(score)]
    if not known:
        return None
    low, high = min(known), max(known)
    margin = 0.08 * (high - low) or 0.01 * abs(high) or 0.01
    low, high = low - margin, high + margin
    floor, wide = _HEIGHT - _BELOW, _WIDTH - _LEFT - 10

    def x(number: int) -> float:
        return round(_LEFT + wide * number / max(room, len(scores)), 1)

    def y(score: float) -> float:
        return round(_ABOVE + (floor - _ABOVE) * (high - score) / (high - low), 1)

    points: list[str] = []
    best = -math.inf
    for number, score in enumerate(scores, 1):
        if score is not None and score > best:
            if points:
                points.append(f"{x(number)},{y(best)}")
            best = score
            points.append(f"{x(number)},{y(best)}")
    points.append(f"{x(len(scores))},{y(best)}")
    dots = [(x(n), y(s), r) for n, (s, r) in enumerate(zip(scores, recalled, strict=True), 1) if s is not None]
    ticks = [low + (high - low) * part / 4 for part in range(5)]
    every = max(1, math.ceil(max(room, len(scores)) / 8))
    return Curve(
        width=_WIDTH,
        height=_HEIGHT,
        best=" ".join(points),
        dots=tuple(dots),
        ticks=tuple((y(tick), f"{tick:.3g}") for tick in ticks),
        steps=tuple((x(number), str(number)) for number in range(every, max(room, len(scores)) + 1, every)),
        left=_LEFT,
        floor=floor,
    )
