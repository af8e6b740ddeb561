"""An ONNX file answers as the network that it was made of, whatever prepares, computes and is answered."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from selfnas.artefacts.libraries import library, versions
from selfnas.artefacts.onnx_program import (
    LARGEST,
    OPSET,
    OnnxProgram,
    named_graph,
    network_graph,
    onnx_program,
    prepared_graph,
    with_facts,
)
from selfnas.data.preparation import FillStep, LayoutStep, PadStep, Preparation, ResizeStep, Step
from selfnas.data.targets import Axes
from selfnas.errors import InputError
from selfnas.spaces.operations import OPERATIONS
from selfnas.training.whole import NamedOutputs, WholeNetwork
from tests.selfnas.training.test_whole import CLASSES, PREPARED, RNG, TARGETS, preparation, whole_of

BATCHES = (1, 3, 7)
SIZES: dict[int, tuple[int, ...]] = {0: (), 1: (16,), 2: (8, 8)}


class Beside(nn.Module):
    """Operations of one stride on the same input, their outputs in one row."""

    def __init__(self, dimensions: int, stride: int, channels: int) -> None:
        super().__init__()
        self.each = nn.ModuleDict(
            {
                name: operation.build(channels, stride=stride, size=SIZES[dimensions])
                for name, operation in OPERATIONS.items()
                if dimensions in operation.dimensions
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(b, channels, *size)` to `(b, numbers)`."""
        return torch.cat([module(x).flatten(1) for module in self.each.values()], dim=1)


@pytest.mark.parametrize(("dimensions", "stride"), [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2)])
def test_every_shipped_operation_is_the_same_in_onnx(dimensions: int, stride: int) -> None:
    """To 1e-4, in batches of 1, 3 and 17, at both strides."""
    torch.manual_seed(0)
    network = Beside(dimensions, stride, 8).eval()
    assert len(network.each) >= 4
    shape = (8, *SIZES[dimensions])
    program = OnnxProgram.read(network_graph(network, shape).SerializeToString())
    for batch in (1, 3, 17):
        x = torch.randn(batch, *shape)
        with torch.no_grad():
            wanted = network(x).numpy()
        np.testing.assert_allclose(program.answers(x.numpy())["outputs"], wanted, rtol=1e-4, atol=1e-4)


def written(name: str, facts: Mapping[str, object] | None = None) -> tuple[bytes, WholeNetwork]:
    """A whole file of a small network behind one of the preparations, and what it was made of."""
    prepared = preparation(name)
    whole = whole_of(prepared, PREPARED[name][2])
    shape = prepared.apply(PREPARED[name][2]).shape[1:]
    parts = prepared_graph(prepared), network_graph(whole.network, shape), named_graph(prepared.target)
    return onnx_program(*parts, facts or {}), whole


