"""Why an architecture is refused: the author's words, the fewest edges that are to blame, what would have passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constraints.engines.solver import Solver
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector

__all__ = ["Blame", "Explanation", "blamed_slots", "describe_slots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """One violated rule.

    Attributes:
        rule: its id.
        message: the author's words.
        edges: a minimal set of edges, present or missing, that alone rule out that it passes; `cell: conv3x3 0->1`.
    """

    rule: str
    message: str
    edges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is wrong with an architecture and how to mend it.

    Attributes:
        reasons: one per violated rule.
        nearest: admitted architectures that take the fewest changed edges, at most three.
        distance: how many edges that is; 0 when the architecture is admitted, -1 when none is known.
    """

    reasons: tuple[Blame, ...]
    nearest: tuple[Architecture, ...]
    distance: int

    @property
    def blamed(self) -> tuple[str, ...]:
        """Every blamed edge, each once."""
        return tuple(dict.fromkeys(edge for reason in self.reasons for edge in reason.edges))


def blamed_slots(solver: Solver, vector: Vector, rule: int) -> tuple[int, ...]:
    """A set of slots whose values alone break a rule, from which none can be left out.

    Present edges are preferred: missing ones are blamed only where no set of present edges breaks the rule. Empty when
    Z3 does not decide.
    """
    slots = list(enumerate(vector.tolist()))
    core = solver.core([place for place in slots if place[1]], passing=[rule])
    if core is None:
        core = solver.core(slots, passing=[rule])
    if core is None:
        return ()
    kept = sorted(core, key=lambda place: (place[1] != 0, place[0]))
    for place in list(kept):
        rest = [other for other in kept if other != place]
        if solver.ask(rest, passing=[rule])[0] == "unsat":
            kept = rest
    return tuple(sorted(slot for slot, _ in kept))


def describe_slots(space: Space, vector: Vector, slots: Sequence[int]) -> tuple[str, ...]:
    """Edges as people read them.

    Example:
        >>> from selfnas.spaces.named import SPACES
        >>> import numpy as np
        >>> describe_slots(SPACES["nb201"], np.array([3, 0, 0, 0, 0, 0], dtype=np.int8), [0])
        ('cell: conv3x3 0->1',)
    """
    found = []
    for slot in slots:
        index, source, target = space.slots[slot]
        template, value = space.templates[index], int(vector[slot])
        found.append(f"{template.name}: {template.names[value - 1] if value else 'no operation'} {source}->{target}")
    return tuple(found)
