"""What became of what was mined: where sub-cells and the operators composed of them are found among evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.ledger.events import OperatorAdmitted
from agent.state.state import LifeState, RunState, TaskState
from selfnas.search.history import Trial
from selfnas.search.subcells import SubCell, contains

__all__ = ["OperatorRecord", "Use", "operator_records", "uses_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One task in which cells with it were evaluated.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRecord:
    """One judgement of an operator.

    Attributes:
        operator: as it is spelled on an edge.
        after: task and run after which it was composed.
        outcome: `admitted`, `refused` or `undecided`; `revoked` where a person took it, or its sub-cell, out of use.
        uses: tasks in which cells that carry it were evaluated; none of one that was not admitted.
    """

    space: str
    operator: str
    after: str
    outcome: str
    failed: tuple[str, ...]
    uses: tuple[Use, ...]


def uses_of(state: LifeState, sub_cell: SubCell, *, tabular: bool) -> Iterator[Use]:
    """Every task of the sub-cell's space and kind in which it was evaluated, in order."""
    space = sub_cell.space
    for run, task in state.readable_tasks():
        trials = [trial for trial in task.trials if trial.architecture.space == space]
        if trials and task.tabular == tabular:
            vectors = np.frombuffer(b"".join(trial.code for trial in trials), dtype=np.int8).reshape(len(trials), -1)
            yield from _use(run, task, trials, contains(sub_cell, space.effective(vectors)))


def operator_records(state: LifeState) -> Iterator[OperatorRecord]:
    """Every judgement of an operator in a life, in order."""
    for decided in state.operators:
        admitted = isinstance(decided, OperatorAdmitted)
        revoked = not state.revoked.keys().isdisjoint({decided.digest, decided.sub_cell})
        yield OperatorRecord(
            space=decided.space,
            operator=decided.operator,
            after=f"{decided.task}, run {decided.run}",
            outcome="revoked" if admitted and revoked else decided.kind.removeprefix("operator."),
            failed=tuple(decided.failed),
            uses=tuple(_operator_uses(state, decided.space, decided.operator)) if admitted else (),
        )


def _operator_uses(state: LifeState, space: str, operator: str) -> Iterator[Use]:
    """Tasks in which an edge of an evaluated cell of that space, widened or not, is the operator."""
    for run, task in state.readable_tasks():
        carried = [
            architecture.space.base == space
            and any(edge.operation == operator for cell in architecture.cells for edge in cell.edges)
            for architecture in (trial.architecture for trial in task.trials)
        ]
        yield from _use(run, task, task.trials, np.array(carried, dtype=bool))


def _use(run: RunState, task: TaskState, trials: Sequence[Trial], held: NDArray[np.bool_]) -> Iterator[Use]:
    """The task's use, if any of its `(n,)` trials holds it."""
    places = np.flatnonzero(held[np.argsort([-trial.value for trial in trials], kind="stable")])
    if len(places):
        yield Use(
            run=run.number, task=task.name, holding=len(places), evaluated=len(trials), best_rank=int(places[0]) + 1
        )
