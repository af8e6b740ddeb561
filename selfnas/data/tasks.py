"""A task: labelled arrays in four fixed disjoint splits, each with one use.

*train* is for fitting, *validation* for search, *audit* for audits alone, *test* for reporting alone. `TaskSpec` is how
a stream file states a task; `load_task` makes it, the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from selfnas.data.columns import ColumnType
from selfnas.data.datasets import Arrays, own_arrays, raw_data, read_npy, stored
from selfnas.data.fitting import SCALED, fitted, repeated, standardised
from selfnas.data.forms import Channels
from selfnas.data.preparation import Preparation, Splits
from selfnas.data.raw import SPLITS, Kind, Part, RawData
from selfnas.data.reading import sentence
from selfnas.data.sources.archives import read_archive
from selfnas.data.sources.collections import arrays_of, parts_of
from selfnas.data.sources.folders import read_folder
from selfnas.data.sources.packaged import read_packaged
from selfnas.data.sources.tables import read_csv, read_parquet
from selfnas.data.spec import FILES, Nuisance, NuisanceSpec, TaskNuisanceSpec, TaskSpec, TransformSpec
from selfnas.data.splits.duplicates import (
    Prints,
    duplicates_of,
    groups_of,
    joined_groups,
    kept_apart,
    near_copies,
    of_splits,
    prints,
)
from selfnas.data.splits.splitting import split_rows
from selfnas.data.targets import InputKind, Split, Target, TargetKind, TargetSpec
from selfnas.data.transforms import after_transforms, name_nuisance, nuisance_of, places, transform
from selfnas.documents import check_model
from selfnas.errors import InputError, Problem, ShapeError
from selfnas.spaces.architecture import TaskShape

__all__ = ["SPLITS", "Nuisance", "Own", "Split", "Task", "TaskSpec", "load_task", "load_with", "read_source"]

Place = tuple[str | int, ...]
Report = Callable[[Place, str], Problem]
Examples = ArrayLike | Sequence[ArrayLike]


class Options(TypedDict, total=False):
    """What `Task.from_arrays` takes besides arrays; see there."""

    groups: ArrayLike | None
    kind: Kind | None
    inputs: Kind | None
    channels: Channels | None
    target: TargetSpec | TargetKind | Mapping[str, object] | None
    metric: str | None
    vocabulary: int | None
    limit: int | None
    resize: int | None
    memory: str | None
    audit_from: Literal["training", "test"] | None
    split_seed: int
    duplicates: Literal["allow", "refuse"] | None
    transforms: Sequence[TransformSpec]
    nuisances: Sequence[NuisanceSpec | TaskNuisanceSpec]


_DIMENSIONS: Mapping[InputKind, int] = {"image": 2, "series": 1, "tokens": 1, "table": 0}


def _plain(place: Place, message: str) -> Problem:
    """A problem without a file."""
    return Problem(message)


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
        digest: SHA-256 over shape, splits, nuisances and a target of other than classes, but not the name; computed
            when left empty.
        succeeds: name of an earlier task that this one carries on; empty when there is none.
        target: what is asked of each example, and so what `y` and a network's outputs mean.
        inputs: what an example is.
        preparation: from a raw example to `x`; of the raw examples of a split it gives that split's `x`, but for noise
            and nuisances that the task draws.
        own: what `from_arrays` made it of; None for every other task.
        reading: one line that says how the data were read, guesses included.
        groups: by split the group of each example, where examples of a group belong together; empty where they do not.
        prints: by split a number for each example's content in the source: equal examples have equal ones.
            Empty where a transformation leaves classes out.
        together: training and validation examples in this order as one split, where they lie so in memory; None where
            they do not. See `taught`.

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
    reading: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    prints: Mapping[str, Prints] = field(default_factory=dict, repr=False)
    together: Split | None = field(default=None, repr=False)

    @classmethod
    def from_arrays(
        cls,
        x: Examples,
        y: ArrayLike,
        *,
        name: str,
        test: tuple[Examples, ArrayLike] | None = None,
        validation: tuple[Examples, ArrayLike] | None = None,
        groups: ArrayLike | None = None,
        kind: Kind | None = None,
        inputs: Kind | None = None,
        channels: Channels | None = None,
        target: TargetSpec | TargetKind | Mapping[str, object] | None = None,
        metric: str | None = None,
        columns: Mapping[str, ColumnType] | None = None,
        vocabulary: int | None = None,
        limit: int | None = None,
        resize: int | None = None,
        memory: str | None = None,
        audit_from: Literal["training", "test"] | None = None,
        split_seed: int = 0,
        duplicates: Literal["allow", "refuse"] | None = None,
        transforms: Sequence[TransformSpec] = (),
        nuisances: Sequence[NuisanceSpec | TaskNuisanceSpec] = (),
    ) -> Task:
        """A task of arrays in memory: checked, split and scaled exactly as the same arrays in an `.npz` file.

        Args:
            x: images `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)`; series `(n, length)`, `(n, channels, length)` or
                `(n, length, channels)`, with NaN for gaps, or a list of series of unequal lengths; tables `(n,
                columns)` or a DataFrame, with NaN for what is missing; tokens `(n, length)`. Numbers as they were
                measured.
            y: `(n,)` labels, whole numbers or strings; or what `target` says.
            name: letters, digits, - and _.
            test: examples and targets of a test part of your own; None cuts one out of `x`.
            validation: the same for a validation part.
            groups: `(n,)` numbers or strings, equal where examples of `x` belong together: no group is cut in two.
            kind: `image`, `series`, `table` or `tokens`, where the shape does not tell.
            inputs: another name of `kind`.
            channels: whether the axis of channels comes `first` or `last`, where the shape does not tell.
            target: `classification`, `ordinal`, `multilabel` or `regression`, or the mapping of a stream file with
                further keys: `{"kind": "regression", "units": ["kg"]}`.
            metric: what scores and tests are measured by; the default of the target where nothing is said.
            columns: of a DataFrame, the type of some columns: `numeric`, `categorical` or `ignore`.
            vocabulary: of tokens, how many there are.
            limit: at most so many examples in all, classes kept in proportion.
            resize: average images to so many pixels a side, or series to that length.
            memory: how much the examples may take, such as `4 GiB`.
            audit_from: `test` cuts the audit split from the test part where training is small.
            split_seed: which examples fall into which split.
            duplicates: `allow` or `refuse` examples that are there more than once; otherwise equal ones stay in one
                split.
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
        if None not in (kind, inputs) and kind != inputs:
            raise InputError(f"kind {kind!r} and inputs {inputs!r} are two names of one thing: say one of them")
        arrays = own_arrays(x, y, test=test, validation=validation, groups=groups, columns=columns)
        stated = {
            "name": name,
            "source": "npz",
            "path": f"{name}-{arrays.digest[:16]}.npz",
            "kind": kind or inputs or ("table" if arrays.columns else None),
            "channels": channels,
            "target": target if target is None or isinstance(target, str | TargetSpec) else dict(target),
            "metric": metric,
            "vocabulary": vocabulary,
            "limit": limit,
            "resize": resize,
            "memory": memory,
            "audit_from": audit_from,
            "split_seed": split_seed,
            "duplicates": duplicates,
            "transforms": list(transforms),
            "nuisances": [each.model_dump(exclude_none=True) for each in nuisances],
        }
        spec = check_model({key: value for key, value in stated.items() if value is not None}, TaskSpec)
        task, _ = _made(
            spec,
            lambda: raw_data(arrays.by_key(), kind=spec.kind, channels=spec.channels, target=spec.target),
            {},
            _plain,
        )
        return replace(task, own=Own(spec=spec, arrays=arrays))

    @classmethod
    def from_dataset(
        cls, data: object, *, name: str, test: object = None, validation: object = None, **options: Unpack[Options]
    ) -> Task:
        """A task of a PyTorch `Dataset` or a `LightningDataModule`: every sample is read once and kept.

        Args:
            data: has a length and gives `(input, answer)` by number; or a data module, whose training, validation and
                test sets become the parts.
            name: letters, digits, - and _.
            test: the same for a test part; None cuts one out of `data`.
            validation: the same for a validation part.
            options: as of `from_arrays`. The digest is over the samples, so augmentation has no place in the data set.

        Raises:
            InputError: no such data set, or samples that `from_arrays` refuses.
        """
        parts = {"train": data, "validation": validation, "test": test}
        if hasattr(data, "train_dataloader"):
            parts |= parts_of(data)
        most = TaskSpec(name="t", source="digits", memory=options.get("memory")).most_bytes
        held = {part: arrays_of(each, most=most) for part, each in parts.items() if each is not None}
        x, y = held["train"]
        return cls.from_arrays(x, y, name=name, test=held.get("test"), validation=held.get("validation"), **options)

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
            nuisance.fit(places(self.shape.size, self.shape.channels))
        if not self.digest:
            object.__setattr__(self, "digest", _content_digest(self))

    def taught(self) -> Split:
        """What a network is trained on in the end: training and validation examples, copied if they lie apart."""
        if self.together is not None:
            return self.together
        parts = (self.train, self.validation)
        return Split(x=np.concatenate([part.x for part in parts]), y=np.concatenate([part.y for part in parts]))

    def split(self, name: str) -> Split:
        """The split called `train`, `validation`, `audit` or `test`."""
        if name not in SPLITS:
            raise ShapeError(f"a task has the splits {', '.join(SPLITS)}, not {name!r}")
        part: Split = getattr(self, name)
        return part


