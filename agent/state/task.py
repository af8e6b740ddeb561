"""Where one task of a run stands, folded from the events that are its own."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

from agent.ledger import events
from selfnas.data.targets import TARGET_KINDS, TargetKind
from selfnas.digests import canonical_json
from selfnas.plugins import MissingPluginError
from selfnas.search.history import Trial
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import parse_architecture

__all__ = ["Finalist", "TaskState"]


@dataclass(slots=True, kw_only=True)
class Finalist:
    """One fully trained candidate."""

    trained: events.Trained
    audited: events.Audited | None = None
    outcome: events.Standing | None = None  # by constraint gate and audits
    event: int | None = None  # number of the event that says so, where that is known
    reviews: list[events.Event[events.Reviewed]] = field(default_factory=list)  # what people decided, oldest first

    @property
    def digest(self) -> str:
        """SHA-256 of its architecture."""
        return self.trained.digest

    @property
    def architecture(self) -> str:
        """As text."""
        return self.trained.architecture

    @property
    def heard(self) -> bool:
        """Whether its audits looked at the audit split: not where training failed, or they broke off."""
        return self.audited is not None and bool(self.audited.findings)

    @property
    def standing(self) -> events.Standing | None:
        """After what people decided; None as long as it is not decided about."""
        return self.reviews[-1].facts.standing if self.reviews else self.outcome

    @property
    def latest(self) -> int | None:
        """Number of the last event by which gate, audits or people decided about it."""
        return self.reviews[-1].seq if self.reviews else self.event


@dataclass(slots=True, kw_only=True)
class TaskState:
    """Where one task of a run stands.

    Attributes:
        first: number of the event that started it.
        before: the same task in the run that this one goes on with; what it evaluated stands first in `evaluations`.
    """

    index: int
    name: str
    first: int
    started: events.TaskStarted
    before: TaskState | None = None
    supernet: events.SupernetTrained | None = None
    evaluations: list[events.Evaluated] = field(default_factory=list)
    certificates: dict[str, str] = field(default_factory=dict)  # by spelled architecture
    rejected: list[events.Rejected | events.Quarantined] = field(default_factory=list)
    filtered: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    exhausted: bool = False
    agreements: list[events.Agreement] = field(default_factory=list)
    finalists: list[Finalist] = field(default_factory=list)
    tabulated: list[events.Tabulated] = field(default_factory=list)
    compared: events.Compared | None = None
    baselined: events.Baselined | None = None
    finished: events.TaskFinished | None = None
    _description: str = field(default="", repr=False)
    _trials: list[Trial] = field(default_factory=list, repr=False)  # of the first evaluations; made when asked for

    @staticmethod
    def begun(started: events.TaskStarted, *, index: int, first: int, before: TaskState | None) -> TaskState:
        """As it begins: with nothing, or with all that was proposed, certified and scored in an earlier run."""
        task = TaskState(index=index, name=started.task, first=first, started=started, before=before)
        if before is not None:
            task.supernet, task.rounds, task.exhausted = before.supernet, before.rounds, before.exhausted
            task.evaluations, task.rejected = list(before.evaluations), list(before.rejected)
            task.agreements = list(before.agreements)
            task.certificates = dict(before.certificates)
        return task

    @property
    def own_evaluations(self) -> list[events.Evaluated]:
        """Without those of the task that it goes on with."""
        return self.evaluations[len(self.before.evaluations) if self.before else 0 :]

    @property
    def fully_trained(self) -> set[str]:
        """Digests of what was trained or looked up in full, with those of the task that it goes on with."""
        own = {one.digest for one in self.finalists} | {told.digest for told in self.tabulated}
        return own | (self.before.fully_trained if self.before else set())

    @property
    def audited(self) -> int:
        """How many networks were audited on its audit split, without those of the task that it goes on with."""
        return sum(finalist.heard for finalist in self.finalists)

    @property
    def trials(self) -> list[Trial]:
        """The evaluations as strategies read them."""
        for evaluated in self.evaluations[len(self._trials) :]:
            worth = evaluated.worth
            try:
                trial = Trial(
                    architecture=parse_architecture(evaluated.architecture),
                    score=None if worth is None else float(worth),
                    fidelity=evaluated.fidelity,
                    objectives=() if evaluated.objectives is events.UNSET else tuple(map(float, evaluated.objectives)),
                )
            except ValueError as error:
                place = f"evaluation {len(self._trials) + 1} of task {self.name} (its events begin at {self.first})"
                raise events.LedgerError(f"{place} cannot be read: {error}") from error
            self._trials.append(trial)
        return self._trials

    @property
    def is_readable(self) -> bool:
        """Whether its architectures can be read: not where they are in a space of a plug-in that is not here."""
        try:
            return self.trials is not None
        except MissingPluginError:
            return False

    @property
    def description(self) -> str:
        """The task's description as JSON text; one string for all tasks that are described alike."""
        if not self._description:
            self._description = sys.intern(canonical_json(self.started.description))
        return self._description

    @property
    def tabular(self) -> bool:
        """Whether its scores are looked up in a table."""
        return self.started.table is not events.UNSET

    @property
    def kind(self) -> TargetKind:
        """What is asked of its examples.

        Raises:
            LedgerError: none of what there is.
        """
        told = self.started.target
        if told is events.UNSET:
            return "classification"
        for known in TARGET_KINDS:
            if told == known:
                return known
        raise events.LedgerError(f"task {self.name} has target {told!r}: need one of {', '.join(TARGET_KINDS)}")

    @property
    def metric(self) -> str:
        """Name of what scores and tests are measured by."""
        return "accuracy" if self.started.metric is events.UNSET else self.started.metric

    @property
    def shape(self) -> TaskShape:
        """The shape of its examples."""
        return self.started.shape.task_shape

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
        return [evaluated.score for evaluated in self.evaluations]

    def admitted(self) -> list[Finalist]:
        """Finalists that the gate let in and no person has revoked, best validation accuracy first."""
        inside = [
            finalist for finalist in self.finalists if finalist.outcome == finalist.standing == events.Standing.ADMITTED
        ]
        return sorted(inside, key=lambda finalist: -finalist.trained.validation)

    def best(self) -> Finalist | None:
        """The best that was admitted; where nothing was, the best of those that were trained to the end."""
        trained = [finalist for finalist in self.finalists if not finalist.trained.reason]
        inside = self.admitted()
        return inside[0] if inside else max(trained, key=lambda finalist: finalist.trained.validation, default=None)

    def apply(self, facts: events.Facts, *, seq: int | None = None) -> None:
        """Fold in what an event of this task says; kinds that say nothing of it are passed over.

        Args:
            facts: of the event.
            seq: its number, where it has one already.
        """
        match facts:
            case events.Certified():
                self.certificates[facts.architecture] = facts.certificate
            case events.Rejected() | events.Quarantined():
                self.rejected.append(facts)
            case events.SupernetTrained():
                self.supernet = facts
            case events.Filtered():
                self.rounds += 1
                self.exhausted = facts.exhausted
                self.filtered.update(facts.rules)
                if facts.agreement is not events.UNSET:
                    self.agreements.append(facts.agreement)
            case events.Evaluated():
                self.evaluations.append(facts)
            case events.Trained():
                self.finalists.append(Finalist(trained=facts))
            case events.Audited():
                self.finalist(facts.digest).audited = facts
            case events.Admitted() | events.Refused():
                admitted = isinstance(facts, events.Admitted)
                finalist = self.finalist(facts.digest)
                finalist.outcome = events.Standing.ADMITTED if admitted else events.Standing.REFUSED
                finalist.event = seq
            case events.Tabulated():
                self.tabulated.append(facts)
            case events.Compared():
                self.compared = facts
            case events.Baselined():
                self.baselined = facts
            case events.TaskFinished():
                self.finished = facts
