"""Re-check the costs that evaluations record: from the run's own device and objective, without training anything."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger.events import UNSET, Evaluated, RunStarted, TaskStarted
from agent.stream.objective import ObjectiveSection
from selfnas.devices.devices import Device
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["CostChecker"]


class CostChecker:
    """Follows the events of a life as far as costs are concerned."""

    def __init__(self) -> None:
        self._objective: ObjectiveSection | None = None
        self._device: Device | None = None
        self._shape: TaskShape | None = None

    def run_begins(self, started: RunStarted) -> Iterator[str]:
        """Problems of the beginning of a run."""
        section = started.record.objective
        self._objective = None if section is None else ObjectiveSection.model_validate(section)
        self._device = None if started.device is UNSET else Device.model_validate(started.device)
        if self._device is not None and self._device.digest != started.device_digest:
            yield "the recorded device does not have the recorded digest"

    def task_begins(self, started: TaskStarted) -> None:
        """Remember the shape that costs are counted for."""
        self._shape = started.shape.task_shape

    def evaluated(self, evaluated: Evaluated) -> Iterator[str]:
        """Problems of an evaluation."""
        recorded = evaluated.value, evaluated.objectives
        if self._objective is None:
            if (evaluated.costs, *recorded) != (UNSET, UNSET, UNSET):
                yield "it has a value, but the stream has no objective"
            return
        if self._shape is None:
            yield "no task has begun for whose shape its costs could be counted"
            return
        costs = self._objective.costs(parse_architecture(evaluated.architecture), self._shape, self._device)
        if costs != evaluated.costs:
            yield f"its costs are {costs}, not {evaluated.costs or 'none'}"
        value = None if evaluated.score is None else self._objective.value(evaluated.score, costs)
        objectives = [] if value is None else list(self._objective.objectives(value, costs))
        if (value, objectives) != recorded:
            yield f"its value is {value} with objectives {objectives}, not as recorded"
