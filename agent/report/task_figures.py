"""What one task of a life came to, in figures that are comparable between tasks.

Four named figures:

- *search efficiency*: evaluations in which the same task, lived without memory, reached 99 % of the best it ever
  reached, over the evaluations that this task needed for that same score. Above 1: memory saved evaluations.
- *forward transfer*: mean over evaluations of (best so far here - best so far without memory), in points of the
  score times 100.
- *adaptation latency*: evaluations, and seconds by the clock, from the task's start until 99 % of its own best.
- *architectural novelty*: share of the cells' edges in which the task's best differs from the nearest architecture
  evaluated on any task before; 0 for a repetition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.report.summary import TaskSummary, summarise
from agent.state.state import RunState, TaskState
from selfnas.search.history import Trial, best_trial

__all__ = ["Clock", "Curve", "TaskEvidence", "incumbent_curve", "task_evidence"]

LEVEL = 0.99  # of the best score: the level that efficiency and latency are measured to

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvidence:
    """One task of a life.

    Attributes:
        index: its place in the run, from 0.
        label: `name` or, when a life has several runs, `name (run)`.
        curve: `(n,)` best score so far after each evaluation; NaN while all failed.
        cold: the same without memory; None where no such task is known.
        with_memory: whether it could draw on earlier tasks.
        to_level: evaluations to 99 % of its own best.
        to_cold_level: evaluations to 99 % of what the cold search reached at its end; None when never, or no cold one.
        cold_to_level: what the cold search needed for that.
        seconds_to_level: by the clock, as `to_level`.
        seconds: from start to finish; None while unfinished.
        forward_transfer: see above; None without a cold one.
        novelty: in [0, 1]; None for the first architectures of a space.
    """

    run: int
    index: int
    label: str
    summary: TaskSummary
    curve: Curve
    cold: Curve | None
    with_memory: bool
    to_level: int | None
    to_cold_level: int | None
    cold_to_level: int | None
    seconds_to_level: float | None
    seconds: float | None
    forward_transfer: float | None
    novelty: float | None

    @property
    def efficiency(self) -> float | None:
        """Search efficiency; None without a cold search, or where its level was not reached."""
        if self.cold_to_level is None or self.to_cold_level is None:
            return None
        return self.cold_to_level / self.to_cold_level

    def figures(self) -> dict[str, float]:
        """Those of this task that are known, by name."""
        known = {
            "evaluations_to_level": self.to_level,
            "seconds_to_level": self.seconds_to_level,
            "search_efficiency": self.efficiency,
            "forward_transfer": self.forward_transfer,
            "architectural_novelty": self.novelty,
        }
        return {name: float(value) for name, value in known.items() if value is not None}


@dataclass(slots=True)
class Clock:
    """When a task began, got its scores and ended, as numbers of events."""

    started: int
    evaluated: list[int] = field(default_factory=list)
    finished: int | None = None


def task_evidence(
    run: RunState,
    task: TaskState,
    label: str,
    cold: Curve | None,
    *,
    memory: bool,
    clock: Clock,
    times: Mapping[int, float],
    known: dict[str, list[bytes]],
) -> TaskEvidence:
    """The figures of one task.

    Args:
        cold: `(n,)` the best so far of the same task without memory; None where there is none.
        memory: whether it could draw on earlier tasks.
        clock: its events.
        times: Unix seconds by event.
        known: encoded architectures evaluated before it, by space; its own are added.
    """
    trials = task.trials
    curve, best = incumbent_curve(trials), best_trial(trials)
    to_level = _evaluations_to(curve, _level(best.value)) if best else None
    cold_level = _level(float(cold[-1])) if cold is not None and np.isfinite(cold[-1]) else None
    begun = times.get(clock.started)
    at_level = times.get(clock.evaluated[to_level - 1]) if to_level else None
    ended = times.get(clock.finished) if clock.finished is not None else None
    evidence = TaskEvidence(
        run=run.number,
        index=task.index,
        label=label,
        summary=summarise(task),
        curve=curve,
        cold=cold,
        with_memory=memory,
        to_level=to_level,
        to_cold_level=_evaluations_to(curve, cold_level) if cold_level is not None else None,
        cold_to_level=_evaluations_to(cold, cold_level) if cold is not None and cold_level is not None else None,
        seconds_to_level=at_level - begun if at_level is not None and begun is not None and at_level >= begun else None,
        seconds=ended - begun if ended is not None and begun is not None and ended >= begun else None,
        forward_transfer=_forward_transfer(curve, cold),
        novelty=_novelty(best, known),
    )
    for trial in trials:
        known.setdefault(trial.architecture.space.name, []).append(trial.code)
    return evidence


def _forward_transfer(curve: Curve, cold: Curve | None) -> float | None:
    """Over the evaluations that both have, where both have a score."""
    if cold is None:
        return None
    shared = min(len(curve), len(cold))
    gaps = curve[:shared] - cold[:shared]
    gaps = gaps[np.isfinite(gaps)]
    return 100 * float(gaps.mean()) if len(gaps) else None


def _novelty(best: Trial | None, known: Mapping[str, list[bytes]]) -> float | None:
    if best is None or not known.get(best.architecture.space.name):
        return None
    codes = known[best.architecture.space.name]
    before = np.frombuffer(b"".join(codes), dtype=np.int8).reshape(len(codes), -1)
    own = np.frombuffer(best.code, dtype=np.int8)
    differing = (before != own).sum(axis=1).min()
    present = max(1, int((own > 0).sum()))
    return min(1.0, float(differing) / present)


def incumbent_curve(trials: Sequence[Trial]) -> Curve:
    """`(n,)` the best score so far after each trial; NaN before the first success.

    Example:
        >>> incumbent_curve([])
        array([], dtype=float64)
    """
    values = np.array([np.nan if trial.failed else trial.value for trial in trials], dtype=np.float64)
    return np.fmax.accumulate(values) if len(values) else values


def _level(best: float) -> float:
    """99 % of a score; scores below 0 (losses of some tables) are lowered by 1 % of their size likewise."""
    return best - (1 - LEVEL) * abs(best)


def _evaluations_to(curve: Curve, level: float) -> int | None:
    hits = np.flatnonzero(curve >= level)
    return int(hits[0]) + 1 if len(hits) else None
