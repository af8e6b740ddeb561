"""Rules and constraint sets as values, and the digests that pin what they mean.

A digest covers meaning only: which architectures pass each rule, by id and in order. Names of sets, comments, `why`,
`message` and examples may be improved without changing it; so may the names of operation sets and tables, since
conditions hold what those stand for.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from constraints.language.applicability import When
from constraints.language.lexicon import Scope, Table
from constraints.language.syntax import Condition, canonical
from selfnas.networks.costs import Quantity, cost_table
from selfnas.plugins import Plugin
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.composed import is_composed
from selfnas.spaces.operations import OPERATIONS

__all__ = ["LANGUAGE", "ConstraintSet", "Context", "Example", "PolicyChange", "Rule"]

LANGUAGE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """A search policy before and after a change: whole numbers by field, and the text of its program if it has one."""

    old: Mapping[str, int | str]
    new: Mapping[str, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What an author expects of one architecture, or of one policy change.

    Attributes:
        subject: what is judged.
        shape: the task it is built for; None when only rules of scope cell are judged.
        by: rules expected to fire, and no others; empty when it is to be admitted.
        line: where it stands in the file.
        column: where it stands in the file.
    """

    subject: Architecture | PolicyChange
    shape: TaskShape | None
    by: frozenset[str]
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a set.

    Attributes:
        id: unique in its set.
        scope: judged on each cell, on the whole network, or on a change of policy.
        when: where it applies; None means everywhere.
        forbids: whether the condition must not hold.
        condition: the syntax tree.
        text: the condition as its author wrote it.
        why: the reason for it.
        message: what a person is told when it fires.
        examples: what the author expects.
        implied_by: rules that together make it redundant somewhere, as its author knows; lint confirms it.
        origin: the file it comes from.
        line: where it starts in that file; 0 when it was not read from one.
    """

    id: str
    scope: Scope
    when: When | None = None
    forbids: bool = False
    condition: Condition
    text: str
    why: str
    message: str
    examples: tuple[Example, ...] = ()
    implied_by: tuple[str, ...] = ()
    origin: str = ""
    line: int = 0

    @property
    def meaning(self) -> str:
        """One spelling per meaning: what digests are made of."""
        return canonical((self.id, self.scope, self.when, self.forbids, self.condition))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintSet:
    """Rules that hold together.

    Attributes:
        name: what people call it.
        spaces: where it may be used.
        rules: in the order of the file, imported ones first.
        opsets: named sets of operations.
        tables: named numbers by operation.
        plugins: whose spaces and quantities it uses; in force while its text, or texts of its spaces, are read.
        path: of the file it was read from, or the name its text was given; empty when there is neither.
        text: a file that reads as this set wherever it is put.
    """

    name: str
    spaces: tuple[str, ...]
    rules: tuple[Rule, ...]
    opsets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    path: str = ""
    text: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over the rules' meaning, in hexadecimal; independent of space, macro settings and task."""
        return _digest({"language": LANGUAGE, "rules": [rule.meaning for rule in self.rules]})

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Of its plug-ins, by name."""
        found = [plugin.parts.get("quantities", {}) for plugin in self.plugins]
        return {name: part for parts in found for name, part in parts.items() if isinstance(part, Quantity)}

    def of_scope(self, *scopes: Literal["cell", "network", "policy"]) -> tuple[Rule, ...]:
        """The rules of some scopes, in order."""
        return tuple(rule for rule in self.rules if rule.scope in scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a set is compiled for: a space, how its cells are stacked, and the task's shape."""

    space: Space
    macro: Macro
    shape: TaskShape

    def facts(self, cell: str) -> dict[str, str | int]:
        """What `when` may ask about a cell here."""
        return {"cell": cell, **self.network_facts()}

    def network_facts(self) -> dict[str, str | int]:
        """What `when` may ask about the network as a whole."""
        return {
            "space": self.space.base,
            "dimensions": self.shape.dimensions,
            "task_channels": self.shape.channels,
            "classes": self.shape.classes,
            "size": min(self.shape.size, default=0),
            "width": self.macro.channels,
            "cells_per_stage": self.macro.depth,
        }

    def digest(self, set_digest: str) -> str:
        """SHA-256 over a set's digest, space and plug-ins, macro settings, shape and cost tables."""
        return _digest({"set": set_digest, "context": _context_text(self)})


@functools.lru_cache(maxsize=256)
def _context_text(context: Context) -> str:
    table = cost_table(context.space, context.macro, context.shape)
    costs = [[*key, spent.params, spent.macs, spent.activation_bytes] for key, spent in sorted(table.slots.items())]
    fixed = [table.fixed.params, table.fixed.macs, table.fixed.activation_bytes]
    templates = [
        [t.name, t.inputs, t.nodes, t.outputs, t.names, t.in_degree, t.reduces] for t in context.space.templates
    ]
    shape = [context.shape.channels, context.shape.size, context.shape.classes]
    known = [context.space.name, templates, str(context.macro), shape, fixed, costs]
    foreign = [
        one for one in context.space.operations.values() if one.name not in OPERATIONS and not is_composed(one.name)
    ]
    if foreign:  # what rules ask of operations that are not our own, beside their costs
        known.append([[one.name, one.reach(), one.reach(stride=2)] for one in foreign])
    if context.space.origin:  # what its operations compute besides
        known.append(context.space.origin)
    return json.dumps(known, separators=(",", ":"))


def _digest(record: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
