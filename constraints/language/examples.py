"""Examples in a set file: an architecture or a change of policy, and which rules its author expects to fire on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from constraints.language.lexicon import Scope
from constraints.language.rules import Example, PolicyChange
from selfnas.acquisition.expression import spelled
from selfnas.acquisition.parser import parse_program
from selfnas.documents import StrictModel
from selfnas.errors import ArchitectureError, InputError, suggestion
from selfnas.spaces.architecture import Architecture, Macro, TaskShape
from selfnas.spaces.named import parse_architecture, space_named

__all__ = ["ExampleModel", "format_shape", "parse_shape", "read_example"]

_SHAPE = re.compile(r"(\d{1,5})(?:x(\d{1,6})(?:x(\d{1,6}))?)?/(\d{1,6})")


class ExampleModel(StrictModel):
    """One example: `cell` (with `shape` when network rules are to be judged too), or `old` and `new`."""

    cell: Annotated[str, Field(max_length=4096)] | None = None
    shape: str | None = None
    old: dict[str, int | str] | None = None
    new: dict[str, int | str] | None = None
    by: list[str] | None = None


def parse_shape(text: str) -> TaskShape:
    """A task shape written `channels [x size [x size]] / classes`; a table has no size.

    Raises:
        ArchitectureError: not such a text.

    Example:
        >>> parse_shape("3x32x32/10").size, format_shape(parse_shape("1x40/10")), parse_shape("13/3").size
        ((32, 32), '1x40/10', ())
    """
    match = _SHAPE.fullmatch(text.replace(" ", ""))
    if not match:
        raise ArchitectureError(f"a task shape reads '3x32x32/10' (channels, sizes, classes), not {text[:40]!r}")
    size = tuple(int(part) for part in match.groups()[1:3] if part is not None)
    return TaskShape(channels=int(match[1]), size=size, classes=int(match[4]))


def format_shape(shape: TaskShape) -> str:
    """What `parse_shape` reads."""
    return "x".join(map(str, (shape.channels, *shape.size))) + f"/{shape.classes}"


def read_example(
    model: ExampleModel, rule: str, admitted: bool, scopes: Mapping[str, Scope], spaces: tuple[str, ...]
) -> Example | str:
    """The example, or what is wrong with it.

    Args:
        model: as written.
        rule: the rule it stands under, expected to fire when `by` is left out.
        admitted: whether it stands under `admit`.
        scopes: the scope of every rule of the set.
        spaces: where a cell without a space is looked for, in order.
    """
    policy = scopes[rule] == "policy"
    if policy != (model.cell is None) or (model.old is None or model.new is None) == policy:
        return "an example of a policy rule has 'old' and 'new', every other one has 'cell'"
    if admitted and model.by is not None:
        return "'by' names the rules that reject: it does not fit under 'admit'"
    by = frozenset() if admitted else frozenset([rule] if model.by is None else model.by)
    for name in sorted(by):
        if name not in scopes:
            return f"unknown rule {name!r} in 'by'{suggestion(name, sorted(scopes))}"
    if not admitted and rule not in by:
        return f"'by' must name {rule!r}, the rule this example stands under"
    try:
        shape = None if model.shape is None else parse_shape(model.shape)
        if model.cell is None:
            change = PolicyChange(old=_policy(model.old or {}), new=_policy(model.new or {}))
            return Example(subject=change, shape=None, by=by)
        subject = _architecture(model.cell, spaces)
    except (ArchitectureError, InputError) as error:
        return str(error)
    if shape is None and any(scopes[name] == "network" for name in (rule, *by)):
        return "an example of a network rule needs 'cell: space/c16n5r32:…' and 'shape: 3x32x32/10'"
    if shape is not None and "/" not in model.cell:
        return f"an example with a shape needs its macro settings too: 'cell: {spaces[0]}/c16n5r32:…'"
    return Example(subject=subject, shape=shape, by=by)


def _policy(values: Mapping[str, int | str]) -> dict[str, int | str]:
    """The fields of a policy, its program in its one spelling."""
    for name, value in values.items():
        if name != "acquisition" and not isinstance(value, int):
            raise InputError(f"{name} is a whole number, not {value!r}")
    return {name: spelled(parse_program(str(x))) if name == "acquisition" else x for name, x in values.items()}


def _architecture(text: str, spaces: tuple[str, ...]) -> Architecture:
    """A full architecture text, or cells alone of the first space they fit."""
    if "/" in text:
        architecture = parse_architecture(text)
        if architecture.space.base not in spaces:
            raise ArchitectureError(f"space {architecture.space.name!r} is not one of the set's: {', '.join(spaces)}")
        return architecture
    fault: ArchitectureError | None = None
    for name in spaces:
        try:
            return space_named(name).parse_cells(text, macro=Macro())
        except ArchitectureError as error:
            fault = fault or error
    raise fault or ArchitectureError("the set is for no space")
