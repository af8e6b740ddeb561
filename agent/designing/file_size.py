"""How large the file of an architecture is: written with fresh weights, whose values do not change its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.designing.spec import Precision
from selfnas.artefacts import onnx_program, quantised
from selfnas.data.preparation import Preparation
from selfnas.data.targets import Target
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Architecture, TaskShape

__all__ = ["file_size", "fresh_files"]

_EXAMPLES = 8  # that ranges are measured on; how many does not change the size


def fresh_files(
    architecture: Architecture, shape: TaskShape, precisions: Sequence[Precision]
) -> dict[Precision, bytes]:
    """Its ONNX files for a task of classes, without steps of preparation and what a file says of itself.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    network, sides = build_network(architecture, shape, seed=0).eval(), (shape.channels, *shape.size)
    target = Target.of_classes(shape.classes)
    graph = onnx_program.network_graph(network, sides)
    prepared = Preparation(inputs="image", raw=sides, dtype="float32", steps=(), target=target)
    before, behind = onnx_program.prepared_graph(prepared), onnx_program.named_graph(target)
    x = np.random.default_rng(0).normal(size=(_EXAMPLES, *sides)).astype(np.float32)
    graphs = {each: quantised.quantised(graph, x) if each == "int8" else graph for each in precisions}
    return {each: onnx_program.onnx_program(before, graph, behind, {}) for each, graph in graphs.items()}


def file_size(architecture: Architecture, shape: TaskShape, precision: Precision) -> int:
    """Bytes of such a file."""
    return len(fresh_files(architecture, shape, (precision,))[precision])
