"""How networks are trained: how thoroughly at each fidelity, and with which settings."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from selfnas.digests import canonical_json
from selfnas.documents import StrictModel
from selfnas.training.evaluation import Fidelity
from selfnas.training.recipes import SLOTS

MOST_RADIUS = 0.5  # `selfnas.robust.region.MOST_RADIUS`, which needs PyTorch; a test holds the two together

if TYPE_CHECKING:
    from selfnas.data.tasks import Task
    from selfnas.training.training import TrainingPlan

__all__ = [
    "MOST_RADIUS",
    "CrossValidationSection",
    "FidelitySection",
    "RobustnessSection",
    "SlotsSection",
    "TrainingSection",
    "plan_digest",
]

# Least and most optimiser steps where a stream does not say: below the floor, networks are told apart by chance.
_FLOORS = {"low": 120, "full": 800}
_CEILINGS = {"low": 600}
_TABLES_BELOW = 4_000  # examples of tables whose full trainings are cross-validated
_FEW, _FOLDS_OF_FEW = 200, 5  # with fewer examples, each network of a fold has to see more of them


class FidelitySection(StrictModel):
    """How thoroughly candidates are trained; see `selfnas.training.evaluation.Fidelity`.

    Attributes:
        steps: least number of optimiser steps, which small data make more epochs of; 0 is no floor. By default 120
            for `low` and 800 for `full`.
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


class CrossValidationSection(StrictModel):
    """How candidates of small tasks are scored; see `selfnas.training.cross_validation`.

    Attributes:
        below: tasks with fewer training and validation examples together than this are scored so; 0 scores all on
            their validation split.
        folds: parts that are held out in turn.
        repeats: how often, each time with other parts.
        full_below: tasks with fewer examples than this are cross-validated in full trainings too, which decides for how
            long a network is trained on all of them. By default as `below`, and 4,000 for tables, where a training is
            soon done. 0 takes the validation split.
    """

    below: int = Field(default=400, ge=0, le=1_000_000)
    folds: int = Field(default=3, ge=2, le=100)
    repeats: int = Field(default=2, ge=1, le=100)
    full_below: int | None = Field(default=None, ge=0, le=1_000_000)

    def folds_in_full(self, examples: int, *, table: bool) -> int:
        """How many parts of a task are held out in turn by its full trainings; 0 where the validation split is.

        Args:
            examples: training and validation examples together.
            table: whether they are rows of a table.

        Example:
            >>> section = CrossValidationSection()
            >>> [section.folds_in_full(examples, table=False) for examples in (60, 300, 1000)]
            [5, 3, 0]
        """
        below = self.full_below
        if below is None:
            below = max(_TABLES_BELOW, self.below) if table and self.below else self.below
        if examples >= below:
            return 0
        return max(self.folds, _FOLDS_OF_FEW) if examples < _FEW else self.folds


class SlotsSection(StrictModel):
    """Numbers of a recipe in place of its own; see `selfnas.training.recipes.Recipe`."""

    shift: float | None = Field(default=None, ge=0, le=SLOTS["shift"])
    zoom: float | None = Field(default=None, ge=0, le=SLOTS["zoom"])
    turn: float | None = Field(default=None, ge=0, le=SLOTS["turn"])
    flip: float | None = Field(default=None, ge=0, le=SLOTS["flip"])
    cutout: float | None = Field(default=None, ge=0, le=SLOTS["cutout"])
    jitter: float | None = Field(default=None, ge=0, le=SLOTS["jitter"])
    scaling: float | None = Field(default=None, ge=0, le=SLOTS["scaling"])
    crop: float | None = Field(default=None, ge=0, le=SLOTS["crop"])
    warp: float | None = Field(default=None, ge=0, le=SLOTS["warp"])
    noise: float | None = Field(default=None, ge=0, le=SLOTS["noise"])
    swap: float | None = Field(default=None, ge=0, le=SLOTS["swap"])
    mixup: float | None = Field(default=None, ge=0, le=SLOTS["mixup"])
    average: float | None = Field(default=None, ge=0, le=SLOTS["average"])
    distil: float | None = Field(default=None, ge=0, le=SLOTS["distil"])


class RobustnessSection(StrictModel):
    """What networks are hardened against; see `selfnas.robust.hardening`.

    Attributes:
        norm: `linf`: every value of an input moves by at most the radius.
        radius: share of the range of the training inputs, so that 0.1 means the same of pixels from 0 to 255 and from 0
            to 1.
        method: `ibp` trains for what interval bounds prove, `adversarial` against an attack.
        score: what the search maximises on held-out examples: the share whose class is proved (`proved`) or answered
            (`answered`). By default `proved` with `ibp`, `answered` with `adversarial`.
    """

    norm: Literal["linf"] = "linf"
    radius: float = Field(gt=0, le=MOST_RADIUS)
    method: Literal["ibp", "adversarial"] = "ibp"
    score: Literal["proved", "answered"] | None = None

    @property
    def proved(self) -> bool:
        """Whether only what is proved counts."""
        return (self.score or ("proved" if self.method == "ibp" else "answered")) == "proved"


class TrainingSection(StrictModel):
    """Settings of the optimiser, and what is done to examples and weights beside its steps.

    Attributes:
        batch_size: examples in one step, at most; where there are few, an epoch still has eight steps, of at least 16.
        recipe: `plain`, `light`, `strong`, or `auto`, which chooses by kind of input and number of training examples.
        class_weights: `balanced` lets rare classes count as much as frequent ones in the loss.
        robustness: what networks are hardened against; nothing by default.
    """

    batch_size: int = Field(default=64, ge=2, le=65_536)
    learning_rate: float = Field(default=6e-3, gt=0, le=10)
    weight_decay: float = Field(default=5e-2, ge=0, le=10)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    recipe: Literal["auto", "plain", "light", "strong"] | None = None
    slots: SlotsSection | None = None
    class_weights: Literal["balanced"] | None = None
    robustness: RobustnessSection | None = None

    @property
    def distils(self) -> bool:
        """Whether a baseline may teach networks of small tables and series; nobody teaches what is to be proved."""
        if self.robustness is not None:
            return False
        stated = None if self.slots is None else self.slots.distil
        return self.recipe != "plain" if stated is None else stated > 0

    def plan(self, task: Task) -> TrainingPlan:
        """How networks of a task are trained; what is not stated follows from its data."""
        from selfnas.training.plans import plan_for

        stated = self.robustness
        return plan_for(
            task,
            recipe=self.recipe or "auto",
            slots={} if self.slots is None else self.slots.model_dump(exclude_none=True),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            balanced=self.class_weights is not None,
            hardened=None if stated is None else (stated.radius, stated.method, stated.proved),
        )


def plan_digest(training: TrainingSection, fidelity: Fidelity) -> str:
    """SHA-256 of what a stream says of one kind of training: settings and fidelity, with their defaults filled in."""
    plan = {"training": training.model_dump(mode="json", exclude_none=True), "fidelity": dataclasses.asdict(fidelity)}
    return hashlib.sha256(canonical_json(plan).encode()).hexdigest()
