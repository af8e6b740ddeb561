"""How a person states a task: its source, what is asked, and which variant of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from selfnas.data.columns import ColumnType
from selfnas.data.regions import Nuisance, Region
from selfnas.data.targets import InputKind, TargetSpec
from selfnas.documents import StrictModel

__all__ = [
    "FILES",
    "PACKAGED_SOURCES",
    "Nuisance",
    "NuisanceSpec",
    "PlantedNuisance",
    "Region",
    "Seed",
    "TaskSpec",
    "TransformSpec",
]

PACKAGED_SOURCES = ("digits", "mnist5k", "mnist1d")
FILES = ("npz", "npy", "csv", "parquet", "folder", "ts")  # sources whose examples are where `path` says

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ColumnName = Annotated[str, Field(min_length=1, max_length=256)]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MEMORY = re.compile(r"^([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(MiB|GiB|MB|GB)$")
_UNITS: Mapping[str, int] = {"MiB": 2**20, "GiB": 2**30, "MB": 10**6, "GB": 10**9}


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


class TaskNuisanceSpec(StrictModel):
    """What should not decide the answer of a task: a region of its finished input, or a column of its table.

    Attributes:
        name: as audits call it.
        region: one `[start, stop]` for each dimension.
        column: of a table, as the source calls it.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    region: Annotated[list[list[int]], Field(min_length=1, max_length=2)] | None = None
    column: ColumnName | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> TaskNuisanceSpec:
        if (self.region is None) == (self.column is None):
            raise ValueError("a nuisance is a region or a column")
        if self.region is not None:
            self.nuisance()
        return self

    def nuisance(self) -> Nuisance:
        """The region that it stands for, not yet checked against an input."""
        return NuisanceSpec(name=self.name, region=self.region or []).nuisance()


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


