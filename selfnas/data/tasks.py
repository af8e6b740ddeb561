"""A task: labelled arrays in four fixed disjoint splits, each with one use.

*train* is for fitting, *validation* for search, *audit* for audits alone, *test* for reporting alone. `TaskSpec` is how
a stream file states a task; `load_task` makes it, the same on every machine.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, WithJsonSchema, field_validator, model_validator

from selfnas.data.datasets import PACKAGED, Arrays, raw_data, read_npz, read_packaged
from selfnas.data.preparation import LayoutStep, Preparation, ResizeStep, ScaleStep
from selfnas.data.raw import Kind, RawData, Split
from selfnas.data.targets import InputKind, Labels, Target
from selfnas.data.transforms import Nuisance, NuisanceSpec, Seed, Splits, TransformSpec, label_order, transform
from selfnas.documents import StrictModel, check_model
from selfnas.errors import InputError, Problem, ShapeError
from selfnas.seeding import generator
from selfnas.spaces.architecture import TaskShape

__all__ = ["SPLITS", "Nuisance", "Own", "Split", "Task", "TaskSpec", "load_task", "load_with", "read_source"]

SPLITS = ("train", "validation", "audit", "test")

Place = tuple[str | int, ...]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TEST_SHARE = 0.20  # of all examples, where the source has no test part of its own
_HELD_OUT_SHARE = 0.15  # of the rest, for validation and again for audit
_FEWEST_AUDITED = 100  # with fewer, the intervals of the gate audits leave a network of 95 % accuracy undecided
_TEST_SHARE_AUDITED = 0.30  # of a source's own test part, where its training part has too few to audit with
_DIMENSIONS: Mapping[InputKind, int] = {"image": 2, "series": 1, "tokens": 1, "table": 0}
_CONSTANT = 1e-12  # a channel whose deviation is a smaller share of its largest number shows one value
_EACH_CLASS = 4  # fewest examples of a class: one for each split
_EACH_CLASS_WITH_TEST = 3  # the same, where the test part is separate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Own:
    """What a task of arrays was made of.

    Attributes:
        spec: how a stream states the task; its `path` is the file that the arrays are written to.
        arrays: as they were given.
    """

    spec: TaskSpec
    arrays: Arrays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One problem: examples in four splits, and what is asked of them.

    Attributes:
        name: letters, digits, - and _.
        shape: what a network must fit; its `classes` are the target's outputs.
        train: for fitting; its inputs have mean 0 and standard deviation 1 in every channel.
        validation: for search.
        audit: for audits alone.
        test: for reporting alone.
        nuisances: regions that should not decide the class.
        digest: SHA-256 over shape, splits and nuisances, but not the name; computed when left empty.
        succeeds: name of an earlier task that this one carries on; empty when there is none.
        target: what is asked of each example, and so what `y` and a network's outputs mean.
        inputs: what an example is.
        preparation: from a raw example to `x`; of the raw examples of a split it gives that split's `x`, but for noise
            and nuisances that the task draws.
        own: what `from_arrays` made it of; None for every other task.

    Raises:
        ShapeError: a split that does not fit `shape` or `target`.
    """

    name: str
    shape: TaskShape
    train: Split
    validation: Split
    audit: Split
    test: Split
    target: Target
    inputs: InputKind
    preparation: Preparation
    nuisances: tuple[Nuisance, ...] = ()
    digest: str = field(default="")
    succeeds: str = ""
    own: Own | None = field(default=None, repr=False)

    @classmethod
    def from_arrays(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        name: str,
        test: tuple[ArrayLike, ArrayLike] | None = None,
        kind: Kind | None = None,
        limit: int | None = None,
        resize: int | None = None,
        split_seed: int = 0,
        transforms: Sequence[TransformSpec] = (),
        nuisances: Sequence[NuisanceSpec] = (),
    ) -> Task:
        """A task of arrays in memory: checked, split and scaled exactly as the same arrays in an `.npz` file.

        Args:
            x: images `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)` with c = 1, 3 or 4; series `(n, length)` or
                `(n, channels, length)`. Integers or floats, as they were measured.
            y: `(n,)` labels, whole numbers or strings; classes are numbered in sorted order.
            name: letters, digits, - and _.
            test: examples and labels of a test part of your own; None cuts one out of `x`.
            kind: `image` or `series`, where the shape does not tell.
            limit: at most so many examples in all, classes kept in proportion.
            resize: average images to so many pixels a side, or series to that length.
            split_seed: which examples fall into which split.
            transforms: applied in order.
            nuisances: regions of the finished input that should not decide the class.

        Raises:
            InputError: the arrays are not of a known form or too few, or an option does not fit.

        Example:
            >>> x = np.random.default_rng(0).normal(size=(80, 8, 8))
            >>> task = Task.from_arrays(x, np.arange(80) % 2, name="noise")
            >>> task.shape, len(task.train), len(task.test)
            (TaskShape(channels=1, size=(8, 8), classes=2), 44, 16)
        """
        held = None if test is None else (np.asarray(test[0]), np.asarray(test[1]))
        arrays = Arrays(x=np.asarray(x), y=np.asarray(y), test=held)
        stated = {
            "name": name,
            "source": "npz",
            "path": f"{name}-{arrays.digest[:16]}.npz",
            "kind": kind,
            "limit": limit,
            "resize": resize,
            "split_seed": split_seed,
            "transforms": list(transforms),
            "nuisances": list(nuisances),
        }
        spec = check_model({key: value for key, value in stated.items() if value is not None}, TaskSpec)
        task, _ = _made(spec, lambda: raw_data(arrays.by_key(), kind=kind), {}, lambda _, message: Problem(message))
        return replace(task, own=Own(spec=spec, arrays=arrays))

    @property
    def known_as(self) -> str:
        """The name by which suites know it."""
        return self.succeeds or self.name

    def __post_init__(self) -> None:
        if self.shape.classes != self.target.outputs or self.shape.dimensions != _DIMENSIONS[self.inputs]:
            raise ShapeError(f"{self.inputs} data with {self.target.outputs} outputs do not fit {self.shape}")
        for name in SPLITS:
            part = self.split(name)
            if part.x.shape[1:] != (self.shape.channels, *self.shape.size):
                raise ShapeError(f"{name} has examples of shape {part.x.shape[1:]}, the task is {self.shape}")
            self.target.check(part.y, name)
        for nuisance in self.nuisances:
            nuisance.fit(self.shape.size)
        if not self.digest:
            object.__setattr__(self, "digest", _content_digest(self))

    def split(self, name: str) -> Split:
        """The split called `train`, `validation`, `audit` or `test`."""
        if name not in SPLITS:
            raise ShapeError(f"a task has the splits {', '.join(SPLITS)}, not {name!r}")
        part: Split = getattr(self, name)
        return part


