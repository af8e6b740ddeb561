"""Several lives side by side: what each came to on the tasks that they share, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.desk.view import Seen, View
from agent.ledger.events import UNSET, Trained
from agent.report.summary import summarise
from agent.report.task_figures import incumbent_curve
from agent.state.rivals import Gain
from agent.state.state import RunState, TaskState
from selfnas.baselines.paired import hits_from_text, paired
from selfnas.errors import SelfnasError
from selfnas.training.metrics import COUNTED, METRICS

__all__ = ["compared"]

_LEVEL = 0.99  # of a search's own best score


def compared(views: Sequence[View]) -> dict[str, Any]:
    """A column for each life, and a row for each task that some of them lived; of several runs the latest counts."""
    lives = [view.made("comparison", _life) for view in views]
    names = list(dict.fromkeys(name for life in lives for name in life))
    rows = []
    for name in names:
        cells = [life.get(name) for life in lives]
        differences = [_difference(cells[0], other) for other in cells[1:]]
        rows.append({"task": name, "cells": cells, "differences": differences})
    return {"homes": [str(view.home) for view in views], "rows": rows}


def _life(seen: Seen) -> dict[str, dict[str, Any]]:
    """By name of the task: what its latest run came to."""
    return {task.name: _task(run, task) for run, task in seen.state.readable_tasks()}


def _task(run: RunState, task: TaskState) -> dict[str, Any]:
    summary, best = summarise(task), next(iter(task.admitted()), None)
    curve = incumbent_curve(task.trials)
    to_level = None
    if len(curve) and curve[-1] == curve[-1]:
        level = _LEVEL * curve[-1] if curve[-1] > 0 else curve[-1]
        to_level = int((curve >= level).argmax()) + 1
    return {
        "run": run.number,
        "test": str(summary.test or "nothing admitted"),
        "evaluations": summary.evaluations,
        "to_level": to_level,
        "params": summary.params,
        "recalled": len(summary.recalled),
        "network": best.trained if best else None,
        "digest": task.started.task_digest,
        "metric": task.metric,
    }


def _difference(first: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Mapping[str, str] | None:
    """The first life's winner minus another's on the same test examples, and what its interval says."""
    if first is None or other is None:
        return None
    one, two = first["network"], other["network"]
    if not (isinstance(one, Trained) and isinstance(two, Trained)):
        return {"shown": "–", "verdict": "open", "why": "one of them admitted nothing"}
    if first["digest"] != other["digest"]:
        return {"shown": "–", "verdict": "open", "why": "other data or other splits"}
    if first["metric"] != COUNTED or one.test_hits is UNSET or two.test_hits is UNSET:
        return {"shown": "–", "verdict": "open", "why": "the ledger does not say which examples were right"}
    try:
        found = paired(hits_from_text(one.test_hits, one.test_count), hits_from_text(two.test_hits, two.test_count))
    except (SelfnasError, ValueError) as error:
        return {"shown": "–", "verdict": "open", "why": str(error)}
    gain = Gain(metric=METRICS[COUNTED], estimate=found.difference, limits=found.interval)
    return {"shown": str(gain), "verdict": gain.verdict, "why": ""}
