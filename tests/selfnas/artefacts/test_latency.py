"""A file is timed in sessions of its own, and the interval of its 95th percentile spans all of them."""

import numpy as np
import pytest

from selfnas.artefacts import latency as timing
from selfnas.artefacts.latency import latency, remeasured
from selfnas.artefacts.onnx_program import OnnxProgram


@pytest.fixture(scope="module")
def kernel() -> bytes:
    """The reference kernel as a file: something that runs."""
    return bytes(timing._kernel().SerializeToString())


def test_sessions_are_taken_together_and_the_interval_spans_them(
    kernel: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slow session widens the interval to its own end; another count of calls is not hidden."""
    sessions = iter([np.full((300, 2), 1.0), np.full((300, 2), 1.5), np.full((300, 2), 4.0)])
    monkeypatch.setattr(timing, "_turns", lambda program, example, turns: next(sessions))
    found = remeasured(kernel, np.zeros((16, 32, 32)), sessions=3)
    assert (found.low, found.high) == (1.0, 4.0)
    assert (found.together.p50, found.together.turns) == (1.5, 900)


def test_a_file_and_the_reference_are_called_as_often_as_is_said(kernel: bytes) -> None:
    """In turns; both take time."""
    found = latency(OnnxProgram.read(kernel), np.zeros((16, 32, 32)), turns=20)
    assert found.turns == 20
    assert 0 < found.p50 <= found.p95
    assert 0 < found.reference_p50 <= found.reference_p95