class TaskSpec(StrictModel):
    """A task as written in a stream file.

    Attributes:
        name: letters, digits, - and _; begins with a letter or digit.
        source: `digits`, `mnist5k` (images), `mnist1d` (series), `npz`, `table` (a benchmark that is looked up), or a
            source of a plug-in.
        path: the `.npz` file or the table, relative to the stream file; for the sources `npz` and `table` only. A
            table without a path is the synthetic one of `selfnas.tables.tabular.synthetic_benchmark`.
        dataset: which task of the table; for the source `table` only.
        succeeds: an earlier task that this one carries on; what a suite plants for that one it plants here.
        kind: `image` or `series`, where the shape of the arrays does not tell.
        limit: at most so many examples in all, classes kept in proportion.
        resize: average images to so many pixels a side, or series to that length; only ever smaller.
        split_seed: which examples fall into which split.
        transforms: applied in order, after the inputs were brought to mean 0 and standard deviation 1.
        nuisances: regions of the finished input that should not decide the class.
    """

    name: str
    source: Annotated[
        str, WithJsonSchema({"anyOf": [{"enum": [*PACKAGED, "npz", "table"]}, {"type": "string"}]})
    ]  # `load_task` says what is unknown
    path: str | None = None
    dataset: str | None = None
    succeeds: str | None = None
    kind: Kind | None = None
    limit: Annotated[int, Field(ge=8, le=10**9)] | None = None
    resize: Annotated[int, Field(ge=4, le=4096)] | None = None
    split_seed: Seed = 0
    transforms: list[TransformSpec] = Field(default_factory=list, max_length=16)
    nuisances: list[NuisanceSpec] = Field(default_factory=list, max_length=16)

    @property
    def nuisance_names(self) -> tuple[str, ...]:
        """Of every nuisance of the loaded task, planted or only named, in order."""
        planted = (step.nuisance.name for step in self.transforms if step.nuisance is not None)
        return (*planted, *(each.name for each in self.nuisances))

    @field_validator("name", "succeeds")
    @classmethod
    def _plain_name(cls, name: str | None) -> str | None:
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError("a task's name has 1 to 64 letters, digits, - and _, and begins with a letter or digit")
        return name

    @field_validator("path")
    @classmethod
    def _usable_path(cls, path: str | None) -> str | None:
        if path is not None and (not path or "\0" in path):
            raise ValueError("a path is the name of an .npz file")
        return path

    @model_validator(mode="after")
    def _path_for_npz(self) -> TaskSpec:
        if self.source == "npz" and self.path is None:
            raise ValueError("source npz needs a path")
        if (self.source == "table") != (self.dataset is not None):
            raise ValueError("source table needs a dataset, and no other source has one")
        if self.source == "table":
            if self.kind or self.limit or self.resize or self.transforms or self.nuisances or self.split_seed:
                raise ValueError("a table has no examples: leave out kind, limit, resize, split_seed and the rest")
        elif self.source != "npz" and (self.path is not None or self.kind is not None):
            raise ValueError(f"path and kind go with source npz, not with {self.source}")
        return self


