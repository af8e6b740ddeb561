"""Whether a condition fits the spaces its set is for: nodes that exist, tables that know every operation.

A rule that named a missing node would mean something different in every engine, so it is refused when read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from constraints.language.applicability import Facts, When, applies
from constraints.language.lexicon import Scope
from constraints.language.parser import Fault
from constraints.language.syntax import Condition, End, Measure, Total, walk
from selfnas.spaces.architecture import Space
from selfnas.spaces.template import CellTemplate

__all__ = ["misfits"]


def misfits(condition: Condition, scope: Scope, when: When | None, spaces: Iterable[Space]) -> list[Fault]:
    """Everything in a condition that some cell it applies to does not have, each once."""
    if scope == "policy":
        return []
    found: dict[Fault, None] = {}
    for space in spaces:
        for template in space.templates:
            facts: Facts = {"space": space.name, "cell": template.name} if scope == "cell" else {"space": space.name}
            if applies(when, facts) is not False:
                found.update(dict.fromkeys(_misfits(condition, space.name, template)))
    return list(found)


def _misfits(condition: Condition, space: str, template: CellTemplate) -> Iterator[Fault]:
    cell = space if template.name == "cell" else f"{space} {template.name}"
    for part in walk(condition):
        if isinstance(part, End) and part.kind == "node" and part.number >= template.nodes:
            yield Fault(
                part.at,
                f"node {part.number} is not in a {cell} cell, whose nodes are 0..{template.nodes - 1}; "
                f"restrict the rule with 'when' or choose another node",
            )
        if isinstance(part, (Measure, Total)) and part.name:
            known = {operation for operation, _ in part.table}
            missing = [operation for operation in template.names if operation not in known]
            if missing:
                yield Fault(part.at, f"table {part.name!r} has no entry for {', '.join(missing)} of space {space}")