def load_task(spec: TaskSpec, *, base: Path, report: Report = _plain) -> Task:
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
    if spec.source in _READERS:
        return _READERS[spec.source](base / str(spec.path), base, spec)
    return read_packaged(spec.source)


_READERS: Mapping[str, Callable[[Path, Path, TaskSpec], RawData]] = {
    "npz": lambda path, _, spec: stored(path, spec),
    "npy": lambda path, base, spec: read_npy(path, base / str(spec.labels), spec),
    "csv": lambda path, _, spec: read_csv(path, spec),
    "parquet": lambda path, _, spec: read_parquet(path, spec),
    "folder": lambda path, _, spec: read_folder(path, spec),
    "ts": lambda path, _, spec: raw_data(read_archive(path, spec), kind="series", channels="first", target=spec.target),
}


def load_with(
    spec: TaskSpec,
    further: Mapping[str, Part],
    *,
    base: Path,
    report: Report = _plain,
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
    spec: TaskSpec, read: Callable[[], RawData], further: Mapping[str, Part], report: Report
) -> tuple[Task, dict[str, Split]]:
    """As `load_with`, of whatever `read` gives."""
    place: Place = ("path",) if spec.source in FILES else ("source",)
    try:
        raw = read()
        found = prints(raw)
        repeats = duplicates_of(raw, found)
        if repeats and spec.duplicates == "refuse":
            raise InputError(f"duplicates: {'; '.join(repeats.sentences(allowed=True))}: the stream refuses that")
        apart = bool(repeats) and spec.duplicates != "allow"
        if apart and raw.groups is not None:
            raw = replace(raw, groups=joined_groups(raw.groups, found["x"]))
        rows = split_rows(raw, spec)
        rows = kept_apart(rows, raw, found, seed=spec.split_seed) if apart else rows
        data, target = fitted(raw, rows, spec, further=further)
        twice = repeated(data) if raw.test is not None or spec.duplicates == "allow" else 0
        near, looked_up = (
            near_copies([data.parts[name].x for name in ("train", "validation")], data.parts["test"].x)
            if raw.kind in SCALED
            else (0, 0)
        )
        told = repeats.sentences(allowed=spec.duplicates == "allow")
        if near:
            told.append(f"{near:,} of {looked_up:,} test examples are nearly the same as a training example")
        if near and spec.duplicates == "refuse":
            raise InputError(f"duplicates: {told[-1]}: the stream refuses that")
        groups = groups_of(raw, rows, spec, found if apart else None)
        for index, step in enumerate(spec.transforms):
            place = ("transforms", index)
            data = transform(data, step, seed=spec.split_seed)
        place = ("transforms",)
        target = after_transforms(target, spec)
        _check_coverage(data, target)
        if raw.kind in SCALED:
            data = standardised(data)
        for index, named in enumerate(spec.nuisances):
            place = ("nuisances", index)
            data = name_nuisance(data, nuisance_of(named, data))
    except InputError as error:
        raise InputError(
            [report(_place(p.message, place, spec), f"task {spec.name!r}: {p.message}") for p in error.problems]
        ) from error
    preparation = Preparation(
        inputs=raw.kind, raw=raw.example, dtype=raw.x.dtype.name, steps=data.steps, target=target, units=raw.units
    )
    task = Task(
        name=spec.name,
        shape=TaskShape(channels=data.parts["train"].x.shape[1], size=data.size, classes=target.outputs),
        train=data.parts["train"],
        validation=data.parts["validation"],
        audit=data.parts["audit"],
        test=data.parts["test"],
        target=target,
        inputs=raw.kind,
        preparation=preparation,
        nuisances=data.nuisances,
        succeeds=spec.succeeds or "",
        groups=groups,
        reading=sentence(raw, data, target, rows=rows, repeated=twice, duplicates=told),
        prints={} if any(step.classes is not None for step in spec.transforms) else of_splits(rows, found),
    )
    return task, {name: data.parts[name] for name in further}


