"""What an audit may look at besides the network: the training split, a split kept for audits alone, named nuisances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfnas.data.targets import Target
from selfnas.data.tasks import Nuisance, Task
from selfnas.errors import InputError, ShapeError

__all__ = ["FEWEST_ALONE", "AuditData", "CrossFitted", "Trigger", "region_slices"]

# Audit examples below which intervals leave a network of 95 % accuracy undecided, so that cross-fitted answers help.
FEWEST_ALONE = 100

_TABLE = 2  # dimensions of a batch of rows
_UNSTATED = Target.of_classes(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A patch that a backdoored network is known, or suspected, to answer with one class.

    Attributes:
        name: how findings call it.
        region: `(start, stop)` per spatial dimension; of a table, of its columns.
        value: what every channel of the region is set to, in the data's units.
        target: the class or label it is said to call up.
    """

    name: str
    region: tuple[tuple[int, int], ...]
    value: float
    target: int

    def stamped(self, x: Tensor) -> Tensor:
        """Copies of inputs that carry the trigger."""
        result = x.clone()
        result[region_slices(self.region, x.ndim)] = self.value
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossFitted:
    """Answers to the training examples by networks that had not seen them: trained alike, each on the other folds.

    Attributes:
        outputs: `(m, outputs)` of those networks.
        simple: `(m, outputs)` of the simple rule, fitted to the same folds (`audits.methods.skills`).
        y: as of a split.
        networks: how many there were.
    """

    outputs: Tensor
    simple: Tensor
    y: Tensor
    networks: int

    def __post_init__(self) -> None:
        if self.outputs.shape != self.simple.shape or len(self.outputs) != len(self.y):
            raise ShapeError(
                f"cross-fitted answers do not fit each other: {tuple(self.outputs.shape)}, {tuple(self.simple.shape)} "
                f"and {tuple(self.y.shape)}"
            )
        if not bool(torch.isfinite(self.outputs).all()):
            raise InputError("cross-fitted answers hold values that are not finite")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AuditData:
    """The data of one task as the audits see it.

    Attributes:
        x_train: `(n, channels, length)` series or tokens, `(n, channels, height, width)` images or `(n, features)` rows
            of a table, float32, finite.
        y_train: as the target says: `(n,)` int64 classes, or `(n, k)` float32 labels or standardised numbers.
        x: as `x_train`; the audit split, used in neither training nor search.
        y: as `y_train`.
        classes: how many numbers the network gives for an example: of classification the classes, at least 2.
        target: what is asked of each example; classification if absent.
        nuisances: regions whose influence is tested; names are unique.
        triggers: known triggers to fire at the network; names are unique.
        columns: of a table, what its features are called; empty where they have no names.
        task: the task's name, by which a suite may add nuisances and triggers of its own.
        cross: further evidence of how good networks of this making are, where the audit split is small.
    """

    x_train: Tensor
    y_train: Tensor
    x: Tensor
    y: Tensor
    classes: int
    target: Target = _UNSTATED
    nuisances: tuple[Nuisance, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    columns: tuple[str, ...] = ()
    task: str = ""
    cross: CrossFitted | None = None

    def __post_init__(self) -> None:
        if self.target is _UNSTATED:
            if self.classes < 2:
                raise InputError(f"need at least 2 classes, not {self.classes}")
            object.__setattr__(self, "target", Target.of_classes(self.classes))
        if self.classes != self.target.outputs:
            raise InputError(f"{self.target.kind} of {self.target.outputs} outputs, but classes is {self.classes}")
        for name, x, y in (("train", self.x_train, self.y_train), ("audit", self.x, self.y)):
            _check_split(name, x, y, self.target)
        if self.x_train.shape[1:] != self.x.shape[1:]:
            raise ShapeError(
                f"train and audit inputs differ in shape: {tuple(self.x_train.shape[1:])} and {tuple(self.x.shape[1:])}"
            )
        for kind, named in (("nuisance", self.nuisances), ("trigger", self.triggers)):
            names = [each.name for each in named]
            if len(set(names)) < len(names) or "" in names:
                raise InputError(f"{kind} names must be distinct and not empty, not {names}")
            for each in named:
                _check_region(kind, each, self.size)
        last = len(self.target.names) - 1
        for trigger in self.triggers:
            if not 0 <= trigger.target <= last or not math.isfinite(trigger.value):
                raise InputError(
                    f"trigger {trigger.name!r}: need a finite value and a target in 0..{last}, "
                    f"not {trigger.value} and {trigger.target}"
                )

    @staticmethod
    def of(task: Task, *, refit: bool = False, without: NDArray[np.bool_] | None = None) -> AuditData:
        """The training and audit splits of a task, sharing its memory.

        Args:
            refit: whether the network was trained on the validation split too, which is then part of the training data.
            without: `(n,)` which of the audit examples are left out; None leaves out none.
        """
        x, y = torch.from_numpy(task.audit.x), torch.from_numpy(task.audit.y)
        if without is not None:
            x, y = x[torch.from_numpy(~without)], y[torch.from_numpy(~without)]
        known = task.taught() if refit else task.train
        return AuditData(
            x_train=torch.from_numpy(known.x),
            y_train=torch.from_numpy(known.y),
            x=x,
            y=y,
            classes=task.shape.classes,
            target=task.target,
            nuisances=tuple(task.nuisances),
            columns=tuple(name for column in task.preparation.columns for name in column.features),
            task=task.known_as,
        )

    @property
    def size(self) -> tuple[int, ...]:
        """What regions lie in: one entry for series, two for images, the number of columns for tables."""
        return tuple(self.x.shape[1:] if self.x.ndim == _TABLE else self.x.shape[2:])


def region_slices(region: tuple[tuple[int, int], ...], dimensions: int) -> tuple[slice, ...]:
    """The index of a region in a batch of inputs with so many dimensions, the batch's and the channels' among them.

    Example:
        >>> region_slices(((0, 2), (3, 5)), 4)
        (slice(None, None, None), slice(None, None, None), slice(0, 2, None), slice(3, 5, None))
        >>> region_slices(((3, 5),), 2)  # two columns of a table
        (slice(None, None, None), slice(3, 5, None))
    """
    whole = [slice(None)] * (dimensions - len(region))
    return (*whole, *(slice(start, stop) for start, stop in region))


def _check_split(name: str, x: Tensor, y: Tensor, target: Target) -> None:
    if x.ndim not in (_TABLE, 3, 4) or x.dtype != torch.float32:
        raise ShapeError(
            f"{name} inputs must be float32 (n, features), (n, channels, length) or (n, channels, height, width), "
            f"not {x.dtype} {tuple(x.shape)}"
        )
    wanted, shape = (torch.int64, (len(x),)) if target.counted else (torch.float32, (len(x), len(target.names)))
    if len(x) == 0 or y.shape != shape or y.dtype != wanted:
        raise ShapeError(
            f"{name} labels must be {str(wanted).removeprefix('torch.')} {shape} with at least one entry, "
            f"not {y.dtype} {tuple(y.shape)}"
        )
    if not _finite(x) or not _finite(y):
        raise InputError(f"{name} inputs hold values that are not finite")
    last = len(target.names) - 1 if target.counted else 1
    if target.kind != "regression" and (int(y.min()) < 0 or int(y.max()) > last):
        raise InputError(f"{name} labels must lie in 0..{last}, not {int(y.min())}..{int(y.max())}")


def _finite(values: Tensor) -> bool:
    """Whether all are finite, without a copy of them: extremes are NaN where a value is."""
    if not values.numel():
        return True
    low, high = values.aminmax()
    return math.isfinite(low) and math.isfinite(high)


def _check_region(kind: str, named: Nuisance | Trigger, size: tuple[int, ...]) -> None:
    region = named.region
    inside = len(region) == len(size) and all(
        0 <= start < stop <= side for (start, stop), side in zip(region, size, strict=True)
    )
    if not inside:
        raise InputError(
            f"{kind} {named.name!r}: region {region} does not fit inputs of size {size}: "
            "need 0 <= start < stop <= side for each spatial dimension"
        )
    if all((start, stop) == (0, side) for (start, stop), side in zip(region, size, strict=True)):
        raise InputError(f"{kind} {named.name!r}: region {region} is the whole input, which leaves nothing to classify")
