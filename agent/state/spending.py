"""How often audit splits were used: the networks that were audited on them, over a whole life.

Each network that is audited on a split is one more chance that a bad one passes. Tasks that recur, and tasks that go on
in a later run, use the same split again.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.ledger.events import UNSET
from agent.state.state import RunState
from agent.state.task import TaskState
from audits.verdicts.spending import familywise_error, pays

__all__ = ["Spent", "attempt_of", "next_attempt", "spent", "spent_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was made of the audit split of a task.

    Attributes:
        attempts: networks that were audited on it, in this task and before.
        before: those of them that earlier tasks of the life audited.
        paid: whether each had to show more than the one before.
    """

    attempts: int
    before: int
    paid: bool

    @property
    def error(self) -> float:
        """Most that can be the chance, in [0, 1], that one of them passed every gate though it is bad."""
        return familywise_error(self.attempts, paid=self.paid)

    def __str__(self) -> str:
        told = "1 network" if self.attempts == 1 else f"{self.attempts} networks"
        earlier = f", {self.before} of them by earlier tasks," if self.before else ""
        level = " at the level that each had to pass" if self.paid else ""
        return (
            f"{told}{earlier} audited on one split: by chance a bad one gets past every gate with probability "
            f"{self.error:.3g} at most{level}"
        )


def next_attempt(task: TaskState) -> int:
    """Which network, from 1, the next one is that is audited on the split of a task."""
    return _before(task) + task.audited + 1


def attempt_of(task: TaskState, digest: str) -> int:
    """Which network, from 1, a finalist was on the split of its task; 1 where earlier ones were not counted.

    Raises:
        LookupError: it is none of the task's.
    """
    number = _before(task) + 1
    for finalist in task.finalists:
        if finalist.digest == digest:
            return number
        number += finalist.heard
    raise LookupError(f"no network {digest[:12]} was trained on task {task.name}")


def spent(run: RunState, task: TaskState) -> Spent | None:
    """What was made of the audit split of a task so far; None where nothing was counted or audited."""
    return _spent(run, task, _before(task) + task.audited)


def spent_at(run: RunState, task: TaskState, digest: str) -> Spent | None:
    """The same up to a finalist, which is counted; None where nothing was counted, or its audits saw nothing."""
    return _spent(run, task, attempt_of(task, digest)) if task.finalist(digest).heard else None


def _spent(run: RunState, task: TaskState, attempts: int) -> Spent | None:
    if task.started.audited_before is UNSET or not attempts:
        return None
    return Spent(attempts=attempts, before=_before(task), paid=pays(run.started.audit_suite.text))


def _before(task: TaskState) -> int:
    """Networks that earlier tasks audited on its split; none where that was not counted."""
    told = task.started.audited_before
    return 0 if told is UNSET else told
