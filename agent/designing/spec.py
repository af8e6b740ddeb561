"""Design specifications: what a network has to be for, and what it may cost, as a file that people write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from constraints.language.examples import parse_shape
from selfnas.documents import StrictModel, read_document
from selfnas.errors import InputError, Problem, SelfnasError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.macro import parse_macro
from selfnas.spaces.named import space_named

__all__ = ["DesignSpec", "Target", "read_spec", "read_target"]

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


class DesignSpec(StrictModel):
    """A design specification.

    Attributes:
        design: its name.
        format: 1.
        space: name of a search space.
        macro: how cells are stacked, as `c8n1r8`; or several ways, of which one is chosen.
        shape: of the task, as `1x28x28/10`.
        constraints: name or file of the constraint set that holds besides.
        precision: of the file.
        targets: by name: `parameters`, `macs`, `activations`, `file`, `accuracy`, `latency_p95`.
    """

    design: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    format: Literal[1]
    space: str
    macro: str | Annotated[list[str], Field(min_length=1, max_length=64)]
    shape: str
    constraints: str = "baseline"
    precision: Literal["float32", "int8"] = "float32"
    targets: Annotated[dict[str, str], Field(min_length=1)]

    @property
    def ways(self) -> tuple[Macro, ...]:
        """To stack cells."""
        return tuple(parse_macro(each) for each in ([self.macro] if isinstance(self.macro, str) else self.macro))

    @property
    def task_shape(self) -> TaskShape:
        """Of the task."""
        return parse_shape(self.shape)

    @property
    def read_targets(self) -> tuple[Target, ...]:
        """In the order of the file."""
        return tuple(read_target(name, text) for name, text in self.targets.items())


def read_spec(path: Path) -> DesignSpec:
    """A specification from its file.

    Raises:
        InputError: it is none; carries every problem with its line and column.
    """
    document = read_document(path, DesignSpec)
    spec, problems = document.value, list[Problem]()
    parts: list[tuple[tuple[str | int, ...], Callable[[], object]]] = [
        (("space",), lambda: space_named(spec.space)),
        (("macro",), lambda: spec.ways),
        (("shape",), lambda: spec.task_shape),
        *((("targets", name), partial(read_target, name, text)) for name, text in spec.targets.items()),
    ]
    for place, read in parts:
        try:
            read()
        except (SelfnasError, ValueError) as error:
            problems.append(document.problem(place, str(error)))
    if problems:
        raise InputError(problems)
    return spec
