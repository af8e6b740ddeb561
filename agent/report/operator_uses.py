"""What became of each operator that was composed of a mined sub-cell: how it was judged, and where it was used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.ledger.events import OperatorAdmitted
from agent.report.subcell_uses import Use
from agent.state.state import LifeState
from selfnas.spaces.architecture import Architecture

__all__ = ["OperatorRecord", "operator_records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRecord:
    """One judgement of an operator.

    Attributes:
        space: that it widens.
        operator: as it is spelled on an edge.
        after: task and run after which it was composed.
        outcome: `admitted`, `refused` or `undecided`; `revoked` where a person took it, or its sub-cell, out of use.
        failed: rules that refused it.
        uses: tasks in which cells that carry it were evaluated; none of one that was not admitted.
    """

    space: str
    operator: str
    after: str
    outcome: str
    failed: tuple[str, ...]
    uses: tuple[Use, ...]


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
            uses=tuple(_uses(state, decided.space, decided.operator)) if admitted else (),
        )


def _uses(state: LifeState, space: str, operator: str) -> Iterator[Use]:
    for run in state.runs:
        for task in run.tasks:
            if not task.is_readable:
                continue
            ranked = sorted(task.trials, key=lambda trial: -trial.value)
            places = [
                place for place, trial in enumerate(ranked, start=1) if _carries(trial.architecture, space, operator)
            ]
            if places:
                yield Use(
                    run=run.number, task=task.name, holding=len(places), evaluated=len(ranked), best_rank=places[0]
                )


def _carries(architecture: Architecture, space: str, operator: str) -> bool:
    """Whether it belongs to that space, widened or not, and one of its edges is the operator."""
    return architecture.space.base == space and any(
        edge.operation == operator for cell in architecture.cells for edge in cell.edges
    )
