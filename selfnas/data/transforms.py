"""Variants of a task by transformation, so that streams with known relations can be composed.

Each transformation is a pure function over all four splits; regions that are known to be a nuisance move along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from selfnas.data.preparation import ReorderStep, ScaleStep, Step, TurnStep
from selfnas.data.raw import Floats, Split
from selfnas.data.targets import Labels, Targets, classes_of
from selfnas.documents import StrictModel
from selfnas.errors import InputError
from selfnas.seeding import generator

__all__ = [
    "Nuisance",
    "NuisanceSpec",
    "PlantedNuisance",
    "Region",
    "Splits",
    "TransformSpec",
    "label_order",
    "transform",
]

Region = tuple[tuple[int, int], ...]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuisance:
    """A part of the input that should not decide the class.

    Attributes:
        region: (start, stop) for each spatial dimension, stop excluded.
    """

    name: str
    region: Region

    def fit(self, size: tuple[int, ...]) -> None:
        """Check the region against a spatial size.

        Raises:
            InputError: another number of dimensions, or it leaves the input.
        """
        if len(self.region) != len(size):
            raise InputError(
                f"nuisance {self.name!r} has a region of {len(self.region)} dimensions, the input has {len(size)}"
            )
        for (start, stop), side in zip(self.region, size, strict=True):
            if not 0 <= start < stop <= side:
                raise InputError(
                    f"nuisance {self.name!r}: [{start}, {stop}] does not fit a side of {side}: "
                    f"need 0 <= start < stop <= {side}"
                )

    def index(self) -> tuple[slice, ...]:
        """What selects the region from `(n, channels, *size)`, after the first two axes."""
        return tuple(slice(start, stop) for start, stop in self.region)


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The four splits on their way to a task.

    Attributes:
        parts: `train`, `validation`, `audit`, `test`.
        nuisances: regions named so far.
        steps: what was done to every example alike, in order.
    """

    parts: Mapping[str, Split]
    classes: int
    nuisances: tuple[Nuisance, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial size of an example."""
        return self.parts["train"].x.shape[2:]

    def map(self, change: Callable[[Floats, Targets], tuple[Floats, Targets]]) -> Splits:
        """Every split changed alike."""
        changed = {name: change(part.x, part.y) for name, part in self.parts.items()}
        return replace(self, parts={name: Split(x=x, y=y) for name, (x, y) in changed.items()})

    def after(self, step: Step) -> Splits:
        """Every example of every split after one step, which is noted."""
        return replace(self.map(lambda x, y: (step.apply(x), y)), steps=(*self.steps, step))


class NuisanceSpec(StrictModel):
    """A named region, as written in a stream file."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    region: Annotated[list[list[int]], Field(min_length=1, max_length=2)]

    @field_validator("region")
    @classmethod
    def _pairs(cls, region: list[list[int]]) -> list[list[int]]:
        if any(len(pair) != 2 for pair in region):
            raise ValueError(f"a region is one [start, stop] for each dimension, not {region}")
        return region

    def nuisance(self) -> Nuisance:
        """The value it stands for, not yet checked against an input."""
        return Nuisance(name=self.name, region=tuple((start, stop) for start, stop in self.region))


class PlantedNuisance(NuisanceSpec):
    """A patch that tells the class.

    In a share `correlation` of the training examples the patch shows the pattern of the example's own class, in the
    others that of a class drawn uniformly. The other splits have shares of their own, 0 (no relation) unless stated.
    The patterns are +-`strength` in standard deviations of the training inputs.
    """

    correlation: Share
    strength: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 3.0
    validation: Share = 0.0
    audit: Share = 0.0
    test: Share = 0.0


class TransformSpec(StrictModel):
    """One transformation: exactly one key.

    `rotate` turns images counter-clockwise (a series can only be reversed, by 180); `permute_labels` renames the
    classes by a permutation drawn from that seed; `classes` keeps the listed classes and renumbers them in that order;
    `noise` adds Gaussian noise of that many standard deviations; `invert` swaps dark and bright; `permute_pixels`
    shuffles positions, the same way in every example; `nuisance` plants a patch that tells the class.
    """

    rotate: Literal[90, 180, 270] | None = None
    permute_labels: Seed | None = None
    classes: Annotated[list[int], Field(min_length=2)] | None = None
    noise: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    invert: Literal[True] | None = None
    permute_pixels: Seed | None = None
    nuisance: PlantedNuisance | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> TransformSpec:
        given = sorted(self.model_fields_set)
        if len(given) != 1:
            raise ValueError(f"a transformation has exactly one key, not {', '.join(given) or 'none'}")
        if getattr(self, given[0]) is None:
            raise ValueError(f"{given[0]} needs a value")
        return self

    @property
    def key(self) -> str:
        """Which transformation it is."""
        return next(iter(self.model_fields_set))


def transform(data: Splits, spec: TransformSpec, *, seed: int) -> Splits:
    """All splits after one transformation; `seed` serves those that draw and name no seed of their own.

    Raises:
        InputError: the transformation does not fit the data.
    """
    if spec.rotate is not None:
        return _rotate(data, spec.rotate)
    if spec.permute_labels is not None:
        return _permute_labels(data, spec.permute_labels)
    if spec.classes is not None:
        return _keep_classes(data, tuple(spec.classes))
    if spec.noise is not None:
        return _add_noise(data, spec.noise, seed)
    if spec.invert:
        channels = data.parts["train"].x.shape[1]
        return data.after(ScaleStep(center=(0.0,) * channels, scale=(-1.0,) * channels))
    if spec.permute_pixels is not None:
        return _permute_pixels(data, spec.permute_pixels)
    assert spec.nuisance is not None  # noqa: S101 -- exactly one key is set
    return _plant(data, spec.nuisance, seed)


def label_order(classes: int, seed: int) -> Labels:
    """`(classes,)` the new number of each class, as `permute_labels` draws it."""
    return generator(seed, "permute labels").permutation(classes).astype(np.int64)


def _rotate(data: Splits, angle: int) -> Splits:
    if len(data.size) == 1:
        if angle != 180:
            raise InputError(f"a series can only be rotated by 180 (reversed), not by {angle}")
        (length,) = data.size
        moved = tuple(replace(n, region=((length - n.region[0][1], length - n.region[0][0]),)) for n in data.nuisances)
        return replace(data.after(TurnStep(turns=2)), nuisances=moved)
    nuisances, size = data.nuisances, data.size
    for _ in range(angle // 90):
        # Counter-clockwise: (row, column) goes to (width - 1 - column, row).
        nuisances = tuple(
            replace(n, region=((size[1] - n.region[1][1], size[1] - n.region[1][0]), n.region[0])) for n in nuisances
        )
        size = (size[1], size[0])
    return replace(data.after(TurnStep(turns=angle // 90)), nuisances=nuisances)


def _permute_labels(data: Splits, seed: int) -> Splits:
    renamed = label_order(data.classes, seed)
    return data.map(lambda x, y: (x, renamed[classes_of(y)]))


def _keep_classes(data: Splits, kept: tuple[int, ...]) -> Splits:
    unknown = [label for label in kept if not 0 <= label < data.classes]
    if unknown:
        raise InputError(f"classes: there is no class {unknown[0]}, only 0..{data.classes - 1}")
    if len(set(kept)) != len(kept):
        raise InputError(f"classes: each class once, not {list(kept)}")
    renamed = np.full(data.classes, -1, dtype=np.int64)
    renamed[list(kept)] = np.arange(len(kept))

    def keep(x: Floats, y: Targets) -> tuple[Floats, Targets]:
        numbers = renamed[classes_of(y)]
        return x[numbers >= 0], numbers[numbers >= 0]

    return replace(data.map(keep), classes=len(kept))


def _add_noise(data: Splits, sigma: float, seed: int) -> Splits:
    noisy = {}
    for name, part in data.parts.items():
        noise = generator(seed, "noise", name).standard_normal(part.x.shape, dtype=np.float32)
        noisy[name] = Split(x=part.x + np.float32(sigma) * noise, y=part.y)
    return replace(data, parts=noisy)


def _permute_pixels(data: Splits, seed: int) -> Splits:
    if data.nuisances:
        raise InputError("permute_pixels would tear the nuisance region apart: put it before the nuisance")
    order = generator(seed, "permute pixels").permutation(int(np.prod(data.size)))
    return data.after(ReorderStep(order=tuple(order.tolist())))


def _plant(data: Splits, spec: PlantedNuisance, seed: int) -> Splits:
    nuisance = spec.nuisance()
    nuisance.fit(data.size)
    if any(known.name == nuisance.name for known in data.nuisances):
        raise InputError(f"nuisance {nuisance.name!r} is planted twice")
    patterns = _patterns(data.classes, nuisance, seed) * np.float32(spec.strength)
    shares = {
        "train": spec.correlation,
        "validation": spec.validation,
        "audit": spec.audit,
        "test": spec.test,
    }
    planted = {}
    for name, part in data.parts.items():
        rng = generator(seed, "nuisance", nuisance.name, name)
        own_class = rng.random(len(part)) < shares.get(name, 0.0)
        shown = np.where(own_class, part.labels, rng.integers(0, data.classes, len(part)))
        x = part.x.copy()
        x[(slice(None), slice(None), *nuisance.index())] = patterns[shown][:, None]
        planted[name] = Split(x=x, y=part.y)
    return replace(data, parts=planted, nuisances=(*data.nuisances, nuisance))


def _patterns(classes: int, nuisance: Nuisance, seed: int) -> Floats:
    """`(classes, *region)` distinct patterns of +-1."""
    shape = tuple(stop - start for start, stop in nuisance.region)
    cells = int(np.prod(shape))
    if cells < 63 and 2**cells < classes:
        raise InputError(
            f"nuisance {nuisance.name!r}: a region of {cells} cells cannot tell {classes} classes apart: "
            f"need at least {(classes - 1).bit_length()}"
        )
    rng = generator(seed, "nuisance patterns", nuisance.name)
    signs = np.empty((0, cells), dtype=np.float32)
    while len(signs) < classes:
        drawn = 2 * rng.integers(0, 2, (1, cells)).astype(np.float32) - 1
        if not (signs == drawn).all(axis=1).any():
            signs = np.concatenate([signs, drawn])
    return signs.reshape(classes, *shape)
