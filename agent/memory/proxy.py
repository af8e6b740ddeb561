"""The learned proxy of a life: every proxy of every candidate is recorded, and their worth is read off that record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from agent.ledger.events import UNSET
from agent.state.state import LifeState, TaskState
from selfnas.models.ranking import ProxyTrials, combined
from selfnas.training.proxies import PROXIES

__all__ = ["LEARNED", "learned_scores"]

LEARNED = "learned"
_NAMES = tuple(PROXIES)
_LOOKED_AT = 40  # the latest so many earlier tasks are read, which the archive keeps at hand
_TASKS = 30  # of these, the latest so many that had proxies teach

Scores = Mapping[str, float | None]  # by proxy; None where it is not finite


def learned_scores(state: LifeState, task: TaskState, candidates: Sequence[Scores]) -> list[float | None]:
    """What each candidate is worth by its proxies, given the trials so far; None where no proxy could be computed."""
    before = (
        other
        for run in reversed(state.runs)
        for other in reversed(run.tasks)
        if other is not task and (run.number, other.name) not in state.continued
    )
    earlier = [_trials(other) for other in islice(before, _LOOKED_AT) if other.is_readable]
    taught = [one for one in earlier if len(one.scores)][:_TASKS]
    found = combined(_matrix(candidates), _trials(task), taught[::-1])
    return [round(value, 9) if row else None for value, row in zip(found.tolist(), candidates, strict=True)]


def _trials(task: TaskState) -> ProxyTrials:
    seen = [
        (evaluated.proxies, trial.value)
        for evaluated, trial in zip(task.evaluations, task.trials, strict=True)
        if evaluated.proxies is not UNSET
    ]
    rows = [row for row, _ in seen]
    return ProxyTrials(_matrix(rows), np.array([value for _, value in seen], dtype=np.float64))


def _matrix(rows: Sequence[Scores]) -> NDArray[np.float64]:
    values = [[_or_lowest(row.get(name)) for name in _NAMES] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(_NAMES))


def _or_lowest(value: float | None) -> float:
    return -np.inf if value is None else value
