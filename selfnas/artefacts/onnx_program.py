"""A whole network as an ONNX file: raw examples in, named outputs out, and what it says of itself inside.

The file is put together of three graphs: what prepares examples, the network, and what names its outputs. So the
network in the middle may be another one, such as its int8 form, with the same graph before and behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas.artefacts.libraries import library, quiet
from selfnas.data.preparation import Preparation
from selfnas.data.targets import Target
from selfnas.errors import InputError
from selfnas.training.exported import FACTS, free_sides
from selfnas.training.whole import NamedOutputs, PreparedInputs

__all__ = [
    "IR_VERSION",
    "LARGEST",
    "OPSET",
    "Graph",
    "OnnxProgram",
    "input_type",
    "named_graph",
    "network_graph",
    "onnx_program",
    "prepared_graph",
    "with_facts",
]

OPSET = 18  # that PyTorch's exporter writes without converting, and runtimes since 2023 read
IR_VERSION = 9
LARGEST = 1 << 29  # bytes of a file that is read
_KEPT = ("uint8", "int8", "int16", "int32", "int64", "float32", "float64")  # types that a file takes as they are
_NUMBERS = {"tensor(float)": "float32", "tensor(double)": "float64"} | {
    f"tensor({kind})": kind for kind in _KEPT if "int" in kind
}

# By operation and attribute, whether a value is what is meant where nothing is said.
_WINDOW: Mapping[str, Callable[[Any], bool]] = {
    "auto_pad": lambda value: bool(value == b"NOTSET"),
    "dilations": lambda value: set(value) == {1},
    "pads": lambda value: set(value) == {0},
    "strides": lambda value: set(value) == {1},
}
_USUAL: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "AveragePool": {**_WINDOW, **dict.fromkeys(("ceil_mode", "count_include_pad"), lambda value: value == 0)},
    "Conv": {**_WINDOW, "group": lambda value: value == 1, "kernel_shape": lambda value: True},  # that of the weights
    "Gemm": {
        **dict.fromkeys(("alpha", "beta"), lambda value: value == 1),
        **dict.fromkeys(("transA", "transB"), lambda value: value == 0),
    },
    "MaxPool": {**_WINDOW, **dict.fromkeys(("ceil_mode", "storage_order"), lambda value: value == 0)},
}

Graph: TypeAlias = Any  # onnx.ModelProto, whose library may not be there


def input_type(preparation: Preparation) -> str:
    """Of the numbers that a file takes: that of the source where ONNX has it, else float64.

    Example:
        >>> from selfnas.data.targets import Target
        >>> given = {"inputs": "image", "raw": (8, 8), "steps": (), "target": Target.of_classes(2)}
        >>> input_type(Preparation(dtype="uint8", **given)), input_type(Preparation(dtype="float16", **given))
        ('uint8', 'float64')
    """
    return preparation.dtype if preparation.dtype in _KEPT else "float64"


def network_graph(network: nn.Module, shape: Sequence[int]) -> Graph:
    """A network alone: `(b, *shape)` prepared examples `x` to `(b, outputs)` `outputs`.

    Nodes say in their metadata which module of the network they are of; `onnx_program` leaves that out again.
    """
    return _graph(network, torch.zeros((2, *shape)), {0: torch.export.Dim("batch", min=1)}, ("outputs",))


def prepared_graph(preparation: Preparation) -> Graph:
    """What stands before a network: `(b, *raw)` raw examples `x` to `prepared` ones."""
    sides, free = free_sides(preparation)
    raw = torch.zeros((2, *sides), dtype=getattr(torch, input_type(preparation)))
    return _graph(PreparedInputs(preparation), raw, free, ("prepared",))


def named_graph(target: Target) -> Graph:
    """What stands behind a network: `(b, outputs)` numbers `x` to outputs by name."""
    named, given = NamedOutputs(target), torch.zeros((2, target.outputs))
    return _graph(named, given, {0: torch.export.Dim("batch", min=1)}, tuple(named(given)))


def onnx_program(before: Graph, network: Graph, behind: Graph, facts: Mapping[str, object]) -> bytes:
    """The bytes of an `.onnx` file with a free batch size.

    Args:
        before: of `prepared_graph`.
        network: of `network_graph`, or its int8 form.
        behind: of `named_graph`.
        facts: what the file says of itself.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    with quiet():
        joined = _joined({"before": before, "network": network, "behind": behind})
    library("onnx.checker").check_model(joined, full_check=True)
    return _written(joined, facts)


def with_facts(content: bytes, facts: Mapping[str, object]) -> bytes:
    """The same file, which says something else of itself."""
    return _written(library("onnx").load_model_from_string(content), facts)


def _written(model: Graph, facts: Mapping[str, object]) -> bytes:
    del model.metadata_props[:]
    model.metadata_props.add(key=FACTS, value=json.dumps(facts, ensure_ascii=False))
    return bytes(model.SerializeToString(deterministic=True))


def _graph(module: nn.Module, example: Tensor, free: Mapping[int, Any], outputs: tuple[str, ...]) -> Graph:
    """A module of one argument as ONNX."""
    library("onnxscript")
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=(dict(free),),
            input_names=["x"],
            output_names=list(outputs),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise InputError("PyTorch gives no ONNX program of this network")
    return program.model_proto


