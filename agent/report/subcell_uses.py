"""Where a mined sub-cell is found among what a life evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agent.state.state import LifeState
from selfnas.search.subcells import SubCell, contains

__all__ = ["Use", "uses_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One task whose evaluated cells contain it.

    Attributes:
        holding: evaluated cells that contain it.
        evaluated: all of them.
        best_rank: of the best that contains it, from 1.
    """

    run: int
    task: str
    holding: int
    evaluated: int
    best_rank: int

    def __str__(self) -> str:
        return (
            f"{self.task}, run {self.run}: in {self.holding} of {self.evaluated} evaluated cells, "
            f"the best of them ranks {self.best_rank}"
        )


def uses_of(state: LifeState, sub_cell: SubCell, *, tabular: bool) -> Iterator[Use]:
    """Every task of the sub-cell's space and kind in which it was evaluated, in order."""
    space = sub_cell.space
    for run in state.runs:
        for task in run.tasks:
            trials = [trial for trial in task.trials if trial.architecture.space == space]
            if not trials or task.tabular != tabular:
                continue
            vectors = np.frombuffer(b"".join(trial.code for trial in trials), dtype=np.int8).reshape(len(trials), -1)
            held = contains(sub_cell, space.effective(vectors))
            order = np.argsort([-trial.value for trial in trials], kind="stable")
            places = np.flatnonzero(held[order])
            if len(places):
                yield Use(
                    run=run.number,
                    task=task.name,
                    holding=int(held.sum()),
                    evaluated=len(trials),
                    best_rank=int(places[0]) + 1,
                )
