"""Design specifications: what a network has to be for, and what it may cost, as a file that people write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from agent.stream.file import BudgetSection
from agent.stream.policy import SearchPolicy
from agent.stream.training import CrossValidationSection, FidelitySection, TrainingSection
from constraints.language.examples import parse_shape
from selfnas.data.tasks import TaskSpec
from selfnas.digests import canonical_json
from selfnas.documents import Document, StrictModel, parse_document, read_text
from selfnas.errors import ArchitectureError, InputError, Problem, SelfnasError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.macro import parse_macro
from selfnas.spaces.named import space_named
from selfnas.spaces.stacked import Choices

__all__ = ["DesignSpec", "Precision", "SearchSection", "Target", "parse_spec", "read_spec", "read_target"]

Precision = Literal["float32", "int8"]
_COUNT = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_SIZE = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TIME = {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000)}
_UNITS: Mapping[str, Mapping[str, int | Fraction]] = {
    "parameters": _COUNT, "macs": _COUNT, "activations": _SIZE, "file": _SIZE, "accuracy": {"": 1}, "latency_p95": _TIME
}  # fmt: skip
_WAYS = {"file": ("<=",), "latency_p95": ("<=",), "accuracy": (">=",)}  # others go both ways
_WHERE = {"accuracy": "audit", "latency_p95": "batch 1"}
_TARGET = re.compile(r"\s*(<=|>=)\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([A-Za-z]{0,3})\s*(?:@\s*([a-z0-9 ]{1,20}?)\s*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of a specification.

    Attributes:
        name: what is limited.
        least: whether the limit is the least rather than the most.
        limit: in numbers, bytes, a share or milliseconds.
        text: as it was written.
    """

    name: str
    least: bool
    limit: Fraction
    text: str

    def __str__(self) -> str:
        return f"{self.name} {self.text}"

    def kept_by(self, value: float) -> bool:
        """Whether a value is on the right side of the limit."""
        return value >= self.limit if self.least else value <= self.limit


def read_target(name: str, text: str) -> Target:
    """A target as people write it.

    Raises:
        ValueError: of no known quantity, not of that form, or in a unit that does not fit.

    Example:
        >>> read_target("file", "<= 1.5 kB").limit, read_target("macs", "<= 2 M").limit
        (Fraction(1500, 1), Fraction(2000000, 1))
    """
    if name not in _UNITS:
        raise ValueError(f"there is no target {name!r}: there are {', '.join(_UNITS)}")
    found, units = _TARGET.fullmatch(text), _UNITS[name]
    if found is None:
        raise ValueError(f"{name}: {text[:60]!r} does not read '<= 300 kB' or '>= 0.97 @audit'")
    way, number, unit, where = found.groups()
    if unit not in units:
        known = ", ".join(each or "no unit" for each in units)
        raise ValueError(f"{name}: {unit or 'no unit'!r} does not fit: {known}")
    if way not in _WAYS.get(name, ("<=", ">=")):
        raise ValueError(f"{name}: {way} cannot be asked for")
    if where is not None and where != _WHERE.get(name):
        told = f"@{_WHERE[name]} alone" if name in _WHERE else "nothing"
        raise ValueError(f"{name}: @{where} cannot be asked for, {told}")
    limit = Fraction(number) * units[unit]
    if name == "accuracy" and limit > 1:
        raise ValueError("accuracy: more than 1 cannot be asked for")
    return Target(name=name, least=way == ">=", limit=limit, text=" ".join(text.split()))


class SearchSection(StrictModel):
    """How it is searched: keys of a stream file, with the same defaults.

    Attributes:
        seed: of the run.
        audits: name or file of the audit suite.
        budget: the ceiling of trainings.
        low: how thoroughly candidates are trained.
        full: how thoroughly finalists are trained.
        training: of the optimiser, with the recipe.
        cross_validation: of candidates of small tasks.
        policy: how the agent searches.
    """

    seed: int = Field(default=0, ge=0, lt=2**62)
    audits: str = "baseline"
    budget: BudgetSection = BudgetSection()
    low: FidelitySection = FidelitySection(epochs=3)
    full: FidelitySection = FidelitySection(epochs=15, patience=6)
    training: TrainingSection = TrainingSection()
    cross_validation: CrossValidationSection | None = None
    policy: SearchPolicy = SearchPolicy()


