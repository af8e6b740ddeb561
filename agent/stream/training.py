"""How networks are trained: how thoroughly at each fidelity, and with which settings."""

from __future__ import annotations

from pydantic import Field, model_validator

from selfnas.documents import StrictModel
from selfnas.training.evaluation import Fidelity

__all__ = ["FidelitySection", "TrainingSection"]

# Least and most optimiser steps where a stream does not say: below the floor, networks are told apart by chance.
_FLOORS = {"low": 120, "full": 400}
_CEILINGS = {"low": 600}


class FidelitySection(StrictModel):
    """How thoroughly candidates are trained; see `selfnas.training.evaluation.Fidelity`.

    Attributes:
        steps: least number of optimiser steps, which small data make more epochs of; 0 is no floor. By default 120
            for `low` and 400 for `full`.
        max_steps: most of them, which large data make fewer epochs of; 0 is no limit. By default 600 for `low`, and
            no limit for `full`.
    """

    epochs: int | None = Field(default=None, ge=1, le=100_000)
    steps: int | None = Field(default=None, ge=0, le=10_000_000)
    max_steps: int | None = Field(default=None, ge=0, le=10_000_000)
    fraction: float = Field(default=1.0, gt=0, le=1)
    patience: int = Field(default=0, ge=0, le=100_000)

    @model_validator(mode="after")
    def _stated(self) -> FidelitySection:
        if not self.epochs and not self.steps:
            raise ValueError("need epochs, steps or both")
        if self.max_steps and self.steps and self.max_steps < self.steps:
            raise ValueError(f"need steps <= max_steps, not {self.steps} and {self.max_steps}")
        return self

    @staticmethod
    def of(fidelity: Fidelity) -> FidelitySection:
        """The same fidelity with nothing left to defaults."""
        return FidelitySection(
            epochs=fidelity.epochs or None,
            steps=fidelity.steps,
            max_steps=fidelity.max_steps,
            fraction=fidelity.fraction,
            patience=fidelity.patience,
        )

    def fidelity(self, name: str) -> Fidelity:
        """As the evaluators use it; the name says what is meant by what is not stated."""
        floor, ceiling = _FLOORS.get(name, 0), _CEILINGS.get(name, 0)
        most = max(ceiling, self.steps or 0) if self.max_steps is None and ceiling else self.max_steps or 0
        least = (min(floor, most) if most else floor) if self.steps is None else self.steps
        return Fidelity(
            name=name,
            epochs=self.epochs or 0,
            steps=least,
            max_steps=most,
            fraction=self.fraction,
            patience=self.patience,
        )


class TrainingSection(StrictModel):
    """Optimiser settings; see `selfnas.training.training.TrainingPlan`."""

    batch_size: int = Field(default=64, ge=2, le=65_536)
    learning_rate: float = Field(default=6e-3, gt=0, le=10)
    weight_decay: float = Field(default=5e-2, ge=0, le=10)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
