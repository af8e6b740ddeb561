"""Training once more, on training and validation examples together, for as long as earlier trainings found right.

The first training is scored on validation examples, so that it can be compared; these then need not be lost for the
network that is kept. What the second run does is fixed beforehand: one cycle of so many steps, no early end, the last
weights.

Of a small task the validation split says little about how long is right. There it is found by cross-validation, in
which every example has its say (`selfnas.training.cross_validation.cross_train`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from selfnas.training.evaluation import Fidelity
from selfnas.training.schedule import Schedule, apart_by_chance, fit_schedule, latest_best, latest_near

if TYPE_CHECKING:
    from selfnas.training.training import TrainingResult

__all__ = [
    "Trial",
    "best_end",
    "cross_refit_steps",
    "next_trial",
    "refit_fidelity",
    "refit_steps",
    "trials_of",
    "tried",
]

_SHORTER = (27, 9, 3, 1)  # of a table's full training: which share of it is tried
_FEWEST = 20  # steps of the shortest
_LONGER = 3  # times the whole, where the whole is best
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way in which a network of a small task may be trained in full.

    Attributes:
        schedule: for how long, and when it is validated.
        taught: whether by a teacher too.
        beyond: whether it is longer than a full training, and taken only where the whole of one is best so far.
    """

    schedule: Schedule
    taught: bool = False
    beyond: bool = False


def trials_of(
    full: Fidelity,
    examples: int,
    *,
    folds: int,
    batch_size: int,
    table: bool,
    teacher: bool,
    numbers: bool = False,
    beyond: bool = True,
    alone: bool = True,
) -> tuple[Trial, ...]:
    """How networks of a small task are trained to learn which length is right, and whether a teacher helps.

    Networks for tables learn noise by heart within a few hundred steps, and weights halfway through a long schedule are
    worse than those at the end of a short one: several lengths are tried, the shortest first, and what counts is their
    end. Where the whole is best, three times as long is tried too, which clean numbers want. With a teacher a third of
    the whole is enough: longer trainings answer no better, and know their rows by heart.

    For images and series examples are varied in training, and one length is tried, without a teacher and with one where
    there is one; the latest of its validations that chance does not tell from the best counts. Where numbers are asked
    of them, three times as long is tried too.

    Args:
        full: what a full training is.
        examples: number of all.
        folds: of which each network sees all but one.
        batch_size: examples in a step, about.
        table: whether examples are rows of a table.
        teacher: whether there is one.
        numbers: whether numbers are asked for.
        beyond: whether a table may be trained for longer than the whole.
        alone: whether series that have a teacher are tried without it too; releases up to 0.1.0 did not.

    Example:
        >>> full = Fidelity(name="full", epochs=15, steps=800)
        >>> trials = trials_of(full, 450, folds=3, batch_size=37, table=True, teacher=True)
        >>> [(trial.schedule.steps, trial.taught) for trial in trials[2:]]
        [(267, False), (800, False), (2400, False), (267, True)]
    """
    whole = fit_schedule(full, examples - math.ceil(examples / folds), batch_size=batch_size)
    longer = replace(whole, parts=(_LONGER * whole.steps,))
    if not table and numbers:
        return tuple(
            Trial(schedule=length, taught=teacher) for length in (replace(whole, parts=(whole.steps,)), longer)
        )
    if not table:
        kinds = (False, True) if teacher and alone else (teacher,)
        return tuple(Trial(schedule=whole, taught=taught) for taught in kinds)
    ends = sorted({min(whole.steps, max(_FEWEST, round(whole.steps / part))) for part in _SHORTER})
    lengths = [replace(whole, parts=(steps,)) for steps in ends]
    return (
        *(Trial(schedule=length) for length in lengths),
        *(Trial(schedule=each, beyond=True) for each in ((longer,) if beyond else ())),
        *(Trial(schedule=length, taught=True) for length in lengths[-2:][:1] if teacher),
    )


def next_trial(trials: Sequence[Trial], scores: Mapping[int, Sequence[float]]) -> int | None:
    """The number of the trial that comes next; None after the last.

    A longer one is not needed where the last two of its kind are worse than one before, nor one beyond the whole where
    the last is not the best, nor any where nothing is wrong.

    Args:
        trials: in their order.
        scores: by number of a trial, of those so far; at most 1.

    Example:
        >>> schedule = Schedule(per_epoch=1, parts=(1,))
        >>> trials = [Trial(schedule=schedule, taught=taught) for taught in (False,) * 4 + (True,)]
        >>> next_trial(trials, {0: [0.7], 1: [0.6], 2: [0.65]}), next_trial(trials, {0: [0.9], 1: [1.0]})
        (4, None)
    """
    if any(max(each) >= 1 for each in scores.values()):
        return None
    done = max(scores, default=-1)
    for number in range(done + 1, len(trials)):
        same = [max(each) for other, each in scores.items() if trials[other].taught == trials[number].taught]
        patience = 1 if trials[number].beyond else _WORSE
        if len(same) <= patience or any(score >= max(same) for score in same[-patience:]):
            return number
    return None


def best_end(ends: Sequence[tuple[Trial, int]], curve: Sequence[float], *, examples: int, counted: bool) -> int:
    """Place of the validation that says how a network on all examples is trained.

    Of trials with several validations it is the latest that chance does not tell from the best; of trials with one each
    it is the best, the latest of equals. It is one without a teacher, unless the best with a teacher is as good: a
    teacher steadies what chance makes of few examples, so it need not be better. A third of what chance may do is its
    margin.

    Args:
        ends: of each point of the curve the trial and its steps so far.
        curve: scores.
        examples: that each score is made on.
        counted: whether scores are accuracies.

    Example:
        >>> schedule = Schedule(per_epoch=1, parts=(1,))
        >>> ends = [(Trial(schedule=schedule), 1), (Trial(schedule=schedule, taught=True), 1)]
        >>> [best_end(ends, [0.8, taught], examples=400, counted=True) for taught in (0.78, 0.795)]
        [0, 1]
    """
    kinds = [[place for place, (trial, _) in enumerate(ends) if trial.taught == taught] for taught in (False, True)]
    chosen, best = list[int](), list[float]()
    for own in filter(None, kinds):
        scores = [curve[place] for place in own]
        once = all(len(ends[place][0].schedule.parts) == 1 for place in own) and len(ends) > 1
        found = latest_best(scores) if once else latest_near(scores, examples=examples, counted=counted)
        chosen.append(own[found])
        best.append(max(scores))
    margin = apart_by_chance(max(curve), examples=examples, counted=counted) / 3
    return chosen[-1] if best[-1] >= best[0] - margin else chosen[0]


def tried(trials: Sequence[Trial], curve: Sequence[float]) -> list[int] | None:
    """Numbers of the trials that a curve is of; None where it has more or fewer points than they have validations.

    Example:
        >>> schedule = Schedule(per_epoch=1, parts=(1, 1))
        >>> tried([Trial(schedule=schedule)], [0.5, 0.6]), tried([Trial(schedule=schedule)], [0.5])
        ([0], None)
    """
    scores: dict[int, Sequence[float]] = {}
    begin = 0
    while (number := next_trial(trials, scores)) is not None:
        count = len(trials[number].schedule.parts)
        scores[number] = curve[begin : begin + count]
        if len(scores[number]) < count:
            return None
        begin += count
    return list(scores) if begin == len(curve) else None


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
