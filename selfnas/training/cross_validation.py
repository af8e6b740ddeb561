"""Scores of small data: every example is held out in turn, so that a score does not hang on a few validation examples.

The folds of a task are the same for every network, so that what is hard in them is hard for all. Held-out answers of a
repeat are put together before they are scored: each example counts once, whatever its fold.

The same folds give answers to every example by a network that had not seen it (*cross-fitting*, Chernozhukov et al.
2018, Econometrics Journal 21): how good networks of one making are, where few examples can be kept aside.

Source: Stone 1974; stratified folds, Kohavi 1995 (IJCAI).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas import seeding
from selfnas.data.targets import Target, Targets
from selfnas.training.evaluation import Fidelity
from selfnas.training.outputs import predict
from selfnas.training.refit import Trial, best_end, next_trial
from selfnas.training.schedule import Schedule, fit_schedule, latest_best, validated_after
from selfnas.training.training import Examples, Goal, TrainingPlan, Transfer, train

__all__ = ["CrossFit", "CrossTrained", "CrossValidated", "cross_fit", "cross_train", "cross_validate", "held_out"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidated:
    """What cross-validation gave.

    Attributes:
        failure: why a training failed; empty when none did.
        curve: at each validation the score of all held-out answers, as a mean over repeats; empty when one failed.
        repeats: the score of each repeat where the curve is best, the latest of equals; empty when one failed.
    """

    failure: str
    curve: tuple[float, ...]
    repeats: tuple[float, ...] = ()

    @property
    def best(self) -> float:
        """The best of `curve`."""
        return max(self.curve, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossFit:
    """What cross-fitting gave.

    Attributes:
        outputs: `(n, outputs)` to all examples, in their order.
        parts: which examples each network had not seen.
    """

    outputs: Tensor
    parts: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossTrained:
    """What trainings on all folds but one gave.

    Attributes:
        failure: why a training failed; empty when none did.
        curve: at each validation the score of all held-out answers, trial after trial; empty when one failed.
        best_step: how many steps of its trial had been taken at the validation that is chosen (`refit.best_end`).
        taught: whether that trial had a teacher.
        inside: number of examples that each network was trained on, at least.
        fit: held-out answers. Which validation a fold's are taken from, the other folds decide; None when one failed.
    """

    failure: str
    curve: tuple[float, ...] = ()
    best_step: int = 0
    taught: bool = False
    inside: int = 0
    fit: CrossFit | None = None

    @property
    def best(self) -> float:
        """The best of `curve`."""
        return max(self.curve, default=0.0)


def held_out(
    y: Targets, target: Target | None, *, folds: int, seed: int, groups: Sequence[str] | None = None
) -> list[Rows]:
    """Which examples each fold holds out: disjoint, all of them, in parts that are as equal as can be.

    Args:
        y: as a split holds it.
        target: what it means; classes and sets of labels are spread evenly over the folds. None is classification.
        folds: at least 2, at most as many as there are examples or groups.
        seed: decides the rest.
        groups: of each example; examples of a group are held out together, and then classes are not spread.

    Example:
        >>> [rows.tolist() for rows in held_out(np.array([0, 0, 1, 1]), None, folds=2, seed=0)]
        [[0, 3], [1, 2]]
    """
    draw, count = seeding.generator(seed, "folds"), len(y)
    kinds = np.zeros(count, dtype=np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    if groups is None and (target is None or target.kind != "regression"):
        kinds = np.unique(y, axis=0, return_inverse=True)[1].reshape(count)
    order = draw.permutation(count)
    order = order[np.argsort(kinds[order], kind="stable")]  # each kind together, within it at random
    if groups is None:
        return [np.sort(order[fold::folds]) for fold in range(folds)]
    parts: list[list[Rows]] = [[] for _ in range(folds)]
    held = [np.flatnonzero(kinds == kind) for kind in draw.permutation(int(kinds.max()) + 1)]
    for rows in sorted(held, key=len, reverse=True):
        min(parts, key=lambda part: sum(map(len, part))).append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]


def cross_validate(
    build: Callable[[int], nn.Module],
    examples: Examples,
    plan: TrainingPlan,
    fidelity: Fidelity,
    goal: Goal,
    *,
    folds: int,
    repeats: int,
    seed: int,
    split_seed: int,
    groups: Sequence[str] | None = None,
) -> CrossValidated:
    """The score of an architecture by repeated cross-validation.

    Args:
        build: a fresh network by its seed.
        examples: all that may be trained on and scored with.
        plan: how each network is trained.
        fidelity: how thoroughly; no training ends early.
        goal: what it is trained for.
        folds: see `held_out`.
        repeats: how often, each time with other folds.
        seed: of networks and trainings.
        split_seed: of the folds.
        groups: see `held_out`.
    """
    y = examples.y.cpu().numpy()
    curves = []
    for repeat in range(repeats):
        parts = held_out(y, goal.target, folds=folds, seed=seeding.derive(split_seed, repeat), groups=groups)
        seeds = [seeding.derive(seed, "fold", repeat, number) for number in range(folds)]
        schedule = fit_schedule(fidelity, len(y) - max(map(len, parts)), batch_size=plan.batch_size)
        failure, answers = _answered(build, examples, parts, seeds, plan, fidelity, goal, schedule=schedule)
        if failure:
            return CrossValidated(failure=failure, curve=())
        curves.append(_scores(examples, parts, answers, goal))
    means = [float(each) for each in np.mean(curves, axis=0)]
    place = latest_best(means)
    return CrossValidated(failure="", curve=tuple(means), repeats=tuple(curve[place] for curve in curves))


def cross_train(
    build: Callable[[int], nn.Module],
    examples: Examples,
    plan: TrainingPlan,
    trials: Sequence[Trial],
    goal: Goal,
    *,
    parts: Sequence[Rows],
    seed: int,
    transfer: Sequence[Transfer] = (),
) -> CrossTrained:
    """Train networks on all folds but one, to learn how one on all examples should be trained.

    Args:
        build: a fresh network by its seed.
        examples: all that may be trained on.
        plan: how each network is trained.
        trials: for how long and whether with a teacher, each by itself; at least one. No training ends early.
        goal: what it is trained for.
        parts: see `held_out`.
        seed: of networks and trainings.
        transfer: of each part, what a teacher says who has not seen it; needed where a trial has a teacher.
    """
    seeds = [seeding.derive(seed, "fold", number) for number in range(len(parts))]
    by_trial: dict[int, list[Tensor]] = {}
    curves: dict[int, Sequence[float]] = {}
    while (number := next_trial(trials, curves)) is not None:
        trial = trials[number]
        at = Fidelity(name="full", steps=trial.schedule.steps)
        failure, answers = _answered(
            build, examples, parts, seeds, plan, at, goal,
            schedule=trial.schedule, transfer=transfer if trial.taught else (),
        )  # fmt: skip
        if failure:
            return CrossTrained(failure=failure)
        by_trial[number], curves[number] = answers, _scores(examples, parts, answers, goal)
    together = [torch.cat(list(of_fold)) for of_fold in zip(*by_trial.values(), strict=True)]
    curve = [score for scores in curves.values() for score in scores]
    ends = [(trials[number], steps) for number in curves for steps in validated_after(trials[number].schedule)]
    chosen = []
    for place in range(len(parts)):
        others = [other for other in range(len(parts)) if other != place]
        elsewhere = _scores(examples, [parts[each] for each in others], [together[each] for each in others], goal)
        seen = len(examples) - len(parts[place])
        chosen.append(together[place][best_end(ends, elsewhere, examples=seen, counted=goal.counted)])
    best, best_step = ends[best_end(ends, curve, examples=len(examples), counted=goal.counted)]
    order = torch.from_numpy(np.argsort(np.concatenate(parts)))
    return CrossTrained(
        failure="",
        curve=tuple(curve),
        best_step=best_step,
        taught=best.taught,
        inside=len(examples) - max(map(len, parts)),
        fit=CrossFit(outputs=torch.cat(chosen).cpu()[order], parts=tuple(parts)),
    )


def _answered(
    build: Callable[[int], nn.Module],
    examples: Examples,
    parts: Sequence[Rows],
    seeds: Sequence[int],
    plan: TrainingPlan,
    fidelity: Fidelity,
    goal: Goal,
    *,
    schedule: Schedule,
    transfer: Sequence[Transfer] = (),
) -> tuple[str, list[Tensor]]:
    """Why a training failed; for each part `(validations, n, outputs)` held-out answers."""
    answers: list[Tensor] = []
    of_parts: Sequence[Transfer | None] = transfer or [None] * len(parts)
    for own, rows, lessons in zip(seeds, parts, of_parts, strict=True):
        inside = np.setdiff1d(np.arange(len(examples)), rows)
        training, validation = _chosen(examples, inside), _chosen(examples, rows)
        at = replace(schedule, per_epoch=max(1, (len(inside) + plan.batch_size // 2) // plan.batch_size))
        result = train(
            build(own), training, validation, plan, replace(fidelity, patience=0),
            seed=own, goal=goal, schedule=at, transfer=lessons,
        )  # fmt: skip
        if result.failure:
            return result.failure, []
        answers.append(torch.stack(result.outputs))
    return "", answers


def _scores(examples: Examples, parts: Sequence[Rows], answers: Sequence[Tensor], goal: Goal) -> list[float]:
    """At each validation the score of the answers to all parts together."""
    truth = _chosen(examples, np.concatenate(parts)).y
    return [goal.score(outputs, truth) for outputs in torch.cat(list(answers), 1)]


def cross_fit(
    build: Callable[[int], nn.Module],
    examples: Examples,
    plan: TrainingPlan,
    fidelity: Fidelity,
    goal: Goal,
    *,
    folds: int,
    seed: int,
    groups: Sequence[str] | None = None,
) -> CrossFit | None:
    """Train a network for each fold on all others, for as many passes as the one that they stand beside.

    Args:
        build: a fresh network by its seed.
        examples: that network's training examples.
        plan: how it was trained.
        fidelity: its number of steps; there is no early end.
        goal: what it was trained for.
        folds: how many networks; at most as many as there are examples.
        seed: of folds, networks and trainings.
        groups: of each example; those of a group are held out together.

    Returns:
        None where a training failed.
    """
    count = len(examples)
    parts = held_out(examples.y.cpu().numpy(), goal.target, folds=min(folds, count), seed=seed, groups=groups)
    outputs: list[Tensor] = []
    for number, rows in enumerate(parts):
        own, inside = seeding.derive(seed, "fold", number), np.setdiff1d(np.arange(count), rows)
        network = build(own)
        steps = max(1, round(fidelity.steps * len(inside) / count))
        shorter = replace(fidelity, steps=steps, max_steps=0)
        result = train(network, _chosen(examples, inside), None, plan, shorter, seed=own, goal=goal)
        if result.failure:
            return None
        outputs.append(predict(network, _chosen(examples, rows).x))
    order = torch.from_numpy(np.argsort(np.concatenate(parts)))
    return CrossFit(outputs=torch.cat(outputs).cpu()[order], parts=tuple(parts))


def _chosen(examples: Examples, rows: Rows) -> Examples:
    index = torch.from_numpy(rows).to(examples.x.device)
    return Examples(examples.x[index], examples.y[index])
