"""Re-check the costs that evaluations record: from the run's own device and objective, without training anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.ledger.store import Json
from agent.state.state import items, mapping, number, task_shape
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

    def run_begins(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Problems of a `run.started` event."""
        section = mapping(payload["stream"]).get("objective")
        self._objective = None if section is None else ObjectiveSection.model_validate(section)
        self._device = Device.model_validate(payload["device"]) if "device" in payload else None
        if self._device is not None and self._device.digest != payload["device_digest"]:
            yield "the recorded device does not have the recorded digest"

    def task_begins(self, payload: Mapping[str, Json]) -> None:
        """Remember the shape that costs are counted for."""
        self._shape = task_shape(payload)

    def evaluated(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """Problems of an `evaluated` event."""
        if self._objective is None or self._shape is None:
            if "value" in payload:
                yield "it has a value, but the stream has no objective"
            return
        costs = self._objective.costs(parse_architecture(str(payload["architecture"])), self._shape, self._device)
        if costs != payload["costs"]:
            yield f"its costs are {costs}, not {payload['costs']}"
        score = payload["score"]
        value = None if score is None else self._objective.value(number(score), costs)
        objectives = [] if value is None else list(self._objective.objectives(value, costs))
        if value != payload["value"] or objectives != items(payload["objectives"]):
            yield f"its value is {value} with objectives {objectives}, not as recorded"
