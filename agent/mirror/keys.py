"""Names of tasks that hold wherever a life is mirrored: made of its first event, so that no two lives share one."""

from __future__ import annotations

from agent.ledger.store import Ledger
from agent.state.state import LifeState, RunState, TaskState

__all__ = ["task_key", "task_keys"]


def task_key(ledger: Ledger, run: RunState, task: TaskState) -> str:
    """Names one task of one life wherever it is mirrored."""
    return f"{_life_name(ledger)}-{run.number}-{task.index}"


def task_keys(ledger: Ledger, state: LifeState) -> dict[tuple[int, str], str]:
    """The key of every task of a life, by run number and task name."""
    life = _life_name(ledger)
    return {
        (run.number, name): f"{life}-{run.number}-{index}"
        for run in state.runs
        for index, name in enumerate(run.tasks.names)
    }


def _life_name(ledger: Ledger) -> str:
    return next(ledger.events(until=0)).hash[:16]
