"""What tasks of a life gave to later ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.state.state import RunState, TaskState

__all__ = ["Transfer", "transfers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What one task gave to another.

    Attributes:
        giver, taker: indexes into `Evidence.tasks`.
        count: recalled architectures that were evaluated.
        rank: of the best of them among the taker's evaluations, from 1.
        score: of that one; None when it failed.
    """

    giver: int
    taker: int
    count: int
    rank: int
    score: float | None


def transfers(tasks: Sequence[tuple[RunState, TaskState]]) -> Iterator[Transfer]:
    """Between every two tasks of a life, given in order, of which one recalled from the other."""
    places = {(run.number, task.name): place for place, (run, task) in enumerate(tasks)}
    for taker, (_, task) in enumerate(tasks):
        trials = task.trials
        order = sorted(range(len(trials)), key=lambda index: (-trials[index].value, index))
        ranks = {str(trials[index].architecture): rank for rank, index in enumerate(order, start=1)}
        scores = {str(trial.architecture): trial.score for trial in trials}
        given: dict[int, list[str]] = {}
        for recalled in task.started.recalled:
            giver = places.get((recalled.from_run, recalled.from_task))
            if giver is not None and recalled.architecture in ranks:
                given.setdefault(giver, []).append(recalled.architecture)
        for giver, names in sorted(given.items()):
            best = min(names, key=lambda name: ranks[name])
            yield Transfer(giver=giver, taker=taker, count=len(names), rank=ranks[best], score=scores[best])
