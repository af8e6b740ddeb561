"""What a life does now, or did last: its run task by task, the present search, what waits, what the guard kept out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.desk.curve import curve
from agent.desk.spent import spent
from agent.desk.view import Seen
from agent.ledger.events import UNSET
from agent.ledger.home import is_held
from agent.ledger.pulse import Pulse, read_pulse
from agent.report.summary import score_of, shown_score
from agent.state.state import RunState, TaskState
from selfnas.training.metrics import METRICS

__all__ = ["live", "mark"]

_SHOWN = 3  # rejections that are named


def mark(home: Path, head: str) -> tuple[object, ...]:
    """What changes whenever the page would: cheap to ask, so that it can be asked each second."""
    pulse = read_pulse(home)
    return head, is_held(home), None if pulse is None else (pulse.trainings, pulse.task, round(pulse.at / 5))


def live(seen: Seen) -> dict[str, Any]:
    """All that the page shows; of a life whose run has ended it shows the last run."""
    state, home = seen.state, seen.home.root
    if not state.runs:
        return {"run": None}
    run, now = state.runs[-1], time.time()
    times = seen.times()
    held, pulse = is_held(home), read_pulse(home)
    being_lived = not run.finished and (held or (held is None and pulse is not None))
    open_task = run.tasks[-1] if len(run.tasks) else None
    last = times.get(seen.events - 1)
    return {
        "run": run.number,
        "stream": run.started.record.stream,
        "said": "being lived now" if being_lived else "finished" if run.finished else "cut off: it can go on",
        "being_lived": being_lived,
        "last": "" if last is None else _ago(now - last),
        "events": seen.events,
        "pulse": pulse if being_lived else None,
        "left": _left(seen, run, times, pulse) if being_lived else None,
        "tasks": list(_tasks(seen, run, times, being_lived=bool(being_lived))),
        "now": None if open_task is None else _task(run, open_task, pulse if being_lived else None),
        "guard": sorted(_kept_out(run).items(), key=lambda pair: -pair[1]),
        "busy": _busy(pulse) if being_lived and pulse is not None else [],
        "spent": sorted(spent(seen.kinds, times, since=run.first).items(), key=lambda pair: -pair[1]),
        "quarantined": len(state.quarantined),
        "admitted": len(state.library),
    }


def _task(run: RunState, task: TaskState, pulse: Pulse | None) -> dict[str, Any]:
    """The present or the last task: its search, and what waits in it."""
    budget = run.started.record.budget
    scores, known = task.accuracies, [score for score in task.accuracies if score is not None]
    done = max(0, pulse.trainings - len(task.own_evaluations) - len(task.finalists)) if pulse else 0
    searched = min(done, max(0, budget.evaluations - len(scores)))
    scale = 100 if _unit(task) else 1
    return {
        "name": task.name,
        "finished": task.finished is not None,
        "evaluations": len(scores),
        "budget": budget.evaluations,
        "finalists": len(task.finalists),
        "best": shown_score(task.metric, max(known)) + _unit(task) if known else "–",
        "best_at": scores.index(max(known)) + 1 if known else 0,
        "best_architecture": task.evaluations[scores.index(max(known))].architecture if known else "",
        "curve": curve(
            [score and scale * score for score in scores],
            [one.origin == "recalled" for one in task.evaluations],
            room=budget.evaluations,
        ),
        "recalled": [f"{one.from_task} (run {one.from_run})" for one in task.started.recalled],
        "under_way": searched,
        "full_under_way": done - searched,
        "rejected": [
            {"architecture": one.architecture, "failed": ", ".join(one.failed), "why": "; ".join(one.messages)}
            for one in task.rejected[-_SHOWN:]
        ],
    }


def _tasks(seen: Seen, run: RunState, times: Any, *, being_lived: bool) -> Iterator[dict[str, Any]]:
    """Each task of the run, those that are still to come too."""
    lived = list(run.tasks)
    for place, task in enumerate(lived):
        ended = lived[place + 1].first - 1 if place + 1 < len(lived) else seen.events - 1
        begun, end = times.get(task.first), times.get(ended)
        known = [score for score in task.accuracies if score is not None]
        best = task.best()
        yield {
            "name": task.name,
            "state": "finished" if task.finished else "now" if being_lived else "cut off",
            "evaluations": len(task.evaluations),
            "best": shown_score(task.metric, max(known)) + _unit(task) if known else "–",
            "finalists": f"{len(task.admitted())} of {len(task.finalists)}",
            "test": str(score_of(best.trained) or "–") if best is not None and task.admitted() else "–",
            "seconds": "–" if begun is None or end is None else _duration(end - begun),
        }
    for spec in run.started.record.tasks[len(lived) :] if run.started.continues is UNSET else ():
        yield {"name": spec.name, "state": "waits", "evaluations": 0, "best": "–", "finalists": "–", "test": "–",
               "seconds": "–"}  # fmt: skip


def _kept_out(run: RunState) -> dict[str, int]:
    found: dict[str, int] = {}
    for task in run.tasks:
        for rule, count in task.filtered.items():
            found[rule] = found.get(rule, 0) + count
    return found


def _left(seen: Seen, run: RunState, times: Any, pulse: Pulse | None) -> str | None:
    """As the life itself tells; else by the pace of the run's finished tasks."""
    if pulse is not None and pulse.left is not None:
        return _duration(max(0.0, pulse.left - (time.time() - pulse.at)))
    done = [task for task in run.tasks if task.finished is not None]
    rest = len(run.started.record.tasks) - len(done)
    begun, last = times.get(run.first), times.get(seen.events - 1)
    if not done or begun is None or last is None:
        return None
    return _duration((last - begun) / len(done) * rest)


def _busy(pulse: Pulse) -> list[tuple[str, float]]:
    """Shares of what the workers could have done, in per cent."""
    whole = max(1e-9, (pulse.at - pulse.since) * pulse.workers)
    return [(name, min(100.0, 100 * seconds / whole)) for name, seconds in pulse.busy.items()]


def _unit(task: TaskState) -> str:
    return " %" if task.metric in METRICS and METRICS[task.metric].unit == "share" else ""


def _ago(seconds: float) -> str:
    return "just now" if seconds < 2 else f"{_duration(seconds)} ago"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"
