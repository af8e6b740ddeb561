"""How long a file takes for one example, beside a reference kernel that is timed in turns with it.

Milliseconds are of the machine that they were measured on, and of what else ran on it. The reference is there so that
two statements can be compared: both ran at the same time, so that what slowed one down slowed down the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.artefacts.libraries import library, quiet
from selfnas.artefacts.onnx_program import IR_VERSION, OPSET, Graph, OnnxProgram
from selfnas.training import intervals

__all__ = ["REFERENCE", "REFERENCE_MACS", "Latency", "Remeasured", "latency", "remeasured"]

REFERENCE = "3x3 convolution of 16 to 16 channels on 32x32 positions, float32, in the same runtime"
REFERENCE_MACS = 16 * 16 * 3 * 3 * 32 * 32
TURNS, SESSIONS, _WARM = 300, 5, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds for one call.

    Attributes:
        p50: median of the file's calls.
        p95: 95th percentile of them.
        reference_p50: median of the reference kernel's.
        reference_p95: 95th percentile of them.
        reference: what that kernel is.
        batch: examples in a call.
        threads: of the runtime.
        turns: calls of each that were timed.
    """

    p50: float
    p95: float
    reference_p50: float
    reference_p95: float
    reference: str
    batch: int
    threads: int
    turns: int

    def __str__(self) -> str:
        ratio = self.p50 / self.reference_p50
        return (
            f"p50 {self.p50:.3g} ms, p95 {self.p95:.3g} ms at batch {self.batch} on {self.threads} thread, "
            f"{ratio:.2g} times the reference kernel's p50 ({self.turns} turns)"
        )


def latency(program: OnnxProgram, example: NDArray[Any], *, turns: int = TURNS) -> Latency:
    """Time a file of one thread.

    Args:
        program: read with `threads=1`.
        example: one raw example, without the axis of the batch.
        turns: calls of it and of the reference, in turns.
    """
    return _latency(_turns(program, example, turns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Remeasured:
    """The 95th percentile of a file's calls, measured in several sessions of the runtime.

    Attributes:
        together: of all calls.
        low: lower end of the 95 % interval of `together.p95`: the least that any session has.
        high: upper end: the most that any session has. So what slowed down one session makes it wider.
    """

    together: Latency
    low: float
    high: float


def remeasured(content: bytes, example: NDArray[Any], *, sessions: int = SESSIONS, turns: int = TURNS) -> Remeasured:
    """Time a file in sessions of its own, one after the other.

    Args:
        content: of the `.onnx` file.
        example: one raw example, without the axis of the batch.
        sessions: how often the file is read anew.
        turns: calls of it and of the reference in each, in turns.
    """
    found = [_turns(OnnxProgram.read(content), example, turns) for _ in range(sessions)]
    ends = [intervals.quantile(each[:, 0], 0.95) for each in found]
    return Remeasured(
        together=_latency(np.concatenate(found)), low=min(low for low, _ in ends), high=max(high for _, high in ends)
    )


def _turns(program: OnnxProgram, example: NDArray[Any], turns: int) -> NDArray[np.float64]:
    """`(turns, 2)` milliseconds of the file and of the reference kernel."""
    kernel, given = OnnxProgram.read(_kernel().SerializeToString()), np.ones((1, 16, 32, 32), dtype=np.float32)
    raw = np.ascontiguousarray(example[None], dtype=program.takes)
    found = np.empty((turns, 2))
    for turn in range(-_WARM, turns):
        both = _timed(lambda: program.answers(raw)), _timed(lambda: kernel.answers(given))
        if turn >= 0:
            found[turn] = both
    return found * 1e3


def _latency(found: NDArray[np.float64]) -> Latency:
    (p50, reference_p50), (p95, reference_p95) = np.percentile(found, (50, 95), axis=0)
    return Latency(
        p50=float(p50),
        p95=float(p95),
        reference_p50=float(reference_p50),
        reference_p95=float(reference_p95),
        reference=REFERENCE,
        batch=1,
        threads=1,
        turns=len(found),
    )


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _kernel() -> Graph:
    """The reference as a graph."""
    onnx, helper = library("onnx"), library("onnx.helper")
    numbers = onnx.TensorProto.FLOAT
    weights = library("onnx.numpy_helper").from_array(np.full((16, 16, 3, 3), 0.01, dtype=np.float32), "w")
    with quiet():
        node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
        sides = [1, 16, 32, 32]
        taken, given = (helper.make_tensor_value_info(name, numbers, sides) for name in ("x", "y"))
        graph = helper.make_graph([node], "reference", [taken], [given], [weights])
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
