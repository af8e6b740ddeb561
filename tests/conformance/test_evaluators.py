"""What every evaluator must do, and that the check of it bites."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.named import SPACES
from selfnas.tables.tabular import TabularEvaluator, synthetic_benchmark
from selfnas.testing import check_evaluator
from selfnas.testing.promises import ConformanceError
from selfnas.training.evaluation import Evaluation, Fidelity

FULL = Fidelity(name="full", epochs=200)
TABLE = TabularEvaluator(benchmark=synthetic_benchmark(), task="a")
ASKED = [
    space.decode(vector, macro=Macro())
    for space in (SPACES["nb201"], SPACES["darts"])  # the table has none of the latter
    for vector in space.draw(np.random.default_rng(0), 5)
]


def test_a_table_keeps_the_promises_of_evaluators() -> None:
    """For architectures that it has and for others."""
    check_evaluator(TABLE, ASKED, fidelity=FULL)


def test_a_broken_evaluator_is_found_out() -> None:
    """One that counts its calls, one that moves a global generator, and one with a metric that is not finite."""
    calls: list[Architecture] = []

    def counting(architecture: Architecture, fidelity: Fidelity, *, seed: int) -> Evaluation:
        calls.append(architecture)
        return Evaluation(score=float(len(calls)))

    def drawing(architecture: Architecture, fidelity: Fidelity, *, seed: int) -> Evaluation:
        np.random.random()  # noqa: NPY002 - the breach
        return Evaluation(score=0.5)

    def dividing(architecture: Architecture, fidelity: Fidelity, *, seed: int) -> Evaluation:
        return Evaluation(score=0.5, metrics={"ratio": math.inf})

    for evaluator, message in ((counting, "equal arguments"), (drawing, "generator"), (dividing, "not finite")):
        with pytest.raises(ConformanceError, match=message):
            check_evaluator(evaluator, ASKED, fidelity=FULL)
