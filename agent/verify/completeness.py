"""That nothing is left out of a task: what its budget allows was spent, and every step that must follow did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.ledger.store import Event, Json
from agent.state.state import items, mapping, number, recorded_costs
from agent.stream.objective import ObjectiveSection
from agent.verify.policy import PolicyChecker
from agent.verify.tasks import TaskChecker

__all__ = ["CompletenessChecker"]

_NAMED = frozenset(
    {"filtered", "evaluated", "trained", "audited", "admitted", "refused", "tabulated", "compared", "task.finished"}
)


class CompletenessChecker:
    """Follows what the open task has had; `TaskChecker` says whether each of it holds.

    Args:
        tasks: sees each event before this does.
        policies: know the policy in force.
    """

    def __init__(self, tasks: TaskChecker, policies: PolicyChecker) -> None:
        self._tasks, self._policies = tasks, policies
        self._stream: Mapping[str, Json] = {}
        self._objective: ObjectiveSection | None = None
        self._refused_by: set[str] = set()  # rules that some refusal of the task names
        self._open_verdicts = False  # whether some was left open, whose rules are not known
        self._evaluations = 0
        self._candidates: set[str] = set()  # digests that may become finalists
        self._tabulated: list[str] = []
        self._exhausted = False
        self._compared = 0

    def run_begins(self, payload: Mapping[str, Json]) -> None:
        """A run over a stream."""
        self._stream = mapping(payload["stream"])
        section = self._stream.get("objective")
        self._objective = None if section is None else ObjectiveSection.model_validate(section)

    def check(self, event: Event) -> Iterator[str]:
        """Problems of one event of a task, in sentences."""
        payload = event.payload
        if event.kind in _NAMED and payload["task"] != self._tasks.name:
            yield f"it names task {payload['task']}, lived is {self._tasks.name}"
        if event.kind in ("task.started", "task.finished") and payload["run"] != self._tasks.run:
            yield f"it names run {payload['run']}, which is {self._tasks.run}"
        match event.kind:
            case "task.started":
                self._refused_by, self._open_verdicts, self._evaluations = set(), False, 0
                self._candidates, self._tabulated, self._exhausted, self._compared = set(), [], False, 0
            case "rejected" | "quarantined":
                self._refused_by.update(map(str, items(payload["failed"])))
                self._open_verdicts |= event.kind == "quarantined"
            case "filtered":
                yield from self._round(payload)
            case "evaluated":
                self._evaluations += 1
                if payload["origin"] == "promoted" and "halving" not in self._stream:
                    yield "called promoted, and the stream has no rungs"
                if payload["score"] is not None and self._within(payload):
                    self._candidates.add(str(payload["digest"]))
            case "trained":
                if payload["digest"] not in self._candidates:
                    yield "trained fully, and was no candidate: it has no score at low fidelity, or exceeds a limit"
            case "tabulated":
                if payload["digest"] not in self._candidates or payload["digest"] in self._tabulated:
                    yield "looked up in full, and was no candidate, or was looked up before"
                self._tabulated.append(str(payload["digest"]))
            case "compared":
                self._compared += 1
                if self._compared > 1:
                    yield "compared a second time on this task"
            case "task.finished":
                yield from self._end()

    def _within(self, payload: Mapping[str, Json]) -> bool:
        return self._objective is None or self._objective.within(recorded_costs(payload))

    def _round(self, payload: Mapping[str, Json]) -> Iterator[str]:
        if self._exhausted:
            yield "another round, though nothing more could be proposed"
        self._exhausted = bool(payload["exhausted"])
        if not self._open_verdicts:
            for rule in sorted(set(mapping(payload["rules"])) - self._refused_by):
                yield f"rule {rule!r} kept something out, and no refusal of this task shows an example"

    def _end(self) -> Iterator[str]:
        budget = mapping(self._stream["budget"])
        if self._evaluations < number(budget["evaluations"]) and not self._exhausted:
            yield f"it ended after {self._evaluations} of {budget['evaluations']} evaluations, though not exhausted"
        most = int(min(number(budget["full_trainings"]), len(self._candidates)))
        wanted = min(self._policies.present.finalists_per_task, most)
        if self._tasks.tabular:
            if len(self._tabulated) != wanted:
                yield f"{len(self._tabulated)} cells were looked up in full, not {wanted}"
            return
        standing = self._tasks.winner() is not None
        trained = len(self._tasks.trained)
        if trained < (wanted if standing else most):
            yield f"{trained} finalists were trained fully, and {wanted if standing else most} had to be"
        if standing and not self._compared:
            yield "the winner was not compared with the hand-designed network of its size"
