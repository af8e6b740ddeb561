"""Verification that fits baselines again, from the ledger's seeds and the task's own data.

What a baseline answers follows from its rows and its seed, up to what another processor makes of the same sums. So
other answers are a note, and an estimate outside the recorded interval is a problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent.ledger.events import UNSET, BaselineRecord
from agent.state.plugins import of_runs
from agent.state.recorded import recorded_spec
from agent.state.rivals import baseline_seed
from agent.state.state import LifeState, RunState, TaskState
from agent.verify.verification import Verification
from selfnas import seeding
from selfnas.baselines.comparing import BaselineResult, fit_baseline
from selfnas.baselines.paired import hits_in_text
from selfnas.data.tasks import load_task
from selfnas.errors import InputError, SelfnasError

__all__ = ["fit_again"]


def fit_again(
    state: LifeState, *, count: int, seed: int, base: Path, progress: Callable[[str], None] = lambda name: None
) -> Verification:
    """Fit a sample of the recorded baselines again.

    Args:
        count: baselines to draw, without replacement.
        seed: of the draw.
        base: directory of the stream file, where relative paths of data start.
        progress: told the baseline at hand.
    """
    known = [
        (run, task, record)
        for run, task in state.tasks()
        if task.baselined is not None
        for record in task.baselined.results
        if record.estimate is not None
    ]
    order = seeding.generator(seed, "fit again").permutation(len(known))
    result = Verification(checked=Counter())
    for index in np.sort(order[:count]):
        run, task, record = known[index]
        name = f"baseline {record.name} of task {task.name}, run {run.number}"
        progress(name)
        result.checked["baselines fitted again"] += 1
        try:
            found = _fitted(run, task, record, base)
        except (SelfnasError, OSError, ValueError) as error:
            result.problems.append(f"{name}: cannot be fitted again: {error}")
            continue
        _compare(record, found, name, result)
    return result


def _fitted(run: RunState, task: TaskState, record: BaselineRecord, base: Path) -> BaselineResult:
    seed = baseline_seed(run.started.record.seed, task.started.task_digest)
    with of_runs(run.started):
        loaded = load_task(recorded_spec(run, task), base=base)
        if loaded.digest != task.started.task_digest:
            raise InputError("the data were changed since")
        return fit_baseline(record.name, loaded, seed=seed, metric=record.metric)


def _compare(record: BaselineRecord, found: BaselineResult, name: str, result: Verification) -> None:
    """Note what differs, in sentences."""
    if found.measured is None:
        result.problems.append(f"{name}: it fails now: {found.reason}")
        return
    estimate = found.measured.estimate
    low, high = record.low, record.high
    if (low is not None and estimate < low) or (high is not None and estimate > high):
        result.problems.append(f"{name}: recorded as {record.estimate}, it now comes to {estimate}")
    elif (record.hits is not UNSET and record.hits != hits_in_text(found.hits)) or found.rows != record.rows:
        result.notes.append(f"{name}: other answers than recorded, as another processor may give")
