"""A weight-sharing network over a space: every edge carries every operation, mixed or chosen by gates.

Template `i` of a space has gates `(slots, kinds)`, kind 0 being no operation; all cells of one template share them. The
frame (stem, reductions, preparations, head) is that of `network.py`, so that one spelling means the same in both.
Operations carry no batch-norm scale of their own, which could trade places with a gate (Liu et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from selfnas import seeding
from selfnas.networks.network import Network, build_network
from selfnas.networks.stack import Block, stack
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.template import CellTemplate, Vector

__all__ = ["Supernet", "build_supernet"]

Gates = Sequence[Tensor]  # per template: (slots, kinds)


def build_supernet(space: Space, macro: Macro, shape: TaskShape, *, seed: int) -> Supernet:
    """A fresh supernet; equal seeds give equal weights, and the global generator is left as it was."""
    frame = build_network(space.decode(space.draw(np.random.default_rng(0), 1)[0], macro=macro), shape, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive(seed, "supernet"))
        return Supernet(space, macro, shape, frame)


class Supernet(nn.Module):
    """Maps `(b, channels, *size)` float32 and gates to `(b, c)` logits."""

    def __init__(self, space: Space, macro: Macro, shape: TaskShape, frame: Network) -> None:
        super().__init__()
        self.space = space
        self.frame = frame
        self._graphs: list[tuple[int, _MixedGraph]] = []
        for block, module in zip(stack(space, macro, shape).blocks, frame.blocks, strict=True):
            if block.template is not None:
                graph = _MixedGraph(space.templates[block.template], block)
                module.graph = graph  # in the place of the one cell that the frame was built with
                self._graphs.append((block.template, graph))

    def forward(self, x: Tensor, gates: Gates) -> Tensor:
        """`(b, c)` logits; operations whose gate is exactly zero are not computed."""
        computed = [(gate.detach() != 0).tolist() for gate in gates]
        for template, graph in self._graphs:
            graph.gates, graph.computed = gates[template], computed[template]
        logits: Tensor = self.frame(x)
        return logits

    def one_hot(self, vector: Vector) -> list[Tensor]:
        """The gates of a single architecture, from its `(slots,)` vector."""
        device = self.frame.head.weight.device
        return [
            torch.eye(len(template.operations) + 1, device=device)[
                torch.from_numpy(part[0].astype(np.int64)).to(device)
            ]
            for template, part in zip(self.space.templates, self.space.split(vector[None]), strict=True)
        ]


class _MixedGraph(nn.Module):
    """All possible edges of a cell; nodes sum the gated operations that run into them."""

    def __init__(self, template: CellTemplate, block: Block) -> None:
        super().__init__()
        self._template = template
        self._channels, self._size_out = block.channels, block.size_out
        self.gates = torch.empty(0)
        self.computed: list[list[bool]] = []
        self.edges = nn.ModuleList(
            nn.ModuleList(
                operation.build(block.channels, stride=stride, size=size) for operation in template.operations
            )
            for source, _ in template.slots
            for size, stride in [block.edge(source)]
        )
        for module in self.edges.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.requires_grad_(False)

    def forward(self, *inputs: Tensor) -> Tensor:
        values: dict[int, Tensor] = dict(enumerate(inputs))
        for slot, (source, target) in enumerate(self._template.slots):
            if source not in values:
                continue  # nothing runs into the source: a dead edge
            modules = self.edges[slot]
            assert isinstance(modules, nn.ModuleList)  # noqa: S101 - narrows the type
            for kind, module in enumerate(modules, start=1):
                if self.computed[slot][kind]:
                    value = self.gates[slot, kind] * module(values[source])
                    values[target] = values[target] + value if target in values else value
        zeros = inputs[0].new_zeros((inputs[0].shape[0], self._channels, *self._size_out))
        parts = [values.get(node, zeros) for node in self._template.outputs]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
