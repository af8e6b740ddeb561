"""What a search is after beside accuracy: costs to minimise, to weigh against accuracy, or to stay below.

Costs are computed, not trained, and are recorded with each evaluation, so `selfnas verify` works them out again from
the device that the run began with. Without this section a search maximises validation accuracy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from selfnas.devices.devices import Device
from selfnas.devices.roofline import DEVICE_COSTS, cost
from selfnas.documents import StrictModel
from selfnas.spaces.architecture import Architecture, TaskShape

__all__ = ["ObjectiveSection"]

_DIGITS = 6  # significant digits of a recorded cost
_FORBIDDEN = -10.0  # value just beyond a limit, below what any score less its weighted costs is allowed to be


class ObjectiveSection(StrictModel):
    """The `objective` of a stream.

    Attributes:
        device: a shipped description or a file; needed by latencies and energy.
        minimise: costs that are objectives of their own beside accuracy; for strategies that seek a front (`nsga2`),
            finalists are then taken from the front, its knee first. Other strategies see accuracy alone.
        weights: accuracy that one unit of a cost is worth; taken off the score.
        limits: a candidate above one scores below every candidate within all, and is never trained fully.

    Source of the limits' rule: Deb 2000 (Computer Methods in Applied Mechanics and Engineering).
    """

    device: str | None = None
    minimise: list[str] = Field(default_factory=list)
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    limits: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> ObjectiveSection:
        for name in self.names:
            if name in DEVICE_COSTS and self.device is None:
                raise ValueError(f"cost {name!r} needs a device")
        if not self.names:
            raise ValueError("an objective names at least one cost under minimise, weights or limits")
        if len(set(self.minimise)) != len(self.minimise):
            raise ValueError("a cost is minimised twice")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every cost that matters, sorted."""
        return tuple(sorted({*self.minimise, *self.weights, *self.limits}))

    def costs(self, architecture: Architecture, shape: TaskShape, device: Device | None) -> dict[str, float]:
        """The costs of one architecture, rounded as they are recorded.

        Raises:
            InputError: the device lacks a latency of some part.
        """
        return {name: float(f"{cost(name, architecture, shape, device):.{_DIGITS}g}") for name in self.names}

    def within(self, costs: Mapping[str, float]) -> bool:
        """Whether no limit is exceeded."""
        return all(costs[name] <= limit for name, limit in self.limits.items())

    def value(self, score: float, costs: Mapping[str, float]) -> float:
        """What the search maximises in the place of a score in [0, 1]."""
        if self.within(costs):
            return max(score - sum(weight * costs[name] for name, weight in self.weights.items()), _FORBIDDEN + 1)
        return _FORBIDDEN - sum(max(0.0, costs[name] / limit - 1) for name, limit in self.limits.items())

    def objectives(self, value: float, costs: Mapping[str, float]) -> tuple[float, ...]:
        """What a front is made of, all to be maximised; empty where there is only the value."""
        return (value, *(-costs[name] for name in self.minimise)) if self.minimise else ()
