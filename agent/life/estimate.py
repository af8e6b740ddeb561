"""What a task will cost and what its scores can tell apart, before anything is trained; for people, never recorded."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from agent.life.context import Prepared, PreparedTask
from agent.stream.file import Stream
from agent.stream.training import CrossValidationSection
from agent.workers.delivered import VALIDATED
from selfnas import seeding
from selfnas.training.evaluation import Fidelity
from selfnas.training.metrics import COUNTED
from selfnas.training.refit import trials_of
from selfnas.training.schedule import Schedule, batch_size_for, fit_schedule

__all__ = ["TaskEstimate", "estimates"]

_TIMED = 3  # steps, after one that warms up
_BESIDE = 1.5  # for the optimiser, augmentation and averages
_SHARE = 0.8  # accuracy at which the half-width is told


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEstimate:
    """What one score and one full training of a task take on this machine, about.

    Attributes:
        task: its name.
        score_steps: optimiser steps of a score.
        score_seconds: processor time of a score.
        full_steps: of a full training, with its second training on all examples.
        full_seconds: processor time of it, audits left out.
        held_out: examples that a score is counted on.
        repeats: how often, with other parts held out; 0 where it is the validation split.
        half_width: of the 95 % interval of an accuracy of 80 % on so many examples; 0 where scores are no accuracies.
    """

    task: str
    score_steps: int
    score_seconds: float
    full_steps: int
    full_seconds: float
    held_out: int
    repeats: int
    half_width: float

    def __str__(self) -> str:
        often = f", each {self.repeats} times" if self.repeats else ""
        apart = f" (±{100 * self.half_width:.1f} points at 80 % accuracy)" if self.half_width else ""
        return (
            f"{self.task}: a score takes {self.score_steps:,} steps, about {_duration(self.score_seconds)}, and is "
            f"made on {self.held_out:,} held-out examples{often}{apart}; a full training takes {self.full_steps:,} "
            f"steps, about {_duration(self.full_seconds)}"
        )


def estimates(prepared: Prepared) -> list[TaskEstimate]:
    """Of every task that is trained on, in order. One network of each shape is trained for a few steps to time them."""
    seconds: dict[tuple[object, int], float] = {}
    return [_estimate(prepared, task, seconds) for task in prepared.tasks if task.sizes]


def _estimate(prepared: Prepared, task: PreparedTask, seconds: dict[tuple[object, int], float]) -> TaskEstimate:
    stream, training, validation = prepared.stream, task.sizes["train"], task.sizes["validation"]
    most = stream.training.batch_size
    small, batch = stream.cross_validation or CrossValidationSection(), batch_size_for(training, most)
    crossed = training + validation < small.below
    low, full = stream.low.fidelity("low"), stream.full.fidelity("full")
    inside = training + validation - math.ceil((training + validation) / small.folds) if crossed else training
    score = fit_schedule(low, max(2, round(inside * low.fraction)), batch_size=batch)
    trainings = small.folds * small.repeats if crossed else 1
    whole = fit_schedule(full, max(2, round(training * full.fraction)), batch_size=batch)
    again = round(whole.steps * (training + validation) / training) if stream.refit is not False else 0
    lengths = _lengths(stream, small, full, task, batch=batch) if stream.refit is not False else []
    steps_in_full = sum(lengths) + again if lengths else whole.steps + again
    held = training + validation if crossed else min(validation, VALIDATED["low"])
    key = (task.shape, batch)
    if key not in seconds:
        seconds[key] = _seconds_of_a_step(prepared, task, batch)
    step = seconds[key]
    return TaskEstimate(
        task=task.spec.name,
        score_steps=trainings * score.steps,
        score_seconds=trainings * score.steps * step
        + _validating(score, held * max(1, trainings // small.folds), batch, step),
        full_steps=steps_in_full,
        full_seconds=steps_in_full * step + _validating(whole, min(validation, VALIDATED["full"]), batch, step),
        held_out=held,
        repeats=small.repeats if crossed else 0,
        half_width=1.96 * math.sqrt(_SHARE * (1 - _SHARE) / held) if task.metric == COUNTED else 0.0,
    )


def _lengths(
    stream: Stream, small: CrossValidationSection, full: Fidelity, task: PreparedTask, *, batch: int
) -> list[int]:
    """Steps of the trainings that tell how long a full one is to be; none where the validation split does."""
    table, count = not task.shape.size, task.sizes["train"] + task.sizes["validation"]
    folds = small.folds_in_full(count, table=table)
    if not folds:
        return []
    numbers = task.kind == "regression"
    teacher = stream.training.distils and (table or (len(task.shape.size) == 1 and task.kind == "classification"))
    trials = trials_of(
        full, count, folds=folds, batch_size=batch, table=table, teacher=teacher, numbers=numbers, beyond=False
    )
    return [folds * trial.schedule.steps for trial in trials]


def _validating(schedule: Schedule, examples: int, batch: int, step: float) -> float:
    """Seconds: an answer takes about a third of a step's time for an example."""
    return len(schedule.parts) * examples / batch * step / 3


def _seconds_of_a_step(prepared: Prepared, task: PreparedTask, batch: int) -> float:
    """Processor time of one step of a random admitted network; the global generator is left as it was."""
    import torch

    from selfnas.networks.network import build_network

    drawn = task.guard.draw(seeding.generator(prepared.stream.seed, "estimate", task.digest), 1)
    architecture = task.guard.space.decode(drawn[0], macro=task.choices.first)
    network = build_network(architecture, task.shape, seed=0)
    x = torch.zeros(batch, task.shape.channels, *task.shape.size)
    threads, taken = torch.get_num_threads(), []
    torch.set_num_threads(1)  # as workers have
    try:
        for _ in range(1 + _TIMED):
            begun = time.thread_time()
            network(x).sum().backward()
            taken.append(time.thread_time() - begun)
    finally:
        torch.set_num_threads(threads)
    return _BESIDE * min(taken[1:])


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
