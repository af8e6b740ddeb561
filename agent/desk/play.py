"""A rule, typed and tried: how many architectures it admits, one that it admits and one that it keeps out.

Counted by decision diagram and judged by the NumPy engine; no solver is asked, so that an answer comes while typing.
What is typed here is in no set: a person puts it there.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.desk.cells import read
from agent.desk.view import Seen
from selfnas.errors import InputError, SelfnasError

if TYPE_CHECKING:
    from constraints import Guard
    from selfnas.spaces.architecture import Architecture

__all__ = ["Typed", "cell_picture", "library", "tried"]

_SPACES = ("nb201", "transnas-micro", "image", "series", "tabular", "darts")
_LONGEST = 2000  # characters of a rule
_DRAWN = 512  # architectures among which one that is kept out is looked for
_SHOWN = 3
_PLACE = re.compile(r"the rule:1:(\d+): (.*)", re.DOTALL)
_LOCK = threading.Lock()  # decision diagrams of one process have one manager


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a person typed.

    Attributes:
        rule: in the constraint language.
        space: one of those that are offered.
        scope: `cell` or `network`.
        forbids: whether the rule says what may not be.
        seed: of what is drawn.
    """

    rule: str = ""
    space: str = "nb201"
    scope: str = "cell"
    forbids: bool = False
    seed: int = 0

    @staticmethod
    def of(query: Mapping[str, str]) -> Typed:
        """As an address says; what it says wrongly is left out."""
        space, seed = query.get("space", ""), query.get("seed", "")
        return Typed(
            rule=query.get("rule", "")[:_LONGEST],
            space=space if space in _SPACES else "nb201",
            scope="network" if query.get("scope") == "network" else "cell",
            forbids=query.get("says") == "forbid",
            seed=int(seed) if seed.isdecimal() and len(seed) < 7 else 0,
        )

    @property
    def spaces(self) -> tuple[str, ...]:
        """Those that are offered."""
        return _SPACES

    def as_set(self) -> str:
        """A constraint set of this rule alone, as text."""
        says = "forbid" if self.forbids else "require"
        rule = {"id": "typed", "scope": self.scope, says: self.rule, "why": "typed", "message": "typed"}
        set_ = {"set": "typed", "language": 1, "spaces": [self.space], "rules": [rule]}
        return json.dumps(set_, ensure_ascii=False)

    def entry(self) -> str:
        """The rule as it would stand in a set."""
        says = "forbid" if self.forbids else "require"
        return (
            f"  - id: my-rule\n    scope: {self.scope}\n    {says}: {json.dumps(self.rule, ensure_ascii=False)}\n"
            "    why: …\n    message: …\n"
        )


def library(seen: Seen) -> list[str]:
    """The architectures of a life's library, as text."""
    return [motif.architecture for motif in seen.state.library]


def tried(typed: Typed, *, known: Sequence[str] = ()) -> dict[str, Any]:
    """What the page shows of a rule; a rule that cannot be read gives a sentence.

    Args:
        typed: the rule, and where it is tried.
        known: architectures of a library.
    """
    if not typed.rule.strip():
        return {"problem": "", "count": None}
    with _LOCK:
        try:
            guard, context = _guard(typed)
            count, every = guard.count(), guard.space.count()
            rng = np.random.default_rng(typed.seed)
            inside = [guard.space.decode(row, macro=guard.context.macro) for row in _inside(guard, rng)]
            drawn = guard.space.draw(rng, _DRAWN)
            broken = drawn[guard.violations(drawn).any(axis=1)][:_SHOWN]
            outside = [guard.space.decode(row, macro=guard.context.macro) for row in broken]
            held, kept = _library(known, guard, typed)
        except (SelfnasError, ValueError, RecursionError) as error:
            return {"problem": _in_the_rule(str(error) or type(error).__name__, typed), "count": None}
    return {
        "problem": "",
        "count": f"{count.low:,}" if count.exact else f"{count.low:,} to {count.high:,}",
        "exact": count.exact,
        "every": f"{every:,}",
        "share": 100 * (count.low + count.high) / 2 / every,
        "inside": [str(one) for one in inside],
        "outside": [str(one) for one in outside],
        "context": context,
        "known": held,
        "kept": kept,
        "entry": typed.entry(),
    }


def cell_picture(text: str) -> bytes:
    """The cells of an architecture as the bytes of a PNG file.

    Raises:
        InputError: it is none.
    """
    from selfnas.spaces.drawing import picture

    architecture = read(text[:_LONGEST])
    if architecture is None:
        raise InputError("there is no such architecture")
    templates = architecture.space.templates
    names = ["" if len(templates) == 1 else template.name for template in templates]
    return picture(list(zip(names, architecture.cells, strict=True)), dpi=70)


def _in_the_rule(problem: str, typed: Typed) -> str:
    """A sentence with its column in what was typed, not in the set that was made of it."""
    found = _PLACE.match(problem)
    if found is None:
        return problem
    begins = typed.as_set().index(json.dumps(typed.rule, ensure_ascii=False))
    return f"column {max(1, int(found[1]) - begins - 1)}: {found[2]}"


def _guard(typed: Typed) -> tuple[Guard, str]:
    from constraints import Guard, parse_set
    from constraints.reports.report import chosen_contexts

    set_ = parse_set(typed.as_set(), name="the rule")
    (context,) = chosen_contexts(set_, space=typed.space, macro="", shape="")
    shape = context.shape
    size = "×".join(map(str, shape.size))
    told = (
        f"{context.macro}, inputs of {shape.channels} channel(s){f' {size}' if size else ''}, {shape.classes} classes"
    )
    return Guard.of(set_, context), told


def _inside(guard: Guard, rng: np.random.Generator) -> Any:
    return guard.draw(rng, _SHOWN) if guard.count().high else []


def _library(known: Sequence[str], guard: Guard, typed: Typed) -> tuple[int, int]:
    """How many distinct cells of the library are in this space, and how many the rule would keep out."""
    if typed.scope != "cell":  # of networks it depends on settings and inputs that differ between tasks
        return 0, 0
    distinct: dict[str, Architecture] = {}
    for text in known:
        architecture = read(text)
        if architecture is not None and architecture.space == guard.space:
            distinct.setdefault(text.partition(":")[2], architecture)
    if not distinct:
        return 0, 0
    rows = np.stack([guard.space.encode(one) for one in distinct.values()])
    return len(rows), int(guard.violations(rows).any(axis=1).sum())
