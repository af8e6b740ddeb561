"""What verification holds a run to that gives a finished task more budget: nothing but the budget may differ."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger.events import UNSET, RunStarted, TaskStarted
from agent.state.state import LifeState

__all__ = ["continued_run", "continued_task"]

_SAME = ("constraint_set_digest", "audit_suite_digest", "device_digest", "plugins")
_TASK = ("task_digest", "shape", "guard", "space", "target", "metric")


def continued_run(state: LifeState, started: RunStarted) -> Iterator[str]:
    """Problems of a run that says that it goes on with an earlier one; `state` is of the events before."""
    number = started.continues
    if number is UNSET:
        return
    if not 1 <= number <= len(state.runs) or not state.runs[number - 1].finished:
        yield f"it goes on with run {number}, which had not ended"
        return
    run = state.runs[number - 1]
    earlier, specs = run.started, started.stream["tasks"]
    if len(specs) != 1 or specs[0] not in earlier.stream["tasks"] or specs[0]["name"] not in run.tasks.names:
        yield f"it goes on with run {number}, and its task is none of that run's"
        return
    if (number, specs[0]["name"]) in state.continued:
        yield f"it goes on with run {number}, which another run went on with already"
    mine, its = (
        {key: value for key, value in stream.items() if key not in ("tasks", "budget", "tuning")}
        for stream in (started.stream, earlier.stream)
    )
    if mine != its or started.record.tuning is not None:
        yield f"it goes on with run {number} by another stream"
    own, before = started.record.budget, earlier.record.budget
    if own.evaluations < before.evaluations or own.full_trainings < before.full_trainings or own == before:
        yield f"it goes on with run {number}, and its budget is no larger"
    for name in _SAME:
        if getattr(started, name) != getattr(earlier, name):
            yield f"it goes on with run {number}, and its {name.removesuffix('_digest').replace('_', ' ')} is another"


def continued_task(state: LifeState, started: TaskStarted) -> Iterator[str]:
    """Problems of a task that says that it goes on with an earlier one; `state` is of the events before."""
    if not state.runs:
        return  # the order of events says so
    if started.continues != state.runs[-1].started.continues:
        yield "whose task it goes on with is not what its run says"
    before = state.before(started)
    if before is None:
        return
    for name in _TASK:
        if getattr(started, name) != getattr(before.started, name):
            yield f"it goes on with run {started.continues}, and its {name.replace('_', ' ')} is another"
