"""Whether a rule that claims to tighten another would let something in that the other forbids.

A tightened rule demands both, so a mistake here can never admit anything; the check is there to tell an author who
believes to have changed a limit that the old one still holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from constraints.engines.encoding import encode
from constraints.engines.solver import Solver
from constraints.judging.policy import policy_counterexample
from constraints.language.applicability import When
from constraints.language.lexicon import Scope
from constraints.language.rules import Context, Rule
from constraints.language.syntax import Condition, Extreme, Linear
from selfnas.networks.defaults import main_dimensions
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import space_named

__all__ = ["loosening", "reference_contexts"]

Statement = tuple[Condition, bool]  # a condition, and whether it is forbidden

# Settings at which analyses look at a space when no others are asked for: the small ones of the quick start, and those
# of NAS-Bench-201 on images of CIFAR's size; series and tables of like size for spaces that are made for them.
_SMALL, _LARGE = Macro(channels=8, depth=1, resolution=16), Macro()
_REFERENCE: Mapping[int, tuple[tuple[Macro, TaskShape], ...]] = {
    0: (
        (replace(_SMALL, channels=32), TaskShape(channels=13, size=(), classes=3)),
        (replace(_SMALL, channels=64), TaskShape(channels=54, size=(), classes=7)),
    ),
    1: (
        (_SMALL, TaskShape(channels=1, size=(96,), classes=5)),
        (replace(_LARGE, depth=2), TaskShape(channels=3, size=(512,), classes=10)),
    ),
    2: (
        (_SMALL, TaskShape(channels=1, size=(8, 8), classes=10)),
        (_LARGE, TaskShape(channels=3, size=(32, 32), classes=10)),
    ),
}


def reference_contexts(space: Space) -> list[Context]:
    """The contexts that stand for a space when none is given."""
    return [Context(space=space, macro=macro, shape=shape) for macro, shape in _REFERENCE[main_dimensions(space)]]


def loosening(old: Statement, new: Statement, scope: Scope, when: When | None, spaces: tuple[str, ...]) -> str:
    """Something that `new` admits and `old` forbids where a rule applies; empty when there is none or none is found."""
    if _limits_tighten(old, new):
        return ""
    rules = [
        Rule(id=name, scope=scope, when=when, condition=condition, forbids=forbids, text="", why="", message="")
        for name, (condition, forbids) in (("old", old), ("new", new))
    ]
    if scope == "policy":
        return policy_counterexample(rules[1:], rules[:1])
    for space in spaces:
        for context in reference_contexts(space_named(space)):
            encoding = encode(rules, context)
            if encoding.roots[0] is None:
                continue
            solver = Solver(encoding)
            answer, witness = solver.ask(passing=[1], failing=[0])
            if answer == "sat" and witness is not None:
                return str(context.space.decode(witness, macro=context.macro))
    return ""


def _limits_tighten(old: Statement, new: Statement) -> bool:
    """The same quantity with a limit on the same side, not looser: no search needed."""
    (before, forbade), (after, forbids) = old, new
    if forbade or forbids or not isinstance(before, Linear | Extreme) or not isinstance(after, Linear | Extreme):
        return False
    if replace(after, limit=before.limit) != before:
        return False
    if before.comparison in ("<=", "<"):
        return after.limit <= before.limit
    return before.comparison in (">=", ">") and after.limit >= before.limit
