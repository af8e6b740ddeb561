"""What an audit may look at besides the network: the training split, a split kept for audits alone, named nuisances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from selfnas.data.tasks import Nuisance, Task
from selfnas.errors import InputError, ShapeError

__all__ = ["AuditData", "Trigger", "region_slices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A patch that a backdoored network is known, or suspected, to answer with one class.

    Attributes:
        name: how findings call it.
        region: `(start, stop)` per spatial dimension.
        value: what every channel of the region is set to, in the data's units.
        target: the class it is said to call up.
    """

    name: str
    region: tuple[tuple[int, int], ...]
    value: float
    target: int

    def stamped(self, x: Tensor) -> Tensor:
        """`(b, channels, *size)` copies of inputs that carry the trigger."""
        result = x.clone()
        result[region_slices(self.region)] = self.value
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AuditData:
    """The data of one task as the audits see it.

    Attributes:
        x_train: `(n, channels, length)` series or `(n, channels, height, width)` images, float32, finite.
        y_train: `(n,)` int64 in `[0, classes)`.
        x: as `x_train`; the audit split, used in neither training nor search.
        y: as `y_train`.
        classes: at least 2.
        nuisances: regions whose influence is tested; names are unique.
        triggers: known triggers to fire at the network; names are unique.
        task: the task's name, by which a suite may add nuisances and triggers of its own.
    """

    x_train: Tensor
    y_train: Tensor
    x: Tensor
    y: Tensor
    classes: int
    nuisances: tuple[Nuisance, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    task: str = ""

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise InputError(f"need at least 2 classes, not {self.classes}")
        for name, x, y in (("train", self.x_train, self.y_train), ("audit", self.x, self.y)):
            _check_split(name, x, y, self.classes)
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
        for trigger in self.triggers:
            if not 0 <= trigger.target < self.classes or not math.isfinite(trigger.value):
                raise InputError(
                    f"trigger {trigger.name!r}: need a finite value and a target in 0..{self.classes - 1}, "
                    f"not {trigger.value} and {trigger.target}"
                )

    @staticmethod
    def of(task: Task) -> AuditData:
        """The training and audit splits of a task, sharing its memory."""
        return AuditData(
            x_train=torch.from_numpy(task.train.x),
            y_train=torch.from_numpy(task.train.y),
            x=torch.from_numpy(task.audit.x),
            y=torch.from_numpy(task.audit.y),
            classes=task.shape.classes,
            nuisances=tuple(task.nuisances),
            task=task.known_as,
        )

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial size: one entry for series, two for images."""
        return tuple(self.x.shape[2:])


def region_slices(region: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    """The index of a region in a `(b, channels, *size)` tensor.

    Example:
        >>> region_slices(((0, 2), (3, 5)))
        (slice(None, None, None), slice(None, None, None), slice(0, 2, None), slice(3, 5, None))
    """
    return (slice(None), slice(None), *(slice(start, stop) for start, stop in region))


def _check_split(name: str, x: Tensor, y: Tensor, classes: int) -> None:
    if x.ndim not in (3, 4) or x.dtype != torch.float32:
        raise ShapeError(
            f"{name} inputs must be float32 (n, channels, length) or (n, channels, height, width), "
            f"not {x.dtype} {tuple(x.shape)}"
        )
    if len(x) == 0 or y.shape != (len(x),) or y.dtype != torch.int64:
        raise ShapeError(
            f"{name} labels must be int64 ({len(x)},) with at least one entry, not {y.dtype} {tuple(y.shape)}"
        )
    if not bool(torch.isfinite(x).all()):
        raise InputError(f"{name} inputs hold values that are not finite")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise InputError(f"{name} labels must lie in 0..{classes - 1}, not {int(y.min())}..{int(y.max())}")


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
