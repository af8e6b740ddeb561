"""What every evaluator returns and how it is asked: trained and tabular evaluators obey one protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from selfnas.spaces.architecture import Architecture

__all__ = ["Evaluation", "Evaluator", "Fidelity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How thoroughly an architecture is scored.

    Attributes:
        name: `low` or `full`, or a name of one's own.
        epochs: passes over the training data, at most.
        fraction: share of the training data used, in (0, 1].
        patience: stop after so many epochs without a better validation accuracy; 0 never stops early.
    """

    name: str
    epochs: int
    fraction: float = 1.0
    patience: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 < self.fraction <= 1 or self.patience < 0:
            given = f"{self.epochs}, {self.fraction:g} and {self.patience}"
            raise ValueError(f"need epochs >= 1, 0 < fraction <= 1 and patience >= 0, not {given}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The outcome of scoring one architecture; a failure is an outcome, not an exception.

    Attributes:
        score: what the search maximises, usually validation accuracy in [0, 1]; None when it failed.
        reason: why it failed; empty when it did not.
        metrics: further finite numbers by name.
    """

    score: float | None
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.score is None) == (not self.reason):
            raise ValueError("an evaluation has either a score or a reason for having none")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"a score is finite, not {self.score}")


class Evaluator(Protocol):
    """Scores one architecture on the task it was made for."""

    def __call__(self, architecture: Architecture, fidelity: Fidelity, *, seed: int) -> Evaluation:
        """Score at a fidelity; equal arguments give equal results."""
        ...
