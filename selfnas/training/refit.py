"""Training once more, on training and validation examples together, for as long as the first training found right.

The first training is scored on validation examples, so that it can be compared; these then need not be lost for the
network that is kept. What the second run does is fixed beforehand: one cycle of so many steps, no early end, the last
weights.
"""

from __future__ import annotations

from selfnas.training.evaluation import Fidelity
from selfnas.training.training import TrainingResult

__all__ = ["refit_fidelity", "refit_steps"]

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
