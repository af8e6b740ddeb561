"""How large the file of an architecture is: written with fresh weights, whose values do not change its size."""

from __future__ import annotations

from typing import Literal

import numpy as np

from selfnas.artefacts import onnx_program, quantised
from selfnas.data.preparation import Preparation
from selfnas.data.targets import Target
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Architecture, TaskShape

__all__ = ["file_size"]

_EXAMPLES = 8  # that ranges are measured on; how many does not change the size


def file_size(architecture: Architecture, shape: TaskShape, precision: Literal["float32", "int8"]) -> int:
    """Bytes of its ONNX file for a task of classes, without steps of preparation and what the file says of itself.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    network, sides = build_network(architecture, shape, seed=0).eval(), (shape.channels, *shape.size)
    target = Target.of_classes(shape.classes)
    graph = onnx_program.network_graph(network, sides)
    if precision == "int8":
        x = np.random.default_rng(0).normal(size=(_EXAMPLES, *sides)).astype(np.float32)
        graph = quantised.quantised(graph, x)
    prepared = Preparation(inputs="image", raw=sides, dtype="float32", steps=(), target=target)
    before, behind = onnx_program.prepared_graph(prepared), onnx_program.named_graph(target)
    return len(onnx_program.onnx_program(before, graph, behind, {}))
