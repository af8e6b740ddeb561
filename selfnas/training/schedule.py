"""How a fidelity becomes optimiser steps on so many examples: batches, warm-up, annealing, and when to validate.

One cycle: the learning rate rises linearly, then falls along a half cosine to zero at the very last step. Source of the
cycle: Smith, Topin 2019; of the cosine: Loshchilov, Hutter 2017 (ICLR).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from selfnas.training.evaluation import Fidelity

__all__ = [
    "MOST_VALIDATIONS",
    "Schedule",
    "apart_by_chance",
    "batch_size_for",
    "fit_schedule",
    "latest_best",
    "latest_near",
    "patience_in",
    "validated_after",
]

MOST_VALIDATIONS = 20  # in one training, so that long ones on few examples do not spend their time on validating
_FEWEST_VALIDATIONS = 4  # where a training is not made of whole epochs
_BETWEEN = 25  # steps between two of them there, at least
_SMALLEST_BATCH = 16
_EACH_EPOCH = 8  # steps that an epoch of a small set is cut into, as far as the batches stay large enough
_ERRORS = 1.5  # standard errors by which accuracies differ by chance
_APART = 0.01  # between scores that are told apart, where nothing is known of their noise
_WARM_UP = 10  # one in so many steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The steps of one training.

    Attributes:
        per_epoch: steps in one pass over the examples.
        parts: steps between validations; their sum is the number of steps.
    """

    per_epoch: int
    parts: tuple[int, ...]

    @property
    def steps(self) -> int:
        """In the whole training."""
        return sum(self.parts)

    @property
    def warm_up(self) -> int:
        """Steps during which the learning rate rises."""
        return max(1, self.steps // _WARM_UP)

    def factor(self, step: int) -> float:
        """Share of the peak learning rate in a step, from 0.

        Example:
            >>> schedule = Schedule(per_epoch=5, parts=(5, 5, 5, 5))
            >>> [round(schedule.factor(step), 2) for step in (0, 1, 2, 11, 20)]
            [0.5, 1.0, 1.0, 0.5, 0.0]
        """
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - self.warm_up) / max(1, self.steps - self.warm_up)))


def batch_size_for(examples: int, most: int) -> int:
    """Examples in a step: fewer than `most` where an epoch would have less than eight steps, at least 16.

    Example:
        >>> batch_size_for(30, 64), batch_size_for(300, 64), batch_size_for(3000, 64)
        (16, 37, 64)
    """
    return min(most, max(_SMALLEST_BATCH, examples // _EACH_EPOCH))


def validated_after(schedule: Schedule) -> list[int]:
    """How many steps have been taken at each validation.

    Example:
        >>> validated_after(Schedule(per_epoch=5, parts=(5, 5, 4)))
        [5, 10, 14]
    """
    return list(itertools.accumulate(schedule.parts))


def latest_best(scores: Sequence[float]) -> int:
    """Place of the best score, the latest of equals.

    Example:
        >>> latest_best([0.5, 0.7, 0.7, 0.6])
        2
    """
    return len(scores) - 1 - list(reversed(scores)).index(max(scores))


def latest_near(scores: Sequence[float], *, examples: int, counted: bool) -> int:
    """Place of the latest score that chance does not tell from the best: the earliest of equals is best by luck.

    Args:
        scores: at the validations of one training.
        examples: that each is made on.
        counted: whether scores are accuracies, whose standard error is known; others are told apart from 0.01 on.

    Example:
        >>> latest_near([0.5, 0.96, 0.93, 0.94], examples=50, counted=True)
        3
        >>> latest_near([0.5, 0.96, 0.93, 0.94], examples=50, counted=False)
        1
    """
    best = max(scores)
    apart = apart_by_chance(best, examples=examples, counted=counted)
    return max(place for place, score in enumerate(scores) if score >= best - apart)


def apart_by_chance(score: float, *, examples: int, counted: bool) -> float:
    """By how much another score may differ by chance alone; the arguments are those of `latest_near`.

    Example:
        >>> round(apart_by_chance(0.8, examples=100, counted=True), 6)
        0.06
    """
    error = math.sqrt(max(0.0, score * (1 - score)) / examples)
    return max(1 / examples, _ERRORS * error) if counted else _APART


def patience_in(fidelity: Fidelity, schedule: Schedule) -> int:
    """Validations that patience lasts for: the same share of a training that a floor made longer, never fewer.

    Example:
        >>> full = Fidelity(name="full", epochs=15, steps=800, patience=6)
        >>> patience_in(full, fit_schedule(full, 30, batch_size=16))
        8
    """
    share = fidelity.patience * len(schedule.parts) / fidelity.epochs if fidelity.epochs else 0
    return max(fidelity.patience, math.ceil(share))


def fit_schedule(fidelity: Fidelity, examples: int, *, batch_size: int) -> Schedule:
    """The schedule of a fidelity on so many training examples, after its fraction is taken.

    Args:
        fidelity: epochs, and least and most steps.
        examples: that an epoch passes over.
        batch_size: examples in a step, about.

    Example:
        >>> fit_schedule(Fidelity(name="low", epochs=3, steps=120), 30, batch_size=64).steps
        120
        >>> fit_schedule(Fidelity(name="low", epochs=3, steps=120), 6400, batch_size=64).parts
        (100, 100, 100)
    """
    # A last batch of one example would break batch norm: it joins the one before.
    per_epoch = max(1, (examples + batch_size // 2) // batch_size)
    whole = fidelity.epochs * per_epoch
    steps = max(whole, fidelity.steps)
    steps = min(steps, fidelity.max_steps) if fidelity.max_steps else steps
    if steps == whole and fidelity.epochs <= MOST_VALIDATIONS:
        return Schedule(per_epoch=per_epoch, parts=(per_epoch,) * fidelity.epochs)
    seldom = max(_FEWEST_VALIDATIONS, min(steps // per_epoch, steps // _BETWEEN))
    count = min(MOST_VALIDATIONS, seldom, steps)
    ends = [steps * (place + 1) // count for place in range(count)]
    parts = (end - begin for begin, end in zip([0, *ends], ends, strict=False))
    return Schedule(per_epoch=per_epoch, parts=tuple(parts))
