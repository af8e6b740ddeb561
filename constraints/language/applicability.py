"""Where a rule applies: the `when` of a rule, parsed and decided on facts about the space, the cell and the task.

Decided once, when a set is compiled; facts that are not known yet leave the answer open. A condition must fit every
cell that it applies to: one that named a missing node would mean something different in every engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from constraints.language.lexicon import Scope
from constraints.language.parser import Fault, parse
from constraints.language.syntax import Comparison, Condition, End, Measure, Total, compare, walk
from selfnas.errors import suggestion
from selfnas.spaces.architecture import Space
from selfnas.spaces.named import spaces_by_name
from selfnas.spaces.template import CellTemplate

__all__ = ["Facts", "When", "WhenNode", "WhenNumber", "WhenText", "applies", "misfits", "read_when"]

Facts: TypeAlias = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class WhenText:
    """`space` or `cell` is, or is not, one of some names."""

    fact: str
    names: frozenset[str]
    negated: bool


@dataclass(frozen=True, slots=True)
class WhenNumber:
    """A number of the task or the macro settings against a limit."""

    fact: str
    comparison: Comparison
    limit: int


@dataclass(frozen=True, slots=True)
class WhenNode:
    """A connective."""

    operator: Literal["not", "and", "or"]
    items: tuple[When, ...]


When: TypeAlias = "WhenText | WhenNumber | WhenNode"


def applies(when: When | None, facts: Facts) -> bool | None:
    """Whether a rule applies; None when that hangs on a fact that is not given.

    Example:
        >>> tree, _ = read_when("space == nb201 and size >= 16")
        >>> applies(tree, {"space": "darts"}), applies(tree, {"space": "nb201"})
        (False, None)
    """
    if when is None:
        return True
    if isinstance(when, WhenNode):
        answers = [applies(item, facts) for item in when.items]
        if when.operator == "not":
            return None if answers[0] is None else not answers[0]
        decisive = when.operator == "or"
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    value = facts.get(when.fact)
    if value is None:
        return None
    if isinstance(when, WhenText):
        return (value in when.names) != when.negated
    return compare(int(value), when.comparison, when.limit)


def read_when(text: str) -> tuple[When | None, list[Fault]]:
    """The tree of a `when`, with everything that is wrong in it.

    Example:
        >>> read_when("space == nb21")[1]
        [Fault(offset=9, message="unknown space 'nb21'; did you mean 'nb201'?")]
    """
    tree = parse(text, "when")
    if isinstance(tree, Fault):
        return None, [tree]
    faults: list[Fault] = []
    return _read(tree.children[0], faults), faults


def _read(tree: Any, faults: list[Fault]) -> When:
    kind, parts = str(tree.data), tree.children
    if kind in ("when_or", "when_and", "when_negation"):
        operator: Literal["not", "and", "or"] = "or" if kind == "when_or" else "and" if kind == "when_and" else "not"
        return WhenNode(operator, tuple(_read(part, faults) for part in parts))
    fact = str(parts[0])
    if kind == "when_number":
        digits = str(parts[2]).replace("_", "")
        if len(digits) > 9:
            faults.append(Fault(int(parts[2].start_pos), "a number in 'when' has at most nine digits"))
            digits = "0"
        return WhenNumber(fact, str(parts[1]), int(digits))  # type: ignore[arg-type]
    words = parts[2:] if kind == "when_word" else parts[1:]
    spaces = spaces_by_name()
    known = sorted(spaces) if fact == "space" else sorted({t.name for s in spaces.values() for t in s.templates})
    for word in words:
        if str(word) not in known:
            faults.append(Fault(int(word.start_pos), f"unknown {fact} {str(word)!r}{suggestion(str(word), known)}"))
    return WhenText(fact, frozenset(map(str, words)), kind == "when_word" and str(parts[1]) == "!=")


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
