"""Variants of a task by transformation, so that streams with known relations can be composed.

Each transformation is a pure function over all four splits; regions that are known to be a nuisance move along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from selfnas.data.preparation import ColumnStep, ReorderStep, ScaleStep, Splits, TurnStep
from selfnas.data.spec import (
    Nuisance,
    NuisanceSpec,
    PlantedNuisance,
    Region,
    TaskNuisanceSpec,
    TaskSpec,
    TransformSpec,
)
from selfnas.data.targets import Floats, InputKind, Labels, Split, Target, Targets, classes_of
from selfnas.errors import InputError, suggestion
from selfnas.seeding import generator

__all__ = [
    "Nuisance",
    "NuisanceSpec",
    "PlantedNuisance",
    "Region",
    "Splits",
    "TransformSpec",
    "after_transforms",
    "label_order",
    "name_nuisance",
    "nuisance_of",
    "places",
    "transform",
]


_ANYTHING: tuple[InputKind, ...] = ("image", "series", "table", "tokens")
_FITS: Mapping[str, tuple[InputKind, ...]] = {
    "rotate": ("image", "series"),
    "permute_labels": _ANYTHING,
    "classes": _ANYTHING,
    "noise": ("image", "series", "table"),
    "invert": ("image", "series", "table"),
    "permute_pixels": ("image", "series"),
    "nuisance": ("image", "series"),
}
_OF_CLASSES = ("permute_labels", "classes", "nuisance")


def transform(data: Splits, spec: TransformSpec, *, seed: int) -> Splits:
    """All splits after one transformation; `seed` serves those that draw and name no seed of their own.

    Raises:
        InputError: the transformation does not fit the data.
    """
    if data.inputs not in _FITS[spec.key]:
        raise InputError(f"{spec.key} goes with {' and '.join(_FITS[spec.key])} data, not with {data.inputs} data")
    if not data.classes and spec.key in _OF_CLASSES:
        raise InputError(f"{spec.key} goes with classification, which is not what this task asks for")
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


def after_transforms(target: Target, spec: TaskSpec) -> Target:
    """What is asked once classes were left out or renamed: each is called as in the source."""
    names = list(target.names)
    for step in spec.transforms:
        if step.classes is not None:
            names = [names[label] for label in step.classes]
        elif step.permute_labels is not None:
            renamed = label_order(len(names), step.permute_labels).tolist()
            names = [names[renamed.index(label)] for label in range(len(names))]
    return replace(target, names=tuple(names))


def nuisance_of(named: TaskNuisanceSpec, data: Splits) -> Nuisance:
    """A region as it is stated, or the features of a column."""
    if named.column is None:
        return named.nuisance()
    columns = next((step.columns for step in data.steps if isinstance(step, ColumnStep)), ())
    start = 0
    for column in columns:
        if column.name == named.column:
            return Nuisance(name=named.name, region=((start, start + len(column.features)),))
        start += len(column.features)
    known = [column.name for column in columns]
    raise InputError(f"nuisance {named.name!r}: no column {named.column!r}{suggestion(named.column, known)}")


def name_nuisance(data: Splits, nuisance: Nuisance) -> Splits:
    """Splits that know one more region; raises `InputError` where it does not fit or has a name that is taken."""
    nuisance.fit(places(data.size, data.parts["train"].x.shape[1]))
    if any(known.name == nuisance.name for known in data.nuisances):
        raise InputError(f"nuisance {nuisance.name!r} is named twice")
    return replace(data, nuisances=(*data.nuisances, nuisance))


def places(size: tuple[int, ...], channels: int) -> tuple[int, ...]:
    """What regions lie in: the spatial size, or the features of a table."""
    return size or (channels,)
