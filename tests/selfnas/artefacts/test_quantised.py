"""A network in int8 stays near itself; what does not bear it is named and stays in float32."""

import errno
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from selfnas.artefacts.libraries import library
from selfnas.artefacts.onnx_program import OnnxProgram, named_graph, network_graph, onnx_program, prepared_graph
from selfnas.artefacts.quantised import parts_of, quantised, quantised_bearably
from selfnas.data.preparation import Preparation
from selfnas.data.targets import Target
from selfnas.errors import InputError
from selfnas.networks.network import Network, build_network
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

TEXT = "nb201/c8n1r8:|conv3x3~0|+|avg3~0|conv1x1~1|+|skip~0|none~1|conv3x3~2|"
X = np.random.default_rng(0).normal(size=(64, 1, 8, 8)).astype(np.float32)


def network() -> Network:
    """A small one, without training."""
    return build_network(parse_architecture(TEXT), TaskShape(channels=1, size=(8, 8), classes=3), seed=0).eval()


def answers(graph: Any) -> Any:
    """What a graph gives for the examples."""
    return OnnxProgram.read(graph.SerializeToString()).answers(X)["outputs"]


def test_a_network_in_int8_is_smaller_and_nearly_the_same() -> None:
    """The same again byte for byte, and nothing is left in float32."""
    graph = network_graph(network(), (1, 8, 8))
    wanted = answers(graph)

    def score(other: Any) -> float:
        return 1 - float(np.abs(answers(other) - wanted).mean() / wanted.std())

    found = quantised_bearably(graph, X, lambda other: max(score(other), 0.999))
    assert found.broken == ()
    assert 0.9 < score(found.graph) < 1
    assert found.graph.SerializeToString() == quantised(graph, X).SerializeToString()
    kinds = {node.op_type for node in found.graph.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


def test_a_file_says_nothing_twice() -> None:
    """No two constants are equal, no attribute of a window states what is meant anyway, and no text is empty."""
    target = Target.of_classes(3)
    prepared = Preparation(inputs="image", raw=(1, 8, 8), dtype="float32", steps=(), target=target)
    graph = quantised(network_graph(network(), (1, 8, 8)), X)
    content = onnx_program(prepared_graph(prepared), graph, named_graph(target), {})
    model, arrays = library("onnx").load_model_from_string(content), library("onnx.numpy_helper")
    held = [(each.data_type, tuple(each.dims), arrays.to_array(each).tobytes()) for each in model.graph.initializer]
    assert len(held) == len(set(held))
    windows = [node for node in model.graph.node if node.op_type in ("Conv", "AveragePool")]
    assert {node.op_type for node in windows} == {"Conv", "AveragePool"}
    for node in windows:
        stated = {attribute.name: library("onnx.helper").get_attribute_value(attribute) for attribute in node.attribute}
        assert "auto_pad" not in stated
        assert set(stated.get("strides", [2])) != {1}
        assert set(stated.get("pads", [1])) != {0}
    assert not any(node.HasField(name) for node in model.graph.node for name in ("name", "doc_string"))


def test_parts_are_told_by_the_operations_of_the_cell() -> None:
    """Each node is of one part, and what stands around the cells has names too."""
    graph = network_graph(network(), (1, 8, 8))
    parts = parts_of(graph)
    assert {"avg3", "conv1x1", "conv3x3", "stem", "head"} <= set(parts)
    assert sum(map(len, parts.values())) == len(graph.graph.node)


class Brittle(nn.Module):
    """A sum of a large number and of the small one that is asked for, which eight bits cannot tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({"0_1_sound": nn.Linear(4, 4), "1_2_brittle": nn.Linear(4, 2)})
        with torch.no_grad():
            self.edges["1_2_brittle"].weight.copy_(torch.tensor([[1e4, 0.5, 0, 0], [1e4, 0, 0.5, 0]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(b, 4)` to `(b, 2)`."""
        out: torch.Tensor = self.edges["1_2_brittle"](self.edges["0_1_sound"](x).relu())
        return out


def test_an_operation_that_quantisation_breaks_is_named_and_left() -> None:
    """Left in float32, the network answers as it did."""
    torch.manual_seed(0)
    module = Brittle().eval()
    x = np.abs(np.random.default_rng(1).normal(size=(200, 4))).astype(np.float32)
    with torch.no_grad():
        truth = module(torch.from_numpy(x)).argmax(1).numpy()

    def score(graph: Any) -> float:
        given = OnnxProgram.read(graph.SerializeToString()).answers(x)["outputs"]
        return float((given.argmax(1) == truth).mean())

    graph = network_graph(module, (4,))
    assert score(graph) == 1
    assert score(quantised(graph, x)) < 0.99
    found = quantised_bearably(graph, x, score)
    assert "brittle" in found.broken
    assert score(found.graph) > score(quantised(graph, x))


def test_a_full_disk_is_not_blamed_on_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised, whichever part of the network is being written."""
    graph = network_graph(network(), (1, 8, 8))
    counted = iter([1.0, 0.0])  # float32, and the whole in int8, which loses too much: parts are tried next

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def score(other: Any) -> float:
        found = next(counted)
        if not found:
            monkeypatch.setattr("onnxruntime.quantization.quantize_static", full)
        return found

    with pytest.raises(OSError, match="No space left"):
        quantised_bearably(graph, X, score)
    with pytest.raises(OSError, match="No space left"):
        quantised_bearably(graph, X, lambda other: 1.0)


def test_a_network_of_which_nothing_bears_it_is_refused() -> None:
    """By the names of its parts."""
    graph = network_graph(network(), (1, 8, 8))
    given = iter([1.0])
    with pytest.raises(InputError, match=r"breaks every part of this network: .*avg3, .*conv3x3"):
        quantised_bearably(graph, X, lambda other: next(given, 0.0))
