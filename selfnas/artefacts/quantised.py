"""A network's ONNX graph in int8: ranges measured on training examples, and parts that do not bear it named.

Weights have seven bits and a scale for each output channel, activations eight. With eight-bit weights, processors
without VNNI add up two products in sixteen bits and saturate, so that one file would answer otherwise on them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.artefacts.libraries import library, quiet
from selfnas.artefacts.onnx_program import Graph
from selfnas.data.targets import Floats
from selfnas.errors import InputError

__all__ = ["BEARABLE", "CALIBRATION", "Quantised", "calibration", "parts_of", "quantised", "quantised_bearably"]

CALIBRATION = 512  # training examples, at most
BEARABLE = 0.005  # of what a search maximises, such as accuracy
_SCOPES = "pkg.torch.onnx.name_scopes"
_EDGE = re.compile(r"edges\.\d+_\d+_([^.'\"\]]+)")
_OUTSIDE = re.compile(r"'([A-Za-z_]+)")

Score = Callable[[Graph], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """A network's graph in int8.

    Attributes:
        graph: with what quantisation breaks left in float32.
        broken: operations and other parts of the network that lose more than `BEARABLE` in int8 on their own, or cannot
            be quantised at all; ascending.
    """

    graph: Graph
    broken: tuple[str, ...]


def calibration(x: Floats) -> Floats:
    """The training examples that ranges are measured on: all, or as many as are used, drawn in the same way each time.

    Example:
        >>> calibration(np.zeros((3, 4), dtype=np.float32)).shape, len(calibration(np.zeros((9999, 1), "f4")))
        ((3, 4), 512)
    """
    if len(x) <= CALIBRATION:
        return x
    return x[np.sort(seeding.generator(0, "calibration", len(x)).choice(len(x), CALIBRATION, replace=False))]


def parts_of(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Names of nodes by the part that they are of: an operation of a cell, or what stands before and behind cells."""
    parts: dict[str, list[str]] = {}
    for node in graph.graph.node:
        scopes = next((prop.value for prop in node.metadata_props if prop.key == _SCOPES), "")
        edges, outside = _EDGE.findall(scopes), _OUTSIDE.findall(scopes)
        parts.setdefault(edges[0] if edges else next(iter(outside), "network"), []).append(node.name)
    return {name: tuple(nodes) for name, nodes in sorted(parts.items())}


def quantised(graph: Graph, x: Floats, *, left: Sequence[str] = ()) -> Graph:
    """A network's graph in int8.

    Args:
        graph: of `network_graph`; stays as it is.
        x: prepared training examples.
        left: names of nodes that stay in float32.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    onnx, tools = library("onnx"), library("onnxruntime.quantization")
    with quiet(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        tools.quantize_static(
            graph.__deepcopy__(),
            path,
            _reader(tools, x),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            extra_options={"QuantizeBias": False},  # the runtime does it when it loads the file, which is smaller so
            nodes_to_exclude=list(left),
        )
        return onnx.load_model_from_string(path.read_bytes())


def _reader(tools: Any, x: Floats) -> Any:
    batches: Iterator[Mapping[str, NDArray[Any]]] = iter([{"x": x[place : place + 1]} for place in range(len(x))])

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Mapping[str, NDArray[Any]] | None:
            return next(batches, None)

    return Reader()


def quantised_bearably(graph: Graph, x: Floats, score: Score) -> Quantised:
    """The same; where it loses too much, the parts that do are found one by one and left in float32.

    Args:
        score: of a graph, on examples that decide nothing else: 1 is best.

    Raises:
        InputError: the extra `onnx` is not installed, or no part of the network can be quantised.
    """
    float_score = score(graph)
    try:
        whole = quantised(graph, x)
        if float_score - score(whole) <= BEARABLE:
            return Quantised(graph=whole, broken=())
    except (InputError, OSError):  # a full disk is no fault of the network
        raise
    except Exception:  # noqa: BLE001, S110 whatever the library raises of one operation; it is found and named below
        pass
    parts = parts_of(graph)
    names = {name for nodes in parts.values() for name in nodes}
    broken = [name for name, nodes in parts.items() if _breaks(graph, x, score, names - set(nodes), float_score)]
    if len(broken) == len(parts):
        raise InputError(f"int8: quantisation breaks every part of this network: {', '.join(broken)}")
    left = [node for name in broken for node in parts[name]]
    return Quantised(graph=quantised(graph, x, left=left), broken=tuple(broken))


def _breaks(graph: Graph, x: Floats, score: Score, others: set[str], float_score: float) -> bool:
    """Whether one part, in int8 alone, loses too much or cannot be quantised."""
    try:
        return float_score - score(quantised(graph, x, left=sorted(others))) > BEARABLE
    except (InputError, OSError):  # a full disk is no fault of the network
        raise
    except Exception:  # noqa: BLE001 likewise
        return True