def load_task(
    spec: TaskSpec, *, base: Path, report: Callable[[Place, str], Problem] = lambda _, message: Problem(message)
) -> Task:
    """Make the task that a spec states.

    Args:
        spec: what to load.
        base: the directory that a relative `path` starts from.
        report: turns a place inside the spec and a message into a problem, so that a caller who has the file can say
            line and column (`Document.problem`).

    Raises:
        InputError: the data are missing, unreadable, not of a known form, or too few; or a transformation does not fit.

    Example:
        >>> task = load_task(TaskSpec(name="digits", source="digits"), base=Path())
        >>> task.shape, len(task.train), len(task.validation), len(task.audit), len(task.test)
        (TaskShape(channels=1, size=(8, 8), classes=10), 1006, 216, 216, 359)
    """
    return load_with(spec, {}, base=base, report=report)[0]


def read_source(spec: TaskSpec, *, base: Path) -> RawData:
    """The examples that a spec names, before splitting; raises `InputError` like `load_task`."""
    return read_npz(base / str(spec.path), kind=spec.kind) if spec.source == "npz" else read_packaged(spec.source)


def load_with(
    spec: TaskSpec,
    further: Mapping[str, tuple[NDArray[Any], Labels]],
    *,
    base: Path,
    report: Callable[[Place, str], Problem] = lambda _, message: Problem(message),
) -> tuple[Task, dict[str, Split]]:
    """The task of a spec, and further examples of the same source that went through the very same steps.

    Args:
        spec: what to load.
        further: by a name that is no split's, `(n, channels, *size)` as in the source and `(n,)` numbered labels.
        base: as in `load_task`.
        report: as in `load_task`.

    Raises:
        InputError: as `load_task`.
    """
    if spec.source == "table":
        raise InputError([report(("source",), f"task {spec.name!r}: a table has no examples to load")])
    return _made(spec, lambda: read_source(spec, base=base), further, report)


