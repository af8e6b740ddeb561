"""Parts for selfnas: a depthwise-separable convolution, a space that has it, a strategy, a task source, a quantity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from selfnas.data.datasets import RawData
from selfnas.networks.costs import Quantity
from selfnas.networks.operations import batch_norm
from selfnas.networks.operations import convolution as layer
from selfnas.search.domain import Domain, Proposals
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.operation import Kernel, Operation, convolution, depthwise, halved
from selfnas.spaces.operations import OPERATIONS
from selfnas.spaces.template import CellTemplate


@dataclass(frozen=True)
class DepthwiseSeparable:
    """Its formulas: costs, rules and devices read them."""

    side: int

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """Two: one filter for each channel, then one position at a time."""
        before, after = math.prod(size), math.prod(halved(size, stride))
        spread = depthwise(channels, self.side ** len(size), before=before, after=after)
        return spread, convolution(channels, channels, 1, before=after, after=after)

    def reach(self, stride: int) -> int:
        """The window."""
        return self.side - 1


def dsep3x3(channels: int, stride: int, dimensions: int) -> nn.Module:
    """Its module, with the parameters that the formulas count."""
    spread = layer(channels, channels, 3, stride=stride, groups=channels, dimensions=dimensions)
    mixed = layer(channels, channels, 1, dimensions=dimensions)
    return nn.Sequential(nn.ReLU(), spread, mixed, batch_norm(channels, dimensions=dimensions))


@dataclass(frozen=True, kw_only=True)
class SparseFirst:
    """Proposes, of a few random cells, those with the fewest operations."""

    pool: int = 64

    def __call__(self, history: Sequence[Trial], domain: Domain, count: int, rng: np.random.Generator, *,
                 warm: Sequence[Architecture] = ()) -> tuple[Architecture, ...]:  # fmt: skip
        """Warm ones, then the sparsest of `pool` drawn ones."""
        batch, drawn = Proposals(history, domain, count, warm=warm), domain.draw(rng, self.pool)
        batch.offer(drawn[np.argsort((drawn > 0).sum(axis=1), kind="stable")])
        batch.fill(rng)
        return batch.chosen


def stripes() -> RawData:
    """800 noisy images of 8x8 pixels; the class is the direction of the stripes."""
    rng = np.random.default_rng(0)
    y, phase = np.arange(800) % 3, rng.uniform(0, 6.3, (800, 1, 1, 1))
    row, column = np.mgrid[0:8, 0:8]
    waves = np.stack([1.6 * row, 1.6 * column, 1.6 * (row + column)])[y][:, None]
    x = np.sin(waves + phase) + rng.normal(0, 0.3, (800, 1, 8, 8))
    return RawData(kind="image", x=x, y=y, test=None, labels=("rows", "columns", "diagonals"))


DSEP = Operation(name="dsep3x3", form=DepthwiseSeparable(3), builder=dsep3x3, colour="#332288")
SPACE = Space(name="nb201-dsep", templates=(
    CellTemplate(name="cell", inputs=1, nodes=4, outputs=(3,), operations=(
        *(OPERATIONS[name] for name in ("skip", "conv1x1", "avg3")), DSEP)),))  # fmt: skip
TRAFFIC = Quantity(name="traffic", unit="byte", formula=lambda operation, channels, size, stride: sum(
    kernel.traffic_bytes for kernel in operation.kernels(channels, size=size, stride=stride)))  # fmt: skip
