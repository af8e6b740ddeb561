"""That nothing is left out of a task: what its budget allows was spent, and every step that must follow did."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger import events
from agent.state.agreement import RAISED
from agent.state.saturation import saturated
from agent.state.state import TaskState
from agent.stream.objective import ObjectiveSection
from agent.verify.policy import PolicyChecker
from agent.verify.tasks import TaskChecker

__all__ = ["CompletenessChecker"]

_NAMED = (
    events.SupernetTrained, events.Filtered, events.Evaluated, events.Trained, events.Audited, events.Admitted,
    events.Refused, events.Tabulated, events.Compared, events.Baselined,
    events.TaskFinished,
)  # fmt: skip


class CompletenessChecker:
    """Follows what the open task has had; `TaskChecker` says whether each of it holds.

    Args:
        tasks: sees each event before this does.
        policies: know the policy in force.
    """

    def __init__(self, tasks: TaskChecker, policies: PolicyChecker) -> None:
        self._tasks, self._policies = tasks, policies
        self._stream: events.StreamRecord | None = None
        self._objective: ObjectiveSection | None = None
        self._rungs = False  # whether the stream promotes candidates to higher fidelities
        self._tuned = False  # whether policies are tried on its tasks
        self._refused_by: set[str] = set()  # rules that some refusal of the task names
        self._open_verdicts = False  # whether some was left open, whose rules are not known
        self._evaluations: list[events.Evaluated] = []
        self._candidates: set[str] = set()  # digests that may become finalists
        self._tabulated: list[str] = []
        self._trained_before: set[str] = set()  # digests
        self._exhausted = False
        self._compared = 0

    def run_begins(self, started: events.RunStarted) -> None:
        """A run over a stream."""
        self._stream, self._rungs = started.record, started.stream.get("halving") is not None
        self._tuned = started.stream.get("tuning") is not None
        section = self._stream.objective
        self._objective = None if section is None else ObjectiveSection.model_validate(section)

    def goes_on(self, before: TaskState) -> None:
        """The task that just began goes on with a finished one: what was proposed and scored there counts."""
        self._refused_by = {rule for one in before.rejected for rule in one.failed}
        self._open_verdicts = any(isinstance(one, events.Quarantined) for one in before.rejected)
        self._evaluations, self._exhausted = list(before.evaluations), before.exhausted
        scored = (one for one in before.evaluations if one.score is not None and self._within(one))
        self._candidates, self._trained_before = {one.digest for one in scored}, before.fully_trained

    def check(self, facts: events.Facts) -> Iterator[str]:
        """Problems of one event of a task, in sentences."""
        if isinstance(facts, _NAMED) and facts.task != self._tasks.name:
            yield f"it names task {facts.task}, lived is {self._tasks.name}"
        if isinstance(facts, events.TaskStarted | events.TaskFinished) and facts.run != self._tasks.run:
            yield f"it names run {facts.run}, which is {self._tasks.run}"
        match facts:
            case events.TaskStarted():
                self._refused_by, self._open_verdicts, self._evaluations = set(), False, []
                self._candidates, self._tabulated, self._exhausted, self._compared = set(), [], False, 0
                self._trained_before = set()
            case events.Rejected() | events.Quarantined():
                self._refused_by.update(facts.failed)
                self._open_verdicts |= isinstance(facts, events.Quarantined)
            case events.Filtered():
                yield from self._round(facts)
            case events.Evaluated():
                self._evaluations.append(facts)
                if facts.origin == "promoted" and not self._rungs and facts.fidelity != RAISED:
                    yield "called promoted, and the stream has no rungs"
                if facts.score is not None and self._within(facts):
                    self._candidates.add(facts.digest)
            case events.Trained():
                if facts.digest not in self._candidates:
                    yield "trained fully, and was no candidate: it has no score at low fidelity, or exceeds a limit"
            case events.Tabulated():
                if facts.digest not in self._candidates or facts.digest in self._tabulated:
                    yield "looked up in full, and was no candidate, or was looked up before"
                self._tabulated.append(facts.digest)
            case events.Compared():
                self._compared += 1
                if self._compared > 1:
                    yield "compared a second time on this task"
            case events.TaskFinished():
                yield from self._end()

    def _within(self, evaluated: events.Evaluated) -> bool:
        """Whether its costs, which others look at, are known and exceed no limit."""
        if self._objective is None:
            return True
        costs = evaluated.costs
        return (
            costs is not events.UNSET
            and self._objective.limits.keys() <= costs.keys()
            and self._objective.within(costs)
        )

    def _round(self, filtered: events.Filtered) -> Iterator[str]:
        if self._exhausted:
            yield "another round, though nothing more could be proposed"
        self._exhausted = filtered.exhausted
        if not self._open_verdicts:
            for rule in sorted(set(filtered.rules) - self._refused_by):
                yield f"rule {rule!r} kept something out, and no refusal of this task shows an example"

    def _faultless(self) -> bool:
        """Whether scores had nothing left to tell apart, on a task whose search may end there."""
        if self._tasks.tabular or self._objective is not None or self._rungs or self._tuned:
            return False
        return saturated(self._evaluations, self._policies.present.finalists_per_task)

    def _end(self) -> Iterator[str]:
        if self._stream is None:
            yield "no run has begun whose budget it could be held to"
            return
        budget = self._stream.budget
        if len(self._evaluations) < budget.evaluations and not (self._exhausted or self._faultless()):
            yield f"it ended after {len(self._evaluations)} of {budget.evaluations} evaluations, though not exhausted"
        known = len(self._trained_before)
        most = min(budget.full_trainings - known, len(self._candidates - self._trained_before))
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
