"""By what two architectures differ, in words: edge for edge and setting for setting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfnas.errors import SelfnasError
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture

__all__ = ["difference", "distance", "read"]


def read(text: str) -> Architecture | None:
    """An architecture from its text; None where it is of a space that is not here."""
    try:
        return parse_architecture(text)
    except (SelfnasError, ValueError):
        return None


def distance(one: Architecture, other: Architecture) -> int | None:
    """How many edges and macro settings differ; None where their spaces are laid out otherwise.

    Example:
        >>> one = parse_architecture("nb201/c16n5r32:|skip~0|+|none~0|skip~1|+|none~0|none~1|conv3x3~2|")
        >>> other = parse_architecture("nb201/c8n5r32:|skip~0|+|none~0|skip~1|+|none~0|none~1|conv1x1~2|")
        >>> distance(one, other), list(difference(one, other))
        (2, ['edge 2→3: conv3x3 → conv1x1', 'channels: 16 → 8'])
    """
    if one.space.name != other.space.name or one.space.slots != other.space.slots:
        return None
    edges = int((one.space.encode(one) != other.space.encode(other)).sum())
    return edges + sum(1 for _ in _settings(one, other))


def difference(one: Architecture, other: Architecture) -> Iterator[str]:
    """What would have to change in the first to give the second; spaces are laid out alike."""
    space = one.space
    first, second = space.encode(one), space.encode(other)
    for slot in np.flatnonzero(first != second):
        template, source, target = space.slots[slot]
        where = f"{space.templates[template].name}, " if len(space.templates) > 1 else ""
        names = ("none", *(operation.name for operation in space.templates[template].operations))
        yield f"{where}edge {source}→{target}: {names[first[slot]]} → {names[second[slot]]}"
    yield from _settings(one, other)


def _settings(one: Architecture, other: Architecture) -> Iterator[str]:
    for name in ("channels", "depth", "resolution", "head", "stem"):
        was, is_ = getattr(one.macro, name), getattr(other.macro, name)
        if was != is_:
            yield f"{name}: {was} → {is_}"