def _made(
    spec: TaskSpec,
    read: Callable[[], RawData],
    further: Mapping[str, tuple[NDArray[Any], Labels]],
    report: Callable[[Place, str], Problem],
) -> tuple[Task, dict[str, Split]]:
    """As `load_with`, of whatever `read` gives."""
    place: Place = ("path",) if spec.source == "npz" else ("source",)
    try:
        raw = read()
        parts, classes = _split(raw, spec) | dict(further), len(raw.labels)
        data = _laid_out(raw, parts, classes)
        if spec.resize is not None:
            place = ("resize",)
            data = data.after(ResizeStep(size=(spec.resize,) * len(data.size)))
        data = _standardise(data)
        for index, step in enumerate(spec.transforms):
            place = ("transforms", index)
            data = transform(data, step, seed=spec.split_seed)
        place = ("transforms",)
        _check_coverage(data)
        data = _standardise(data)
        for index, named in enumerate(spec.nuisances):
            place = ("nuisances", index)
            data = _name_nuisance(data, named.nuisance())
    except InputError as error:
        raise InputError(
            [report(place, f"task {spec.name!r}: {problem.message}") for problem in error.problems]
        ) from error
    names = _class_names(raw.labels, spec)
    preparation = Preparation(
        inputs=raw.kind,
        raw=_raw_shape(raw),
        dtype=raw.x.dtype.name,
        steps=data.steps,
        target=Target(kind="classification", names=names),
    )
    shape = TaskShape(channels=data.parts["train"].x.shape[1], size=data.size, classes=data.classes)
    task = Task(
        name=spec.name,
        shape=shape,
        train=data.parts["train"],
        validation=data.parts["validation"],
        audit=data.parts["audit"],
        test=data.parts["test"],
        target=preparation.target,
        inputs=raw.kind,
        preparation=preparation,
        nuisances=data.nuisances,
        succeeds=spec.succeeds or "",
    )
    return task, {name: data.parts[name] for name in further}


def _split(raw: RawData, spec: TaskSpec) -> dict[str, tuple[NDArray[Any], Labels]]:
    """Disjoint parts in which every class has its share."""
    _check_classes(raw)
    x, y = raw.x, raw.y
    own_test = raw.test
    total = len(y) + (len(own_test[1]) if own_test else 0)
    needed = _EACH_CLASS_WITH_TEST if own_test else _EACH_CLASS
    keep = min(1.0, spec.limit / total) if spec.limit else 1.0
    if spec.limit and spec.limit < (needed + bool(own_test)) * len(raw.labels):
        raise InputError(
            f"limit {spec.limit} is too small for {len(raw.labels)} classes: "
            f"need at least {(needed + bool(own_test)) * len(raw.labels)}"
        )
    rows: dict[str, list[NDArray[np.int64]]] = {name: [] for name in SPLITS}
    test_rows: list[NDArray[np.int64]] = []
    audit_rows: list[NDArray[np.int64]] = []
    audits_from_test = own_test is not None and _audits_from_test(len(y) * keep, own_test[1], len(raw.labels))
    for label in range(len(raw.labels)):
        rng = generator(spec.split_seed, "split", label)
        mine = rng.permutation(np.flatnonzero(y == label))
        mine = mine[: max(int(len(mine) * keep), needed - audits_from_test)]
        test = 0 if own_test else max(1, round(len(mine) * _TEST_SHARE))
        held = max(1, round((len(mine) - test) * _HELD_OUT_SHARE))
        stops = np.cumsum([test, held, 0 if audits_from_test else held])
        for name, part in zip(("test", "validation", "audit", "train"), np.split(mine, stops), strict=True):
            rows[name].append(part)
        if own_test:
            theirs = rng.permutation(np.flatnonzero(own_test[1] == label))
            theirs = theirs[: max(int(len(theirs) * keep), 2 if audits_from_test else 1)]
            audited = max(1, round(len(theirs) * _TEST_SHARE_AUDITED)) if audits_from_test else 0
            audit_rows.append(theirs[:audited])
            test_rows.append(theirs[audited:])
    index = {name: np.sort(np.concatenate(parts)) for name, parts in rows.items()}
    parts = {name: (x[chosen], y[chosen]) for name, chosen in index.items()}
    if own_test:
        chosen = np.sort(np.concatenate(test_rows))
        parts["test"] = (own_test[0][chosen], own_test[1][chosen])
    if own_test and audits_from_test:
        chosen = np.sort(np.concatenate(audit_rows))
        parts["audit"] = (own_test[0][chosen], own_test[1][chosen])
    return parts