class DesignSpec(StrictModel):
    """A design specification.

    Attributes:
        design: its name.
        format: 1.
        task: as a stream states one; left out, it is only decided whether there can be a network.
        space: name of a search space; left out, the one that fits the task's inputs.
        macro: how cells are stacked, as `c8n1r8`; or several ways, of which one is chosen. Left out, what fits the
            task.
        shape: of the task, as `1x28x28/10`; left out, that of the task's data.
        constraints: name or file of the constraint set that holds besides.
        precision: of the file; left out, both are written, and measuring decides.
        target: the runtime that the file is measured in.
        search: how it is searched.
        targets: by name: `parameters`, `macs`, `activations`, `file`, `accuracy`, `latency_p95`.
    """

    design: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    format: Literal[1]
    task: TaskSpec | None = None
    space: str | None = None
    macro: str | Annotated[list[str], Field(min_length=1, max_length=64)] | None = None
    shape: str | None = None
    constraints: str = "baseline"
    precision: Precision | None = None
    target: Literal["onnxruntime-cpu"] = "onnxruntime-cpu"
    search: SearchSection = SearchSection()
    targets: Annotated[dict[str, str], Field(min_length=1)]

    @property
    def ways(self) -> tuple[Macro, ...]:
        """To stack cells; none where that is left to the task."""
        each = [self.macro] if isinstance(self.macro, str) else self.macro or []
        return tuple(parse_macro(one) for one in each)

    @property
    def choices(self) -> Choices:
        """The same as the values of each setting.

        Raises:
            ArchitectureError: values of each setting allow further ways.
        """
        ways = self.ways
        names = ("channels", "depth", "resolution", "stem", "head")
        made = Choices(**{name: tuple(dict.fromkeys(getattr(way, name) for way in ways)) for name in names})
        if beyond := [str(each) for each in made if each not in ways]:
            raise ArchitectureError(
                f"a search chooses each setting by itself, so these ways allow {', '.join(beyond[:3])} as well: list it"
            )
        return made

    @property
    def task_shape(self) -> TaskShape:
        """Of the task."""
        return parse_shape(str(self.shape))

    @property
    def read_targets(self) -> tuple[Target, ...]:
        """In the order of the file."""
        return tuple(read_target(name, text) for name, text in self.targets.items())

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """That a file may have."""
        return get_args(Precision) if self.precision is None else (self.precision,)

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says, not of comments, order or spelling."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json", exclude_none=True)).encode()).hexdigest()


def read_spec(path: Path) -> Document[DesignSpec]:
    """A specification from its file.

    Raises:
        InputError: it is none; carries every problem with its line and column.
    """
    return parse_spec(read_text(path), name=str(path))


def parse_spec(text: str, *, name: str) -> Document[DesignSpec]:
    """The same of a text; `name` stands for the file in messages."""
    document = parse_document(text, DesignSpec, name=name)
    spec, problems = document.value, list[Problem]()
    parts: list[tuple[tuple[str | int, ...], Callable[[], object]]] = [
        *((("targets", each), partial(read_target, each, told)) for each, told in spec.targets.items()),
    ]
    if spec.shape is not None:
        parts.insert(0, (("shape",), lambda: spec.task_shape))
    if spec.macro is not None:
        parts.insert(0, (("macro",), lambda: spec.ways if spec.task is None else spec.choices))
    if spec.space is not None:
        parts.insert(0, (("space",), lambda: space_named(str(spec.space))))
    for place, read in parts:
        try:
            read()
        except (SelfnasError, ValueError) as error:
            problems.append(document.problem(place, str(error)))
    lacking = [key for key in ("space", "macro", "shape") if getattr(spec, key) is None]
    if spec.task is None and lacking:
        problems.append(document.problem((), f"without a task it needs {', '.join(lacking)}"))
    if spec.task is not None and spec.task.source == "table":
        problems.append(document.problem(("task", "source"), "a table gives no network that could be written"))
    if problems:
        raise InputError(problems)
    return document
