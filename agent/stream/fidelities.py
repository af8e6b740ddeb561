"""Several low fidelities in one life: Hyperband's brackets, taken in turn, each promoting its best as they come in.

Bracket `b` starts new architectures on rung `b`. Rounds take brackets in turn; promotions go before anything new, so no
round waits for a rung to fill. Scores of different rungs are never compared.

Sources: Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar 2018 (JMLR), Hyperband; Li et al. 2020 (MLSys), ASHA.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from selfnas.benchmarks.fronts import best_first
from selfnas.documents import StrictModel
from selfnas.search.history import Trial
from selfnas.strategies.halving import SuccessiveHalving
from selfnas.training.evaluation import Fidelity

__all__ = ["HalvingSection", "RungSection", "ranked_by_rung"]


class RungSection(StrictModel):
    """One rung: passes over a share of the training data, and at least so many optimiser steps."""

    epochs: int = Field(ge=1, le=100_000)
    steps: int | None = Field(default=None, ge=0, le=10_000_000)
    fraction: float = Field(default=1.0, gt=0, le=1)


class HalvingSection(StrictModel):
    """The `halving` of a stream, in the place of its `low`.

    Attributes:
        rungs: from the cheapest to the most expensive; epochs, share of the data, or both may grow.
        keep_one_in: one in so many of a rung is promoted.
        brackets: rungs that new architectures start on in turn; 1 is plain successive halving.
    """

    rungs: Annotated[list[RungSection], Field(min_length=2, max_length=16)]
    keep_one_in: int = Field(default=3, ge=2, le=100)
    brackets: int = Field(default=1, ge=1, le=16)

    @model_validator(mode="after")
    def _rising(self) -> HalvingSection:
        if self.brackets >= len(self.rungs):
            raise ValueError(f"need fewer brackets than rungs, not {self.brackets} and {len(self.rungs)}")
        self.bracket(0)
        return self

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """The rungs as evaluators use them, named `rung0`, `rung1` and so on."""
        return tuple(
            Fidelity(name=f"rung{number}", epochs=rung.epochs, steps=rung.steps or 0, fraction=rung.fraction)
            for number, rung in enumerate(self.rungs)
        )

    def bracket(self, round_number: int) -> SuccessiveHalving:
        """What promotes and starts in one round."""
        rungs = self.fidelities[round_number % self.brackets :]
        return SuccessiveHalving(rungs=rungs, keep_one_in=self.keep_one_in)


def ranked_by_rung(trials: Sequence[Trial]) -> list[Trial]:
    """Scored trials, the highest rung first and best first within it; each architecture once, at its highest rung.

    A fidelity that was raised stands above the one it was raised from as a rung does.
    """
    by_rung: dict[str, list[Trial]] = {}
    for trial in trials:
        by_rung.setdefault(trial.fidelity, []).append(trial)
    found: dict[str, Trial] = {}
    for rung in sorted(by_rung, key=lambda name: -_number(name)):
        for trial in best_first([trial for trial in by_rung[rung] if not trial.failed]):
            found.setdefault(trial.digest, trial)
    return list(found.values())


def _number(rung: str) -> int:
    digits = rung.removeprefix("rung").removeprefix("raised")
    return int(digits) if digits.isdecimal() else 0
