"""What a command prints, as text for people and as a record for machines, and what the reports share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from constraints.judging.admitted import CountInterval
from constraints.judging.guard import Guard
from constraints.language.examples import parse_macro, parse_shape
from constraints.language.rules import ConstraintSet, Context
from selfnas.errors import ArchitectureError, InputError, suggestion
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.named import parse_architecture, space_named

__all__ = ["Report", "chosen_contexts", "judged", "say_count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one command found."""

    text: str  # for people
    record: Mapping[str, object]  # for machines
    failed: bool = False  # whether a check failed, hence exit code 1

    def to_json(self) -> str:
        """The record as one JSON document."""
        return json.dumps(self.record, sort_keys=True, indent=2)


def chosen_contexts(
    set_: ConstraintSet, *, space: str, macro: str, shape: str, also: ConstraintSet | None = None
) -> list[Context]:
    """The contexts that options ask for: one space, or each that the set (or both sets) are for.

    Raises:
        InputError: an option that cannot be read, or a space the sets are not for.
    """
    shared = [name for name in set_.spaces if also is None or name in also.spaces]
    if space and space not in shared:
        raise InputError(f"set {set_.name!r} is not for space {space!r}{suggestion(space, shared)}")
    try:
        return [
            Context(space=space_named(name), macro=parse_macro(macro), shape=parse_shape(shape))
            for name in ([space] if space else shared)
        ]
    except ArchitectureError as error:
        raise InputError(str(error)) from error


def judged(set_: ConstraintSet, text: str, space: str, shape: str) -> tuple[Architecture, Guard]:
    """The architecture that a text names, and the set compiled for it.

    Raises:
        InputError: not an architecture, or not a task shape.
    """
    try:
        if "/" in text:
            architecture = parse_architecture(text)
        else:
            name = space or set_.spaces[0]
            architecture = space_named(name).parse_cells(text, macro=Macro(channels=8, depth=1, resolution=16))
        context = Context(space=architecture.space, macro=architecture.macro, shape=parse_shape(shape))
    except ArchitectureError as error:
        raise InputError(str(error)) from error
    return architecture, Guard.of(set_, context)


def say_count(count: CountInterval) -> str:
    """A count as people read it."""
    return f"{count.value:,}" if count.exact else f"about {count.value:,} ({count.low:,} to {count.high:,}, estimate)"