class TaskSpec(StrictModel):
    """A task as written in a stream file.

    Attributes:
        name: letters, digits, - and _; begins with a letter or digit.
        source: `digits`, `mnist5k` (images), `mnist1d` (series); `npz`, `npy`, `csv`, `parquet`, `folder`, `ts` (files
            of your own); `table` (a benchmark that is looked up); or a source of a plug-in.
        path: the file or folder, relative to the stream file; for your own files and `table` only. A table without a
            path is the synthetic one of `selfnas.tables.tabular.synthetic_benchmark`.
        labels: the `.npy` file of the labels; for the source `npy` only.
        dataset: which task of the table; for the source `table` only.
        succeeds: an earlier task that this one carries on; what a suite plants for that one it plants here.
        kind: `image`, `series`, `table` or `tokens`, where the shape of the arrays does not tell.
        channels: whether the axis of channels comes `first` or `last` in an example, where the shape does not tell.
        target: what is asked of each example; classification where nothing is said.
        metric: what scores and tests are measured by (`selfnas.training.metrics`); that of the stream, or of the kind
            of target, where nothing is said.
        vocabulary: how many tokens there are, 0 to one less; the largest that occurs and one where nothing is said.
        columns: of a file with columns, the type of some: `numeric`, `categorical` or `ignore`. Of the others it is
            told by their values, and said when a run begins.
        groups: of a file with columns, the one that says which examples belong together; no group is cut in two.
        split: of a file with columns, the one that says `train`, `validation` or `test` of each example.
        delimiter: of a CSV file; a comma where nothing is said, a tab in a `.tsv` file.
        limit: at most so many examples in all, classes kept in proportion.
        resize: average images to so many pixels a side, or series to that length; only ever smaller.
        amplitude: of series. `own` brings each to its own mean and deviation, which follow as channels; `common` scales
            all alike. Where nothing is said, it is `own` where loud series deviate ten times as much as quiet ones.
        memory: how much the examples may take, such as `4 GiB`, after `limit` and `resize`; 1 GiB where nothing is
            said.
        audit_from: `training` cuts the audit split from the training part and leaves a test part whole; `test` cuts it
            from the test part where training is small.
        split_seed: which examples fall into which split.
        duplicates: what is done about examples that the source holds more than once. Where nothing is said they stay
            together in one split, and training examples that a test or validation part of the source holds too are
            left out; `allow` takes them as they are, `refuse` stops before anything is trained.
        transforms: applied in order, after the inputs were brought to mean 0 and standard deviation 1.
        nuisances: regions of the finished input, or columns of a table, that should not decide the answer.
    """

    name: str
    source: Annotated[
        str, WithJsonSchema({"anyOf": [{"enum": [*PACKAGED_SOURCES, *FILES, "table"]}, {"type": "string"}]})
    ]  # `load_task` says what is unknown
    path: str | None = None
    labels: str | None = None
    dataset: str | None = None
    succeeds: str | None = None
    kind: InputKind | None = None
    channels: Literal["first", "last"] | None = None
    target: TargetSpec | None = None
    metric: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    vocabulary: Annotated[int, Field(ge=2, le=2**31)] | None = None
    columns: Annotated[dict[ColumnName, ColumnType], Field(min_length=1, max_length=10_000)] | None = None
    groups: ColumnName | None = None
    split: ColumnName | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    limit: Annotated[int, Field(ge=8, le=10**9)] | None = None
    resize: Annotated[int, Field(ge=4, le=4096)] | None = None
    amplitude: Literal["own", "common"] | None = None
    memory: Annotated[str, Field(pattern=_MEMORY.pattern)] | None = None
    audit_from: Literal["training", "test"] | None = None
    split_seed: Seed = 0
    duplicates: Literal["allow", "refuse"] | None = None
    transforms: list[TransformSpec] = Field(default_factory=list, max_length=16)
    nuisances: list[TaskNuisanceSpec] = Field(default_factory=list, max_length=16)

    @property
    def nuisance_names(self) -> tuple[str, ...]:
        """Of every nuisance of the loaded task, planted or only named, in order."""
        planted = (step.nuisance.name for step in self.transforms if step.nuisance is not None)
        return (*planted, *(each.name for each in self.nuisances))

    @property
    def most_bytes(self) -> int:
        """How much memory the examples may take.

        Example:
            >>> TaskSpec(name="t", source="digits", memory="2 GiB").most_bytes
            2147483648
        """
        match = _MEMORY.fullmatch(self.memory or "1 GiB")
        return int(float(match[1]) * _UNITS[match[2]]) if match else 0

    @field_validator("name", "succeeds")
    @classmethod
    def _plain_name(cls, name: str | None) -> str | None:
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError("a task's name has 1 to 64 letters, digits, - and _, and begins with a letter or digit")
        return name

    @field_validator("path", "labels")
    @classmethod
    def _usable_path(cls, path: str | None) -> str | None:
        if path is not None and (not path or "\0" in path):
            raise ValueError("a path is the name of a file or folder")
        return path

    @model_validator(mode="after")
    def _keys_of_source(self) -> TaskSpec:
        if self.source in FILES and self.path is None:
            raise ValueError(f"source {self.source} needs a path")
        if self.source == "npy" and self.labels is None:
            raise ValueError("source npy needs labels, the .npy file that holds them")
        if (self.source == "table") != (self.dataset is not None):
            raise ValueError("source table needs a dataset, and no other source has one")
        if self.source == "table":
            stated = self.model_dump(exclude_none=True, exclude=_OF_TABLES)
            if any(stated.values()):
                raise ValueError(f"a table has no examples: leave out {', '.join(k for k, v in stated.items() if v)}")
            return self
        for key, sources in _SOURCES_OF.items():
            if getattr(self, key) is not None and self.source not in sources:
                raise ValueError(f"{key} goes with source {' or '.join(sources)}, not with {self.source}")
        if self.vocabulary is not None and self.kind != "tokens":
            raise ValueError("a vocabulary is of token sequences: say `kind: tokens`")
        return self


_OF_TABLES = {"name", "source", "path", "dataset", "succeeds"}
_WITH_COLUMNS = ("csv", "parquet")
_SOURCES_OF: Mapping[str, tuple[str, ...]] = {
    "path": FILES,
    "labels": ("npy",),
    "kind": FILES,
    "channels": ("npz", "npy"),
    "columns": _WITH_COLUMNS,
    "groups": _WITH_COLUMNS,
    "split": _WITH_COLUMNS,
    "delimiter": ("csv",),
}