def _joined(parts: Mapping[str, Graph]) -> Graph:
    """Three graphs as one; inputs and outputs have the names that they had in the first and last."""
    compose = library("onnx.compose")
    named = {}
    for name, part in parts.items():
        named[name] = compose.add_prefix(part, f"{name}.")
        named[name].ir_version = IR_VERSION
    before, behind = named["before"], named["behind"]
    inner = compose.merge_models(before, named["network"], io_map=[(before.graph.output[0].name, "network.x")])
    joined = compose.merge_models(inner, behind, io_map=[(inner.graph.output[0].name, "behind.x")])
    taken, given = joined.graph.input[0].name, [output.name for output in joined.graph.output]
    _rename(joined, {taken: "x"} | {name: name.removeprefix("behind.") for name in given})
    for node in joined.graph.node:
        del node.metadata_props[:]  # names files of the machine that it was written on
        node.doc_string = ""
    for held in (*joined.graph.value_info, *joined.graph.initializer, *joined.graph.input, *joined.graph.output):
        del held.metadata_props[:]
        held.doc_string = ""
    del joined.metadata_props[:], joined.graph.metadata_props[:]
    joined.doc_string, joined.graph.doc_string, joined.graph.name = "", "", "whole"
    joined.producer_name, joined.producer_version, joined.ir_version = "selfnas", "", IR_VERSION
    stated = {each.domain: each.version for each in joined.opset_import}
    del joined.opset_import[:]
    for domain, opset in stated.items():
        joined.opset_import.add(domain=domain, version=opset)
    _trim(joined)
    _shorten(joined)
    return joined


def _trim(model: Graph) -> None:
    """Leave out what says nothing: attributes that state their default, empty texts, constants that are there twice.

    In a small network these are a sixth of an int8 file.
    """
    graph, arrays, values = model.graph, library("onnx.numpy_helper"), library("onnx.helper")
    for node in graph.node:
        for attribute in list(node.attribute):
            usual = _USUAL.get(node.op_type, {}).get(attribute.name)
            if usual is not None and usual(values.get_attribute_value(attribute)):
                node.attribute.remove(attribute)
        for name in ("name", "doc_string", "domain"):
            if not getattr(node, name):
                node.ClearField(name)
    first: dict[tuple[Any, ...], str] = {}
    twice: dict[str, str] = {}
    for held in list(graph.initializer):
        held.ClearField("doc_string")
        content = held.data_type, tuple(held.dims), arrays.to_array(held).tobytes()
        if first.setdefault(content, held.name) != held.name:
            twice[held.name] = first[content]
            graph.initializer.remove(held)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = twice.get(name, name)


def _shorten(model: Graph) -> None:
    """Give what nobody asks for by name a name of few letters: in a small network names are half of the file."""
    graph = model.graph
    if model.functions or any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # what stands inside may name what stands outside
    del graph.value_info[:]
    kept = {held.name for held in (*graph.input, *graph.output)} | {""}
    made = [*(held.name for held in graph.initializer), *(name for node in graph.node for name in node.output)]
    short = {name: f"{place:x}" for place, name in enumerate(name for name in made if name not in kept)}
    for held in graph.initializer:
        held.name = short.get(held.name, held.name)
    for node in graph.node:
        node.ClearField("name")
    _rename(model, short)


def _rename(model: Graph, names: Mapping[str, str]) -> None:
    graph = model.graph
    for held in (*graph.input, *graph.output, *graph.value_info):
        held.name = names.get(held.name, held.name)
    for node in graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxProgram:
    """An `.onnx` file, read.

    Attributes:
        session: ONNX Runtime's.
        takes: type of the numbers that it takes.
        outputs: their names.
        facts: what it says of itself; empty where it says nothing.
    """

    session: Any
    takes: str
    outputs: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def read(content: bytes, *, threads: int = 1) -> OnnxProgram:
        """One of one input, from its bytes alone: no other file is opened, whatever it names.

        Raises:
            InputError: it is none, or too large, or takes other than one input of numbers.
        """
        if len(content) > LARGEST:
            raise InputError(f"an .onnx file of {len(content):,} bytes; at most {LARGEST:,} are read")
        runtime = library("onnxruntime")
        _check_alone(content)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InputError(f"no ONNX file that ONNX Runtime runs: {_first_line(error)}") from error
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _NUMBERS:
            raise InputError("an .onnx file that does not take one input of numbers")
        facts = _facts(session.get_modelmeta().custom_metadata_map.get(FACTS, "{}"))
        names = tuple(output.name for output in session.get_outputs())
        return OnnxProgram(session=session, takes=_NUMBERS[inputs[0].type], outputs=names, facts=facts)

    def answers(self, raw: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """`(b, *raw)` raw examples to outputs by name.

        Raises:
            InputError: they are not of the shape or type that it takes.
        """
        name = self.session.get_inputs()[0].name
        try:
            found = self.session.run(list(self.outputs), {name: np.ascontiguousarray(raw, dtype=self.takes)})
        except Exception as error:
            raise InputError(f"examples that this .onnx file does not take: {_first_line(error)}") from error
        return dict(zip(self.outputs, found, strict=True))

    def told(self, raw: Tensor) -> dict[str, Tensor]:
        """The same of tensors."""
        return {name: torch.from_numpy(np.asarray(value)) for name, value in self.answers(raw.numpy()).items()}


def _check_alone(content: bytes) -> None:
    """Refuse a file that keeps its numbers in other files, which a runtime would open.

    Raises:
        InputError: it does, or is no ONNX file.
    """
    onnx = library("onnx")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        raise InputError(f"no ONNX file that ONNX Runtime runs: {_first_line(error)}") from error
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        tensors = list(getattr(graph, "initializer", ()))
        for sparse in getattr(graph, "sparse_initializer", ()):
            tensors += [sparse.values, sparse.indices]
        for attribute in (each for node in graph.node for each in node.attribute):
            tensors += [attribute.t, *attribute.tensors]
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                tensors += [sparse.values, sparse.indices]
            waiting += [attribute.g] * attribute.HasField("g") + list(attribute.graphs)
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
            raise InputError("an .onnx file that keeps numbers in other files; they are not opened")


def _facts(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
