"""How thoroughly a task's candidates are scored: as the stream says, or more where repeated scores did not agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.state.agreement import LOW, RAISED
from agent.state.task import TaskState
from agent.stream.file import Stream
from selfnas.search.history import Trial
from selfnas.strategies.halving import Assignment
from selfnas.training.evaluation import Fidelity

__all__ = ["comparable", "low_fidelity", "raised_fidelity", "scored_again"]

_MORE = 2  # times as many repeats where the fidelity is raised; longer trainings did not agree better


def low_fidelity(stream: Stream, task: TaskState) -> Fidelity:
    """At which new architectures are scored now."""
    raised = any(found.raised for found in task.agreements)
    return raised_fidelity(stream) if raised else stream.low.fidelity(LOW)


def raised_fidelity(stream: Stream) -> Fidelity:
    """At which they are scored where repeated scores did not agree."""
    low = stream.low.fidelity(LOW)
    return replace(low, name=RAISED, repeats=_MORE * low.repeats)


def scored_again(task: TaskState, fidelity: Fidelity, count: int) -> list[Assignment]:
    """The better half of what was scored before the fidelity was raised, best first, as far as it was not scored since.

    Scores of different fidelities are never compared, so only what is scored again counts beside what is new.
    """
    if fidelity.name != RAISED:
        return []
    trials = task.trials
    since = {trial.digest for trial in trials if trial.fidelity == RAISED}
    before = [trial for trial in trials if trial.fidelity == LOW and not trial.failed]
    better = sorted(before, key=lambda trial: -trial.value)[: (len(before) + 1) // 2]
    left = [trial.architecture for trial in better if trial.digest not in since]
    return [Assignment(architecture=one, fidelity=fidelity) for one in left[:count]]


def comparable(trials: Sequence[Trial], fidelity: Fidelity) -> list[Trial]:
    """Trials of a fidelity; what was only tried at another follows without a score, not to recur."""
    own = [trial for trial in trials if trial.fidelity == fidelity.name]
    known = {trial.digest for trial in own}
    others = {trial.digest: trial for trial in trials if trial.digest not in known}
    return own + [replace(trial, score=None, objectives=()) for trial in others.values()]
