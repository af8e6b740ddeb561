"""What every evaluator promises: an answer for any architecture, in order, and the same one again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from selfnas.spaces.architecture import Architecture
from selfnas.testing.promises import promise
from selfnas.training.evaluation import Evaluation, Evaluator, Fidelity, Request
from selfnas.training.schedule import MOST_VALIDATIONS

__all__ = ["check_evaluator"]


def check_evaluator(
    evaluator: Evaluator, architectures: Sequence[Architecture], *, fidelity: Fidelity, seed: int = 0
) -> None:
    """Answers depend on the request alone, each is reported once, a failure is an answer, and no global state is moved.

    Args:
        architectures: what it is asked for, each several times; one that it cannot score belongs among them.
        seed: of the first request; every further one has the next.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    asked = [Request(architecture=each, fidelity=fidelity, seed=seed + at) for at, each in enumerate(architectures)]
    before, done = _global_states(), 0

    def on_done() -> None:
        nonlocal done
        done += 1

    first = list(evaluator.evaluate(asked, on_done=on_done))
    promise(len(first) == len(asked), f"{len(asked)} requests got {len(first)} answers")
    promise(done == len(asked), f"{len(asked)} answers were reported {done} times")
    for request, one in zip(asked, first, strict=True):
        _check_answer(request, one)
    backwards = list(evaluator.evaluate(asked[::-1]))[::-1]
    alone = [one for request in asked for one in evaluator.evaluate([request])]
    for request, one, *others in zip(asked, first, backwards, alone, strict=True):
        for again in others:
            promise(again == one, f"{request.architecture}: equal requests gave {one} and then {again}")
    promise(not list(evaluator.evaluate([])), "no request got an answer")
    promise(_global_states() == before, "the global generator of torch or NumPy was moved")


def _check_answer(request: Request, answer: Evaluation) -> None:
    name = str(request.architecture)
    promise(isinstance(answer, Evaluation), f"{name}: the answer is {type(answer).__name__}, not an Evaluation")
    promise(
        bool(answer.reason) if answer.score is None else math.isfinite(answer.score),
        f"{name}: neither a finite score nor a reason for having none",
    )
    promise(all(map(math.isfinite, answer.metrics.values())), f"{name}: a metric is not finite")
    if answer.curve and answer.score is not None:
        most = max(request.fidelity.epochs, MOST_VALIDATIONS)
        promise(len(answer.curve) <= most, f"{name}: a curve of {len(answer.curve)} validations")
        promise(math.isclose(max(answer.curve), answer.score), f"{name}: its score is not the best of its curve")


def _global_states() -> tuple[bytes, bytes]:
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - looked at, to see that it is left alone
    words = numpy_state["state"]
    return torch.get_rng_state().numpy().tobytes(), words["key"].tobytes() + bytes(str(words["pos"]), "ascii")
