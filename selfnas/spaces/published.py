"""Cells that the field already knows to be good, by space: what a search starts from where nothing is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from selfnas.spaces.architecture import Architecture, Macro, Space

__all__ = ["PUBLISHED", "RESIDUAL_CELL", "published"]

RESIDUAL_CELL = "|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|skip~2|"  # Dong & Yang 2020 (ICLR), ResNet baseline

# Of NAS-Bench-201 the two cells with at most three 3x3 convolutions that stand best on average over its data sets, and
# on ImageNet16-120: Dong, Liu, Musial, Gabrys 2021 (TPAMI), NATS-Bench, topology table, 200 epochs.
_NATS = (
    "|conv3x3~0|+|conv1x1~0|conv3x3~1|+|skip~0|conv3x3~1|conv1x1~2|",
    "|conv1x1~0|+|conv1x1~0|conv3x3~1|+|skip~0|conv3x3~1|conv3x3~2|",
)
# Liu, Simonyan, Yang 2019 (ICLR): the cells of second and of first order.
_DARTS = (
    "|sep3x3~0|sep3x3~1|+|sep3x3~0|sep3x3~1|+|skip~0|sep3x3~1|+|skip~0|dil3x3~2|;"
    "|max3~0|max3~1|+|max3~1|skip~2|+|max3~0|skip~2|+|max3~1|skip~2|",
    "|sep3x3~0|sep3x3~1|+|skip~0|sep3x3~1|+|skip~0|sep3x3~1|+|sep3x3~0|skip~2|;"
    "|max3~0|max3~1|+|max3~0|skip~2|+|max3~0|skip~2|+|avg3~0|skip~2|",
)

_IMAGE = (
    RESIDUAL_CELL,
    "|se~0|+|none~0|se~1|+|skip~0|none~1|skip~2|",  # Hu, Shen, Sun 2018 (CVPR), SE-ResNet's block
    *_NATS,
)
_SERIES = (
    # Ismail Fawaz et al. 2020 (DMKD), InceptionTime's module with a sum for the join
    "|conv1x1~0|+|max3~0|none~1|+|wide9~0|wide39~1|conv1x1~2|",
    "|wide9~0|+|none~0|conv3x3~1|+|skip~0|none~1|conv3x3~2|",  # Wang, Yan, Oates 2017 (IJCNN), ResNet's block
    RESIDUAL_CELL,
)
_TABULAR = (
    "|mlp~0|+|none~0|mlp~1|+|skip~0|none~1|skip~2|",  # Gorishniy et al. 2021 (NeurIPS), ResNet, and their MLP
    "|linear~0|+|none~0|linear~1|+|none~0|none~1|linear~2|",
)

# In the order in which they are tried.
PUBLISHED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nb201": (RESIDUAL_CELL, *_NATS),
        "transnas-micro": (RESIDUAL_CELL, *_NATS),
        "darts": _DARTS,
        "image": _IMAGE,
        "series": _SERIES,
        "tabular": _TABULAR,
    }
)


def published(space: Space, macro: Macro) -> tuple[Architecture, ...]:
    """The published cells of a space, or of the one it is derived from, in the order in which they are tried.

    Example:
        >>> from selfnas.spaces.named import SPACES
        >>> len(published(SPACES["nb201"], Macro()))
        3
    """
    return tuple(space.parse_cells(cells, macro=macro) for cells in PUBLISHED.get(space.base, ()))
