"""The protocol of evaluators: requests, their answers, and what an evaluator may offer beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from selfnas.spaces.architecture import Architecture

__all__ = ["Evaluation", "Evaluator", "Fidelity", "OnDone", "ProxyScorer", "ProxyScores", "Request", "unheard"]

OnDone = Callable[[], None]
ProxyScores = Mapping[str, float | None]


def unheard() -> None:
    """Does nothing: for callers that need no notice of each evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How thoroughly an architecture is scored: for so many epochs, and at least and at most so many optimiser steps.

    Attributes:
        name: `low` or `full`, or a name of one's own.
        epochs: passes over the training data; 0 leaves it to `steps`.
        steps: least number of optimiser steps, which small data make more epochs of.
        max_steps: most of them, which large data make fewer epochs of; 0 is no limit.
        fraction: share of the training data used, in (0, 1].
        patience: stop after so many validations that were worse than the best, counted from the end of warm-up and
            once the best is above chance; 0 never stops early. There is one validation an epoch, at most
            `selfnas.training.schedule.MOST_VALIDATIONS` in all; where `steps` make more epochs, patience lasts longer.
        repeats: by how many times more repeats a cross-validated score is made than is usual.
    """

    name: str
    epochs: int = 0
    steps: int = 0
    max_steps: int = 0
    fraction: float = 1.0
    patience: int = 0
    repeats: int = 1

    def __post_init__(self) -> None:
        counts = (self.epochs, self.steps, self.max_steps, self.patience)
        if min(counts) < 0 or not self.epochs + self.steps or not 0 < self.fraction <= 1:
            given = f"{self.epochs}, {self.steps}, {self.fraction:g} and {self.patience}"
            raise ValueError(f"need epochs or steps >= 1, 0 < fraction <= 1 and patience >= 0, not {given}")
        if self.repeats < 1:
            raise ValueError(f"need repeats >= 1, not {self.repeats}")
        if 0 < self.max_steps < self.steps:
            raise ValueError(f"need steps <= max_steps, not {self.steps} and {self.max_steps}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One architecture to be scored.

    Attributes:
        seed: decides everything random about it.
        least: score needed at each validation, or training stops (`selfnas.training.early_stopping`); none never
            stops.
    """

    architecture: Architecture
    fidelity: Fidelity
    seed: int = 0
    least: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The outcome of scoring one architecture; a failure is an outcome, not an exception.

    Attributes:
        score: what the search maximises, usually validation accuracy in [0, 1]; None when it failed.
        reason: why it failed; empty when it did not.
        repeats: of a cross-validated score, that of each repeat; their mean is the score. Empty otherwise.
        curve: score at each validation, of which there is one an epoch where epochs are few; empty where the
            evaluator knows none.
        metrics: further finite numbers by name, such as `test` or costs.
    """

    score: float | None
    reason: str = ""
    curve: tuple[float, ...] = ()
    repeats: tuple[float, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.score is None) == (not self.reason):
            raise ValueError("an evaluation has either a score or a reason for having none")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"a score is finite, not {self.score}")


class Evaluator(Protocol):
    """Scores architectures on the task it was made for.

    Whatever else an evaluator can do, it declares by obeying a further protocol, such as `ProxyScorer`.
    """

    def evaluate(self, requests: Sequence[Request], *, on_done: OnDone = unheard) -> Sequence[Evaluation]:
        """Evaluations in the order of the requests; equal requests give equal ones.

        Args:
            requests: to be answered.
            on_done: called when one is, in any order.
        """
        ...


@runtime_checkable
class ProxyScorer(Protocol):
    """An evaluator that can also score architectures without training them."""

    def proxy_scores(self, requests: Sequence[Request], *, proxy: str | None = None) -> Sequence[ProxyScores]:
        """For each request in order, its architecture's scores by proxy; None or absent where there is no finite one.

        Args:
            requests: whose fidelity does not matter.
            proxy: one of `selfnas.training.proxies.PROXIES`; None asks for all of them.
        """
        ...
