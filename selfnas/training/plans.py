"""How a task's networks are trained where nothing is stated: recipe, batches and weights of classes from the data."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from selfnas.data.targets import TargetKind
from selfnas.data.tasks import Task
from selfnas.errors import InputError
from selfnas.robust.hardening import Method, Robustness
from selfnas.robust.region import Region
from selfnas.training.augmentation import mirror_keeps_labels, smooth_enough
from selfnas.training.losses import balanced_weights
from selfnas.training.metrics import metric_for
from selfnas.training.recipes import Recipe, recipe_for
from selfnas.training.schedule import batch_size_for
from selfnas.training.training import Goal, TrainingPlan

__all__ = ["goal_of", "hardening_for", "plan_for"]


def goal_of(task: Task, metrics: Mapping[TargetKind, str] | None = None) -> Goal:
    """What networks for a task are trained for.

    Args:
        task: says what is asked of an example.
        metrics: by kind of target what is scored; the default of the kind where none is named.
    """
    return Goal(target=task.target, inputs=task.inputs, metric=metric_for(task.target, metrics or {}))


def plan_for(
    task: Task,
    *,
    recipe: str = "auto",
    slots: Mapping[str, float] | None = None,
    batch_size: int = 64,
    learning_rate: float = 6e-3,
    weight_decay: float = 5e-2,
    label_smoothing: float = 0.05,
    balanced: bool = False,
    hardened: tuple[float, Method, bool] | None = None,
) -> TrainingPlan:
    """The plan of a task.

    Args:
        task: by whose kind of input and number of training examples `auto` chooses.
        recipe: a name of `selfnas.training.recipes.RECIPES`, or `auto`.
        slots: of the recipe, in place of its own.
        batch_size: examples in a step, at most: fewer where there are few, so that an epoch has eight steps.
        learning_rate: see `TrainingPlan`.
        weight_decay: see `TrainingPlan`.
        label_smoothing: see `TrainingPlan`.
        balanced: whether rare classes count as much as frequent ones.
        hardened: radius as a share of the range of the training inputs, method, and whether only what is proved counts.

    Raises:
        InputError: such a task cannot be hardened; see `hardening_for`.
        KeyError: no such recipe.
        ValueError: a slot that there is not, or beyond its limits.
    """
    count, stated = len(task.train), dict(slots or {})
    if hardened is not None:  # none of these has been tried with bounds
        stated |= {"mixup": 0.0, "average": 0.0, "distil": 0.0}
    return TrainingPlan(
        batch_size=batch_size_for(count, batch_size),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        recipe=_recipe(task, recipe, count, stated),
        class_weights=balanced_weights(task.train.y, task.target) if balanced else (),
        robustness=None if hardened is None else hardening_for(task, *hardened),
    )


def hardening_for(task: Task, radius: float, method: Method, scored: bool) -> Robustness:
    """What networks of a task are hardened against.

    Args:
        task: whose training inputs say what the range is.
        radius: share of it.
        method: one of `selfnas.robust.hardening.METHODS`.
        scored: whether only what is proved counts.

    Raises:
        InputError: it does not ask for a class, its inputs have no range that a radius is a share of, or such a radius
            there is not.
    """
    if task.target.kind != "classification":
        raise InputError(f"robustness is of classes, and task {task.name!r} is {task.target.kind}")
    if task.inputs not in ("image", "series"):
        raise InputError(f"robustness is of images and series, and the inputs of task {task.name!r} are {task.inputs}")
    region = Region.of(torch.from_numpy(task.train.x), radius=radius)
    return Robustness(region=region, method=method, scored=scored)


def _recipe(task: Task, name: str, count: int, stated: Mapping[str, float]) -> Recipe:
    """By name, or chosen; `auto` mirrors images and stretches series where that keeps what they say."""
    if name == "auto" and task.inputs == "image" and task.target.kind == "classification" and "flip" not in stated:
        mirrored = mirror_keeps_labels(task.train.x, task.train.labels)
        stated = {**stated, "flip": 0.5 if mirrored else 0.0}
    if (
        name == "auto"
        and task.inputs == "series"
        and not {"crop", "warp"} & set(stated)
        and not smooth_enough(task.train.x)
    ):
        stated = {**stated, "crop": 0.0, "warp": 0.0}
    return recipe_for(name, task.inputs, count, stated, numbers=task.target.kind == "regression")