def _audits_from_test(training: float, test: Labels, classes: int) -> bool:
    """Whether the audit split is cut from the source's test part: training is small, and every class has two there."""
    enough = int(np.bincount(test, minlength=classes).min()) >= 2
    return training * _HELD_OUT_SHARE < _FEWEST_AUDITED and enough


def _check_classes(raw: RawData) -> None:
    """Refuse data from which four splits with every class in each cannot be made."""
    classes = len(raw.labels)
    if classes < 2:
        raise InputError(f"there {'is one class' if classes else 'are no examples'}; need at least 2 classes")
    counts = np.bincount(raw.y, minlength=classes)
    needed = _EACH_CLASS_WITH_TEST if raw.test else _EACH_CLASS
    if raw.test:
        for part, y, other in (("test", raw.test[1], "train"), ("train", raw.y, "test")):
            missing = [raw.labels[k] for k in np.flatnonzero(np.bincount(y, minlength=classes) == 0)]
            if missing:
                raise InputError(f"class {_listed(missing)} is in the {other} part but missing from the {part} part")
    few = np.flatnonzero(counts < needed)
    if len(few):
        raise InputError(
            f"class {_listed([raw.labels[k] for k in few])} has {counts[few[0]]} examples: "
            f"every class needs at least {needed}, one for each split"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_coverage(data: Splits) -> None:
    for name in SPLITS:
        missing = np.flatnonzero(np.bincount(data.parts[name].y, minlength=data.classes) == 0)
        if len(missing):
            raise InputError(f"class {missing[0]} is missing from {name}")


def _laid_out(raw: RawData, parts: Mapping[str, tuple[NDArray[Any], Labels]], classes: int) -> Splits:
    """Examples as float32, with the first step noted: it is the one from the source's own axes."""
    held = {name: Split(x=np.ascontiguousarray(x, dtype=np.float32), y=y) for name, (x, y) in parts.items()}
    return Splits(parts=held, classes=classes, steps=(LayoutStep(axes=raw.layout),))


def _raw_shape(raw: RawData) -> tuple[int, ...]:
    """Of one example as the source has it."""
    channels, *size = raw.x.shape[1:]
    return {"hwc": (*size, channels), "lc": (*size, channels), "hw": tuple(size), "l": tuple(size)}.get(
        raw.layout, (channels, *size)
    )


def _class_names(labels: tuple[str, ...], spec: TaskSpec) -> tuple[str, ...]:
    """What each class of the finished task was called in the source."""
    names = list(labels)
    for step in spec.transforms:
        if step.classes is not None:
            names = [names[label] for label in step.classes]
        elif step.permute_labels is not None:
            renamed = label_order(len(names), step.permute_labels).tolist()
            names = [names[renamed.index(label)] for label in range(len(names))]
    return tuple(names)


def _standardise(data: Splits) -> Splits:
    """Mean 0 and standard deviation 1 in every channel of train; the other splits by the same numbers."""
    x = data.parts["train"].x
    axes = (0, *range(2, x.ndim))
    # Accumulated in float64, so that the float32 results do not depend on the order of summation.
    mean = x.mean(axis=axes, dtype=np.float64)
    spread = x.std(axis=axes, dtype=np.float64)
    largest = np.abs(x).max(axis=axes)
    spread[spread <= _CONSTANT * largest] = 1.0
    center, scale = (tuple(each.astype(np.float32).tolist()) for each in (mean, spread))
    return data.after(ScaleStep(center=center, scale=scale))


def _name_nuisance(data: Splits, nuisance: Nuisance) -> Splits:
    nuisance.fit(data.size)
    if any(known.name == nuisance.name for known in data.nuisances):
        raise InputError(f"nuisance {nuisance.name!r} is named twice")
    return replace(data, nuisances=(*data.nuisances, nuisance))


def _content_digest(task: Task) -> str:
    content = hashlib.sha256()
    content.update(repr((task.shape, task.nuisances)).encode())
    for name in SPLITS:
        part = task.split(name)
        content.update(f"{name} {part.x.shape}".encode())
        content.update(np.ascontiguousarray(part.x).astype("<f4", copy=False).tobytes())
        content.update(np.ascontiguousarray(part.y).astype("<i8" if task.target.counted else "<f4").tobytes())
    return content.hexdigest()
