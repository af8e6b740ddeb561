"""Architecture and task shape to a torch network: stem, stacked cells, head.

Only live edges are built, so that a network's cost is its effective graph's. Shapes: `b` batch, `c` classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from selfnas import seeding
from selfnas.errors import ArchitectureError, ShapeError
from selfnas.networks.heads import pooling_head
from selfnas.networks.operations import average_pool, batch_norm, convolution
from selfnas.networks.stack import Block, stack
from selfnas.networks.stems import stem
from selfnas.spaces.architecture import Architecture, TaskShape
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.operation import Operation

__all__ = ["Network", "build_network", "inherit", "parameter_count"]


def build_network(architecture: Architecture, shape: TaskShape, *, seed: int) -> Network:
    """A fresh network; equal seeds give equal weights, and the global generator is left as it was.

    Raises:
        ArchitectureError: the architecture is not of its space.
    """
    if not architecture.space.contains(architecture):
        raise ArchitectureError(f"{architecture!r} is not of space {architecture.space.name}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive(seed, "weights"))
        return Network(architecture, shape)


def parameter_count(network: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def inherit(child: nn.Module, parent: Mapping[str, Tensor]) -> float:
    """Copy in place what fits of a parent's state; the share of the child's numbers that was taken over, in [0, 1].

    Weights are named by place, so what two networks share is what has the same name and shape; the rest stays fresh.
    Source of the idea: Real et al. 2017 (ICML) and Elsken, Metzen, Hutter 2018.
    """
    own = child.state_dict()
    shared = {name: value for name, value in parent.items() if name in own and own[name].shape == value.shape}
    child.load_state_dict(shared, strict=False)
    total = sum(value.numel() for value in own.values())
    return float(sum(value.numel() for value in shared.values()) / max(total, 1))


class Network(nn.Module):
    """Maps `(b, channels, *size)` float32 to `(b, c)` logits.

    `features` gives what the head sees; both work for any batch size.
    """

    def __init__(self, architecture: Architecture, shape: TaskShape) -> None:
        super().__init__()
        plan = stack(architecture.space, architecture.macro, shape)
        operations = architecture.space.operations
        self.shape = shape
        dimensions = shape.dimensions
        self.stem = stem(plan)
        self.blocks = nn.ModuleList(
            _Reduction(block, dimensions)
            if block.template is None
            else _PreparedCell(architecture.flat[block.template], block, dimensions, operations)
            for block in plan.blocks
        )
        self._sources = tuple(block.inputs for block in plan.blocks)
        last = plan.blocks[-1].channels_out
        self.head_norm = nn.Sequential(batch_norm(last, dimensions=dimensions), nn.ReLU())
        self.pool = pooling_head(plan)
        self.head = nn.Linear(plan.features, shape.classes)

    def features(self, x: Tensor) -> Tensor:
        """`(b, features)` output of the last block, as the head pools it.

        Raises:
            ShapeError: `x` is not `(b, channels, *size)`.
        """
        if tuple(x.shape[1:]) != (self.shape.channels, *self.shape.size):
            wanted = ", ".join(map(str, ("b", self.shape.channels, *self.shape.size)))
            raise ShapeError(f"expected input of shape ({wanted}), not {tuple(x.shape)}")
        values = [self.stem(x)]
        for sources, block in zip(self._sources, self.blocks, strict=True):
            values.append(block(*(values[source + 1] for source in sources)))
        pooled: Tensor = self.pool(self.head_norm(values[-1]))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """`(b, c)` logits."""
        logits: Tensor = self.head(self.features(x))
        return logits


class _CellGraph(nn.Module):
    """The live edges of a cell as modules; nodes sum what runs into them."""

    def __init__(self, cell: Cell, block: Block, operations: Mapping[str, Operation]) -> None:
        super().__init__()
        self.cell = cell
        self.size_out = block.size_out
        self.channels = block.channels
        self.live = cell.live_edges()
        self.edges = nn.ModuleDict(
            {
                _key(edge): operations[edge.operation].build(block.channels, stride=stride, size=size)
                for edge in self.live
                for size, stride in [block.edge(edge.source)]
            }
        )

    def forward(self, *inputs: Tensor) -> Tensor:
        values: dict[int, Tensor] = dict(enumerate(inputs))
        for edge in self.live:
            value = self.edges[_key(edge)](values[edge.source])
            values[edge.target] = values[edge.target] + value if edge.target in values else value
        outputs = [values.get(node) for node in self.cell.outputs]
        zeros = inputs[0].new_zeros((inputs[0].shape[0], self.channels, *self.size_out))
        parts = [zeros if value is None else value for value in outputs]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _key(edge: Edge) -> str:
    return f"{edge.source}_{edge.target}_{edge.operation}"


class _PreparedCell(nn.Module):
    """A cell; one of two inputs first brings both to its width and resolution."""

    def __init__(self, cell: Cell, block: Block, dimensions: int, operations: Mapping[str, Operation]) -> None:
        super().__init__()
        if len(block.inputs) > 1:
            self.prepare = nn.ModuleList(
                nn.Sequential(
                    nn.ReLU(),
                    convolution(width, block.channels, 1, stride=stride, dimensions=dimensions),
                    batch_norm(block.channels, dimensions=dimensions),
                )
                for width, stride in zip(block.channels_in, block.strides, strict=True)
            )
        self.graph = _CellGraph(cell, block, operations)

    def forward(self, *inputs: Tensor) -> Tensor:
        if len(inputs) > 1:
            inputs = tuple(prepare(x) for prepare, x in zip(self.prepare, inputs, strict=True))
        out: Tensor = self.graph(*inputs)
        return out


class _Reduction(nn.Module):
    """Residual block that halves the resolution, as NAS-Bench-201 has between its stages; a table's only widens."""

    def __init__(self, block: Block, dimensions: int) -> None:
        super().__init__()
        before, after = block.channels_in[0], block.channels_out
        self.main = nn.Sequential(
            nn.ReLU(),
            convolution(before, after, 3, stride=2, dimensions=dimensions),
            batch_norm(after, dimensions=dimensions),
            nn.ReLU(),
            convolution(after, after, 3, dimensions=dimensions),
            batch_norm(after, dimensions=dimensions),
        )
        shortcut = convolution(before, after, 1, dimensions=dimensions)
        self.shortcut = nn.Sequential(
            average_pool(3, stride=2, dimensions=dimensions) if dimensions else nn.Identity(), shortcut
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.main(x) + self.shortcut(x)
        return out
