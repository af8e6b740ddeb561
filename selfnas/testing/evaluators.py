"""What every evaluator promises: an answer for any architecture, and the same one again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from selfnas.spaces.architecture import Architecture
from selfnas.testing.promises import promise
from selfnas.training.evaluation import Evaluation, Evaluator, Fidelity

__all__ = ["check_evaluator"]


def check_evaluator(
    evaluator: Evaluator, architectures: Sequence[Architecture], *, fidelity: Fidelity, seed: int = 0
) -> None:
    """Equal arguments give equal results, a score is finite or its lack has a reason, and no global state is moved.

    Args:
        evaluator: any.
        architectures: what it is asked for, each twice; one that it cannot score belongs among them.
        fidelity: at which it is asked.
        seed: of each request.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    before = _global_states()
    first = [evaluator(architecture, fidelity, seed=seed) for architecture in architectures]
    for architecture, one in zip(architectures, first, strict=True):
        promise(isinstance(one, Evaluation), f"{architecture}: the answer is {type(one).__name__}, not an Evaluation")
        promise(
            bool(one.reason) if one.score is None else math.isfinite(one.score),
            f"{architecture}: neither a finite score nor a reason for having none",
        )
        promise(all(map(math.isfinite, one.metrics.values())), f"{architecture}: a metric is not finite")
    for architecture, one in reversed(list(zip(architectures, first, strict=True))):
        again = evaluator(architecture, fidelity, seed=seed)
        promise(again == one, f"{architecture}: equal arguments gave {one} and then {again}")
    promise(_global_states() == before, "the global generator of torch or NumPy was moved")


def _global_states() -> tuple[bytes, bytes]:
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - looked at, to see that it is left alone
    words = numpy_state["state"]
    return torch.get_rng_state().numpy().tobytes(), words["key"].tobytes() + bytes(str(words["pos"]), "ascii")