# Keys that a problem is located at when its message begins with them.
_TOLD_OF = (
    "duplicates",
    "limit",
    "resize",
    "memory",
    "audit_from",
    "vocabulary",
    "columns",
    "groups",
    "split",
    "channels",
    "target",
)


def _place(message: str, place: Place, spec: TaskSpec) -> Place:
    """Of the key that a message begins with, where the spec states it; else where the task was being made."""
    word = message.split(" ", 1)[0].rstrip(":")
    return (word,) if word in _TOLD_OF and word in spec.model_fields_set else place


def _check_coverage(data: Splits, target: Target) -> None:
    """Every class in each split; numbers and labels were seen to before."""
    if not target.counted:
        return
    for name in SPLITS:
        missing = np.flatnonzero(np.bincount(data.parts[name].labels, minlength=len(target.names)) == 0)
        if len(missing):
            raise InputError(f"class {missing[0]} is missing from {name}")


def _content_digest(task: Task) -> str:
    content = hashlib.sha256()
    content.update(repr((task.shape, task.nuisances)).encode())
    if task.target.kind != "classification":  # classes are told apart by their numbers alone
        content.update(task.target.to_json().encode())
    for name in SPLITS:
        part = task.split(name)
        content.update(f"{name} {part.x.shape}".encode())
        content.update(np.ascontiguousarray(part.x).astype("<f4", copy=False).data.cast("B"))
        content.update(np.ascontiguousarray(part.y).astype("<i8" if task.target.counted else "<f4").tobytes())
    return content.hexdigest()
