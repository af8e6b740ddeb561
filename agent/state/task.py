"""Where one task of a run stands, folded from the events that are its own."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from agent.ledger.store import Event, Json, LedgerError
from selfnas.digests import canonical_json
from selfnas.search.history import Trial
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["Finalist", "Payload", "TaskState", "items", "mapping", "number", "recorded_costs", "task_shape"]

Payload = Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class Finalist:
    """One fully trained candidate."""

    digest: str
    architecture: str
    trained: Payload
    audited: Payload | None = None
    outcome: str = ""  # `admitted` or `refused`, by constraint gate and audits
    reviews: list[Event] = field(default_factory=list)  # what people decided, oldest first

    @property
    def standing(self) -> str:
        """`admitted` or `refused`, after what people decided."""
        return str(self.reviews[-1].payload["standing"]) if self.reviews else self.outcome


@dataclass(slots=True, kw_only=True)
class TaskState:
    """Where one task of a run stands.

    Attributes:
        first: number of the event that started it.
    """

    index: int
    name: str
    first: int
    started: Payload
    supernet: Payload | None = None
    evaluations: list[Payload] = field(default_factory=list)
    certificates: dict[str, str] = field(default_factory=dict)  # by spelled architecture
    rejected: list[Payload] = field(default_factory=list)
    filtered: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    exhausted: bool = False
    finalists: list[Finalist] = field(default_factory=list)
    tabulated: list[Payload] = field(default_factory=list)
    compared: Payload | None = None
    finished: Payload | None = None
    _description: str = field(default="", repr=False)
    _trials: list[Trial] = field(default_factory=list, repr=False)  # of the first evaluations; made when asked for

    @property
    def trials(self) -> list[Trial]:
        """The evaluations as strategies read them."""
        for payload in self.evaluations[len(self._trials) :]:
            score = payload.get("value", payload["score"])  # what the objective makes of it, where there is one
            try:
                trial = Trial(
                    architecture=parse_architecture(str(payload["architecture"])),
                    score=None if score is None else number(score),
                    fidelity=str(payload["fidelity"]),
                    objectives=tuple(map(number, items(payload.get("objectives", [])))),
                )
            except (ValueError, TypeError) as error:
                place = f"evaluation {len(self._trials) + 1} of task {self.name} (its events begin at {self.first})"
                raise LedgerError(f"{place} cannot be read: {error}") from error
            self._trials.append(trial)
        return self._trials

    @property
    def description(self) -> str:
        """The task's description as JSON text; one string for all tasks that are described alike."""
        if not self._description:
            self._description = sys.intern(canonical_json(self.started["description"]))
        return self._description

    @property
    def tabular(self) -> bool:
        """Whether its scores are looked up in a table."""
        return "table" in self.started

    def finalist(self, digest: str) -> Finalist:
        """The finalist of that digest.

        Raises:
            LookupError: there is none.
        """
        for finalist in self.finalists:
            if finalist.digest == digest:
                return finalist
        raise LookupError(f"no network {digest[:12]} was trained on task {self.name}")

    @property
    def accuracies(self) -> list[float | None]:
        """Of each trial its validation accuracy, whatever an objective makes of it; None where it failed."""
        scores = (payload["score"] for payload in self.evaluations)
        return [None if score is None else number(score) for score in scores]

    def admitted(self) -> list[Finalist]:
        """Finalists that the gate let in and no person has revoked, best validation accuracy first."""
        inside = [finalist for finalist in self.finalists if finalist.outcome == finalist.standing == "admitted"]
        return sorted(inside, key=lambda finalist: -number(finalist.trained["validation"]))

    def apply(self, event: Event) -> None:
        """Fold in one event of this task; kinds that say nothing of it are passed over."""
        payload = event.payload
        if event.kind == "certified":
            self.certificates[str(payload["architecture"])] = str(payload["certificate"])
        elif event.kind in ("rejected", "quarantined"):
            self.rejected.append(payload)
        elif event.kind == "supernet.trained":
            self.supernet = payload
        elif event.kind == "filtered":
            self.rounds += 1
            self.exhausted = bool(payload["exhausted"])
            self.filtered.update({rule: int(number(count)) for rule, count in mapping(payload["rules"]).items()})
        elif event.kind == "evaluated":
            self.evaluations.append(payload)
        elif event.kind == "trained":
            self.finalists.append(
                Finalist(digest=str(payload["digest"]), architecture=str(payload["architecture"]), trained=payload)
            )
        elif event.kind == "audited":
            self.finalist(str(payload["digest"])).audited = payload
        elif event.kind in ("admitted", "refused"):
            self.finalist(str(payload["digest"])).outcome = event.kind
        elif event.kind == "tabulated":
            self.tabulated.append(payload)
        elif event.kind == "compared":
            self.compared = payload
        elif event.kind == "task.finished":
            self.finished = payload


def number(value: Json) -> float:
    """A payload's number."""
    return float(cast(float, value))


def recorded_costs(evaluated: Payload) -> dict[str, float]:
    """The costs that an `evaluated` event records; none where its stream has no objective."""
    return {name: number(value) for name, value in mapping(evaluated.get("costs", {})).items()}


def mapping(value: Json) -> dict[str, Json]:
    """A payload's object."""
    return cast(dict[str, Json], value)


def items(value: Json) -> list[Json]:
    """A payload's list."""
    return cast(list[Json], value)


def task_shape(started: Payload) -> TaskShape:
    """The shape that a `task.started` event records."""
    recorded = mapping(started["shape"])
    return TaskShape(
        channels=int(number(recorded["channels"])),
        size=tuple(int(number(side)) for side in items(recorded["size"])),
        classes=int(number(recorded["classes"])),
    )
