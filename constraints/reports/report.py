"""What a command prints, as text for people and as a record for machines, and what the reports share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from constraints.judging.admitted import CountInterval
from constraints.judging.guard import Guard
from constraints.language.examples import parse_shape
from constraints.language.rules import ConstraintSet, Context
from constraints.loading.tightening import reference_contexts
from selfnas.errors import ArchitectureError, InputError, suggestion
from selfnas.networks.stack import stack
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.macro import parse_macro
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
    """The contexts that options ask for: one space, or each that the set (or both sets) are for and the shape fits.

    Args:
        set_: whose spaces are meant.
        space: one of them; empty for all.
        macro: empty for the first reference setting of each space.
        shape: empty for that of the first reference setting.
        also: a second set.

    Raises:
        InputError: an option that cannot be read, or a space the sets are not for.
    """
    shared = [name for name in set_.spaces if also is None or name in also.spaces]
    if space and space not in shared:
        raise InputError(f"set {set_.name!r} is not for space {space!r}{suggestion(space, shared)}")
    try:
        found = [_context(space_named(name), macro, shape) for name in ([space] if space else shared)]
    except ArchitectureError as error:
        raise InputError(str(error)) from error
    fitting = [context for context in found if context.shape.dimensions in context.space.dimensions]
    if found and not fitting:
        raise InputError(f"shape {shape} does not fit space {', '.join(str(context.space) for context in found)}")
    return fitting


def _context(space: Space, macro: str, shape: str) -> Context:
    """Of a space, with the first reference setting in place of what is not given."""
    usual = reference_contexts(space)[0]
    return Context(
        space=space,
        macro=parse_macro(macro) if macro else usual.macro,
        shape=parse_shape(shape) if shape else usual.shape,
    )


def judged(set_: ConstraintSet, text: str, space: str, shape: str) -> tuple[Architecture, Guard]:
    """The architecture that a text names, and the set compiled for it.

    Raises:
        InputError: not an architecture, or not a task shape that fits it.
    """
    try:
        if "/" in text:
            architecture = parse_architecture(text)
            context = _context(architecture.space, str(architecture.macro), shape)
        else:
            context = _context(space_named(space or set_.spaces[0]), "", shape)
            architecture = context.space.parse_cells(text, macro=context.macro)
        guard = Guard.of(set_, context)
        stack(context.space, context.macro, context.shape)
    except ArchitectureError as error:
        raise InputError(str(error)) from error
    return architecture, guard


def say_count(count: CountInterval) -> str:
    """A count as people read it."""
    return f"{count.value:,}" if count.exact else f"about {count.value:,} ({count.low:,} to {count.high:,}, estimate)"
