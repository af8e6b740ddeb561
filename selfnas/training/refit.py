"""Training once more, on training and validation examples together, for as long as earlier trainings found right.

The first training is scored on validation examples, so that it can be compared; these then need not be lost for the
network that is kept. What the second run does is fixed beforehand: one cycle of so many steps, no early end, the last
weights.

Of a small task the validation split says little about how long is right. There it is found by cross-validation, in
which every example has its say (`selfnas.training.cross_validation.cross_train`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from selfnas.training.evaluation import Fidelity
from selfnas.training.schedule import Schedule, fit_schedule

if TYPE_CHECKING:
    from selfnas.training.training import TrainingResult

__all__ = ["cross_refit_steps", "lengths_to_try", "long_enough", "refit_fidelity", "refit_steps"]

_SHORTER = (27, 9, 3, 1)  # of a table's full training: which share of it is tried
_FEWEST = 20  # steps of the shortest
_WORSE = 2  # lengths in a row that end the trials
_LEAST = 0.5  # share of the first run's schedule: a lucky early validation is no reason to train for a few steps alone


def refit_fidelity(first: TrainingResult, *, training: int, validation: int) -> Fidelity:
    """For how many steps a network is trained on all of its examples.

    As many passes as the first run took to its best validation, hence more steps by as much as there are more examples;
    at least half of the first run's schedule.

    Args:
        first: a training that did not fail.
        training: number of examples that it was trained on.
        validation: number that it was validated on.

    Example:
        >>> from selfnas.training.training import TrainingResult
        >>> first = TrainingResult(failure="", curve=(0.9,), train_loss=0.1, weights={}, best_step=300, steps=400)
        >>> refit_fidelity(first, training=70, validation=14).steps
        360
    """
    steps = refit_steps(first.best_step, first.steps, training=training, validation=validation)
    return Fidelity(name="refit", steps=steps)


def refit_steps(best: int, steps: int, *, training: int, validation: int) -> int:
    """The same from the numbers alone.

    Args:
        best: steps of the first run up to its best validation.
        steps: of its whole schedule.
        training: see `refit_fidelity`.
        validation: likewise.
    """
    return max(1, round(max(best, steps * _LEAST) * (training + validation) / training))


def lengths_to_try(full: Fidelity, examples: int, *, folds: int, batch_size: int, table: bool) -> tuple[Schedule, ...]:
    """How long networks of a small task are trained to learn which length is right, the shortest first.

    Networks for tables learn noise by heart within a few hundred steps, and weights halfway through a long schedule are
    worse than those at the end of a short one: several lengths are tried, and what counts is their end. For images and
    series examples are varied in training, and one length is tried, at whose validations the best is looked for.

    Args:
        full: what a full training is.
        examples: number of all.
        folds: of which each network sees all but one.
        batch_size: examples in a step, about.
        table: whether examples are rows of a table.

    Example:
        >>> full = Fidelity(name="full", epochs=15, steps=800)
        >>> [length.parts for length in lengths_to_try(full, 450, folds=3, batch_size=37, table=True)]
        [(30,), (89,), (267,), (800,)]
    """
    whole = fit_schedule(full, examples - math.ceil(examples / folds), batch_size=batch_size)
    if not table:
        return (whole,)
    ends = sorted({min(whole.steps, max(_FEWEST, round(whole.steps / part))) for part in _SHORTER})
    return tuple(replace(whole, parts=(steps,)) for steps in ends)


def long_enough(scores: Sequence[float]) -> bool:
    """Whether no longer length needs to be tried: the last two are worse than an earlier one, or nothing is wrong.

    Args:
        scores: of the lengths so far, the shortest first; at most 1.

    Example:
        >>> [long_enough(scores) for scores in ([0.6, 0.7, 0.65], [0.7, 0.6, 0.65], [0.9, 1.0])]
        [False, True, True]
    """
    best = max(scores)
    return best >= 1 or (len(scores) > _WORSE and all(score < best for score in scores[-_WORSE:]))


def cross_refit_steps(best: int, *, inside: int, count: int) -> int:
    """For how many steps a network is trained on all examples, where held-out answers of networks made alike decided.

    Args:
        best: steps that each of them had taken when their answers were best.
        inside: number of examples that each was trained on, at least.
        count: number of all.

    Example:
        >>> cross_refit_steps(80, inside=100, count=150)
        120
    """
    return max(1, round(best * count / inside))
