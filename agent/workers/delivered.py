"""From a job to the network that is kept: trained, scored on examples that it was not taught, trained once more on all.

A task of many examples is scored on its validation split, and how long the second training is follows from the first.
Of a small task both follow from cross-validation: each example is answered by networks that had not seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.workers.jobs import FullJob, LowJob, RefitAnswer
from agent.workers.kept import kept

if TYPE_CHECKING:
    from torch import Tensor

    from selfnas.baselines.distillation import Lessons
    from selfnas.data.tasks import Task
    from selfnas.networks.network import Network
    from selfnas.training.cross_validation import CrossFit, CrossTrained
    from selfnas.training.training import Examples, TrainingResult, Transfer

__all__ = ["VALIDATED", "Delivered", "build", "delivered", "groups_of", "trained_once"]

_TOLD: dict[tuple[object, ...], Lessons | None] = {}  # what teachers say of the task of the latest job
VALIDATED = {"low": 2_000, "full": 5_000}  # validation examples, at most: scores are then exact to a point or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a full training gave.

    Attributes:
        failure: why there is no network; empty when there is one.
        score: on examples that networks were not taught; None when there is no network.
        curve: of such scores.
        network: that is kept, in evaluation mode; None when there is none.
        weights: its state.
        refit: how it was trained, if on training and validation examples together.
        inherited: share of its numbers that were taken over; None where none were to be.
        steps: that a network on its training examples is trained for, when answers of others are asked for.
        fit: such answers, where they are at hand.
    """

    failure: str = ""
    score: float | None = None
    curve: tuple[float, ...] = ()
    network: Network | None = None
    weights: Mapping[str, Tensor] | None = None
    refit: RefitAnswer | None = None
    inherited: float | None = None
    steps: int = 0
    fit: CrossFit | None = None


def delivered(job: FullJob, task: Task) -> Delivered:
    """The network of a full job."""
    count, folds = len(task.train) + len(task.validation), 0
    if job.refit and not job.inherit:  # inherited weights may have seen what is held out
        folds = job.cross_validation.folds_in_full(count, table=not task.shape.size)
    if folds:
        return _by_folds(job, task, folds)
    first, network, inherited = trained_once(job, task)
    if first.failure:
        return Delivered(failure=first.failure, curve=first.curve, inherited=inherited)
    found = Delivered(score=first.best, curve=first.curve, inherited=inherited)
    if job.refit and (again := _trained_again(job, task, first)) is not None:
        return replace(again, score=found.score, curve=found.curve, inherited=inherited)
    from selfnas.training.refit import refit_fidelity

    steps = refit_fidelity(first, training=len(task.train), validation=0).steps
    return replace(found, network=network, weights=first.weights, steps=steps)


def trained_once(job: LowJob | FullJob, task: Task) -> tuple[TrainingResult, Network, float | None]:
    """What training gave, the network, and the share of it that was inherited."""
    from selfnas.training.plans import goal_of
    from selfnas.training.training import Examples, train

    network, inherited = build(job, task, seed=job.seed)
    result = train(
        network,
        Examples.of(task.train.x, task.train.y, device=job.device),
        _validation(job, task),
        job.training.plan(task),
        job.fidelity.fidelity(job.kind),
        seed=job.seed,
        least=job.least if isinstance(job, LowJob) else (),
        goal=goal_of(task, job.metrics),
    )
    return result, network, inherited


def build(job: LowJob | FullJob, task: Task, *, seed: int) -> tuple[Network, float | None]:
    """An untrained network, and the share of it that was inherited."""
    from selfnas.networks.network import build_network, inherit
    from selfnas.spaces.named import parse_architecture

    network = build_network(parse_architecture(job.architecture), task.shape, seed=seed).to(job.device)
    source = job.inherit if isinstance(job, FullJob) else None
    return network, None if source is None else round(inherit(network, kept(Path(source))), 6)


def groups_of(task: Task, *splits: str) -> list[str] | None:
    """Of the examples of splits, in order; None where examples have none."""
    return [group for name in splits for group in task.groups[name]] if task.groups else None


def _validation(job: LowJob | FullJob, task: Task) -> Examples:
    """What a training is scored on: the validation split, or so many of it that a score takes little time."""
    import torch

    from selfnas import seeding
    from selfnas.training.training import Examples

    whole, most = Examples.of(task.validation.x, task.validation.y, device=job.device), VALIDATED[job.kind]
    if len(whole) <= most:
        return whole
    return whole.rows(
        torch.randperm(len(whole), generator=seeding.torch_generator(0, "validation", task.digest))[:most]
    )