@pytest.mark.parametrize("name", PREPARED)
def test_every_preparation_is_the_same_in_onnx(name: str) -> None:
    """Raw examples of the source's own type go in; a batch may be of any size."""
    prepared, raw = preparation(name), PREPARED[name][2]
    program = OnnxProgram.read(prepared_graph(prepared).SerializeToString())
    assert program.takes == raw.dtype.name
    for batch in BATCHES:
        found = program.answers(raw[:batch])["prepared"]
        np.testing.assert_allclose(found, prepared.apply(raw[:batch]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", TARGETS)
def test_outputs_of_every_kind_are_named_in_onnx(name: str) -> None:
    """Classes, labels, numbers in units and sorted quantiles."""
    target = TARGETS[name]
    program, outputs = OnnxProgram.read(named_graph(target).SerializeToString()), torch.randn(7, target.outputs)
    wanted, found = NamedOutputs(target)(outputs), program.told(outputs)
    assert list(found) == list(wanted)
    for output, value in wanted.items():
        torch.testing.assert_close(found[output], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("axes", "steps", "sizes"), [
    ("l", (PadStep(length=9), FillStep()), [(5,), (9,), (14,)]),
    ("hw", (ResizeStep(size=(4, 5)),), [(5, 5), (6, 12), (30, 8)]),
])  # fmt: skip
def test_sides_that_differ_may_differ(axes: Axes, steps: tuple[Step, ...], sizes: Sequence[tuple[int, ...]]) -> None:
    """A series of any length and an image of any size go through one file."""
    prepared = Preparation(
        inputs="series", raw=(0,) * len(axes), dtype="float64", steps=(LayoutStep(axes=axes), *steps), target=CLASSES
    )
    program = OnnxProgram.read(prepared_graph(prepared).SerializeToString())
    for size in sizes:
        raw = RNG.random((3, *size))
        np.testing.assert_allclose(program.answers(raw)["prepared"], prepared.apply(raw), rtol=1e-6, atol=1e-6)


def test_a_whole_file_takes_raw_examples_and_names_its_answers() -> None:
    """As the network made whole does, in each batch; and it says of itself what it was told to."""
    content, whole = written("series with gaps", {"a": 1})
    raw, program = PREPARED["series with gaps"][2], OnnxProgram.read(content)
    assert (program.facts, program.outputs) == ({"a": 1}, ("logits", "probabilities", "predicted"))
    for batch in BATCHES:
        found = program.told(torch.from_numpy(raw[:batch]))
        with torch.no_grad():
            wanted = whole(torch.from_numpy(raw[:batch]))
        for output, value in wanted.items():
            torch.testing.assert_close(found[output], value, rtol=1e-5, atol=1e-5)


def test_a_file_is_the_same_again_and_names_nothing_of_the_machine() -> None:
    """Byte for byte; its opset is the stated one; facts may be set down later."""
    content = written("grey image", {"a": 1})[0]
    assert content == with_facts(written("grey image")[0], {"a": 1})
    assert str(Path(__file__).parents[3]).encode() not in content
    assert b".py" not in content
    model = library("onnx").load_model_from_string(content)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    assert not model.graph.value_info
    assert set(versions()) == {"torch", "onnx", "onnxruntime", "onnxscript"}


def test_what_is_no_such_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes, too many of them, other shapes; in a sentence of one line."""
    with pytest.raises(InputError, match="no ONNX file that ONNX Runtime runs"):
        OnnxProgram.read(b"\x00pickle?")
    monkeypatch.setattr("selfnas.artefacts.onnx_program.LARGEST", 10)
    with pytest.raises(InputError, match="at most 10 are read"):
        OnnxProgram.read(b"x" * 11)
    monkeypatch.setattr("selfnas.artefacts.onnx_program.LARGEST", LARGEST)
    program, raw = OnnxProgram.read(prepared_graph(preparation("series")).SerializeToString()), PREPARED["series"][2]
    with pytest.raises(InputError, match=r"examples that this .onnx file does not take") as refused:
        program.answers(raw[:, :3])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("where", ["initializer", "constant", "inside"])
def test_a_file_that_names_other_files_is_refused(where: str) -> None:
    """No runtime gets to open them: neither for a weight, nor for a constant, nor within a branch."""
    onnx, helper = library("onnx"), library("onnx.helper")
    numbers = onnx.TensorProto.FLOAT
    tensor = onnx.TensorProto(name="w", data_type=numbers, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/hostname")
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    add = helper.make_node("Add", ["x", "w"], ["y"])
    taken, given = (helper.make_tensor_value_info(name, numbers, [1]) for name in ("x", "y"))
    nodes, weights = [constant, add], []
    if where == "initializer":
        nodes, weights = [add], [tensor]
    if where == "inside":
        branch = helper.make_graph([constant, add], "branch", [], [given])
        nodes = [helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)]
    model = helper.make_model(helper.make_graph(nodes, "g", [taken], [given], weights))
    with pytest.raises(InputError, match="keeps numbers in other files; they are not opened"):
        OnnxProgram.read(model.SerializeToString())


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback of a missing module."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"ONNX files need onnxruntime: pip install 'selfnas\[onnx\]'"):
        OnnxProgram.read(b"")