def _by_folds(job: FullJob, task: Task, folds: int) -> Delivered:
    """Scored by cross-validation, then trained on all examples as that found right."""
    from selfnas.training.refit import cross_refit_steps

    count = len(task.train) + len(task.validation)
    crossed, lessons = _cross_trained(job, task, folds)
    if crossed.failure:
        return Delivered(failure=crossed.failure)
    steps = cross_refit_steps(crossed.best_step, inside=crossed.inside, count=count)
    teacher = lessons if crossed.taught else None
    again = _on_all(job, task, steps, transfer=None if teacher is None else teacher.whole)
    if again.failure:
        return again
    refit = RefitAnswer(
        steps=steps,
        examples=count,
        folds=len(crossed.fit.parts) if crossed.fit else folds,
        teacher="" if teacher is None else teacher.teacher,
    )
    plain = job.training.robustness is None  # else these answers are what is proved
    return replace(again, score=crossed.best, curve=crossed.curve, refit=refit, fit=crossed.fit if plain else None)


def _cross_trained(job: FullJob, task: Task, folds: int) -> tuple[CrossTrained, Lessons | None]:
    """What cross-validation gave, and what a teacher says, if there is one."""
    from selfnas import seeding
    from selfnas.baselines.distillation import distil
    from selfnas.training.cross_validation import cross_train, held_out
    from selfnas.training.plans import goal_of
    from selfnas.training.refit import trials_of

    whole, groups = _whole(job, task), groups_of(task, "train", "validation")
    plan, goal = job.training.plan(task), goal_of(task, job.metrics)
    folds = min(folds, len(set(groups))) if groups else folds
    y = whole.y.cpu().numpy()
    parts = held_out(y, goal.target, folds=folds, seed=seeding.derive(0, "full", task.digest), groups=groups)
    key = (task.digest, plan.recipe, folds, goal.metric)
    if key not in _TOLD:  # the same for every network of the task
        _TOLD.clear()
        _TOLD[key] = distil(
            whole.x.cpu().numpy(),
            y,
            inputs=task.inputs,
            goal=goal,
            recipe=plan.recipe,
            parts=parts,
            seed=seeding.derive(0, "teacher", task.digest),
            groups=groups,
        )
    lessons = None if (told := _TOLD[key]) is None else told.to(job.device)
    trials = trials_of(
        job.fidelity.fidelity(job.kind),
        len(whole),
        folds=folds,
        batch_size=plan.batch_size,
        table=not task.shape.size,
        teacher=lessons is not None,
        numbers=task.target.kind == "regression",
    )
    crossed = cross_train(
        lambda seed: build(job, task, seed=seed)[0],
        whole,
        plan,
        trials,
        goal,
        parts=parts,
        seed=seeding.derive(job.seed, "cross-fit"),
        transfer=() if lessons is None else lessons.parts,
    )
    return crossed, lessons


def _whole(job: FullJob, task: Task) -> Examples:
    """Training and validation examples together."""
    from selfnas.training.training import Examples

    training, validation = (Examples.of(part.x, part.y, device=job.device) for part in (task.train, task.validation))
    return training.and_also(validation)


def _trained_again(job: FullJob, task: Task, first: TrainingResult) -> Delivered | None:
    """Trained on all examples for as long as the first training found right; None where that fails."""
    from selfnas.training.refit import refit_fidelity

    counts = (len(task.train), len(task.validation))
    steps = refit_fidelity(first, training=counts[0], validation=counts[1]).steps
    again = _on_all(job, task, steps)
    return None if again.failure else replace(again, refit=RefitAnswer(steps=steps, examples=sum(counts)))


def _on_all(job: FullJob, task: Task, steps: int, *, transfer: Transfer | None = None) -> Delivered:
    """Trained on training and validation examples together for so many steps, with a teacher or without."""
    from selfnas import seeding
    from selfnas.training.evaluation import Fidelity
    from selfnas.training.plans import goal_of
    from selfnas.training.training import Examples, train

    seed = seeding.derive(job.seed, "refit")
    training, validation = (Examples.of(part.x, part.y, device=job.device) for part in (task.train, task.validation))
    network, _ = build(job, task, seed=seed)
    plan, goal = job.training.plan(task), goal_of(task, job.metrics)
    fidelity = Fidelity(name="refit", steps=steps)
    result = train(network, [training, validation], None, plan, fidelity, seed=seed, goal=goal, transfer=transfer)
    if result.failure:
        return Delivered(failure=result.failure)
    return Delivered(network=network, weights=result.weights, steps=steps)
