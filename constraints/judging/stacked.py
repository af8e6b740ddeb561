"""The guard of a space in which macro settings are searched too: a guard for each way to stack cells, side by side.

An architecture is stacked in one way, and the guard of that way judges it. So every engine stays what it is and as
exact: counts add up, draws first take a way in proportion to its count, and certificates are those of that guard.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from constraints.engines.diagram import MAX_NODES
from constraints.engines.encoding import Encoding
from constraints.engines.solver import DEFAULT_RLIMIT
from constraints.judging.admitted import CountInterval
from constraints.judging.certificate import Decision
from constraints.judging.explanation import Explanation
from constraints.judging.guard import Guard
from constraints.language.rules import ConstraintSet, Context
from selfnas.errors import SelfnasError
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.stacked import Choices, StackedSpace
from selfnas.spaces.template import Vector

__all__ = ["StackedGuard", "guard_digest", "guard_for"]


def guard_for(set_: ConstraintSet, *, space: Space, macro: Macro, shape: TaskShape) -> Guard:
    """A compiled set: of one way to stack cells, or of all that the space leaves open.

    Raises:
        InputError: as `Guard`.
    """
    if isinstance(space, StackedSpace):
        return StackedGuard(set_, space=space, shape=shape)
    return Guard(set_, space=space, macro=macro, shape=shape)


def guard_digest(set_digest: str, space: Space, choices: Choices, shape: TaskShape) -> str:
    """What `guard_for(...).digest` is, without compiling anything; the space is of cells alone."""
    each = [Context(space=space, macro=macro, shape=shape).digest(set_digest) for macro in choices]
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


class StackedGuard(Guard):
    """See the module; what it is asked is in the vectors of its space.

    Attributes:
        guards: one for each way to stack cells, in the order of the space's choices.
    """

    def __init__(
        self,
        set_: ConstraintSet,
        *,
        space: StackedSpace,
        shape: TaskShape,
        rlimit: int = DEFAULT_RLIMIT,
        max_nodes: int = MAX_NODES,
    ) -> None:
        super().__init__(
            set_, space=space.cells, macro=space.choices.first, shape=shape, rlimit=rlimit, max_nodes=max_nodes
        )
        self.space: Space = space
        self._stacks = space
        self.guards = tuple(
            Guard(set_, space=space.cells, macro=macro, shape=shape, rlimit=rlimit, max_nodes=max_nodes)
            for macro in space.choices
        )
        self.digest = guard_digest(set_.digest, space.cells, space.choices, shape)

    @functools.cached_property
    def encoding(self) -> Encoding:
        """There is none: rules are encoded for one way to stack cells.

        Raises:
            SelfnasError: always.
        """
        raise SelfnasError("a guard of several ways to stack cells has no encoding of its own: ask one of `guards`")

    @functools.cached_property
    def _counts(self) -> tuple[CountInterval, ...]:
        return tuple(guard.count() for guard in self.guards)

    def count(self) -> CountInterval:
        """How many architectures are admitted, as spelled, over all ways to stack them."""
        value, low, high = (sum(getattr(one, name) for one in self._counts) for name in ("value", "low", "high"))
        return CountInterval(value=value, low=low, high=high, exact=all(one.exact for one in self._counts))

    def draw(self, rng: np.random.Generator, n: int) -> Vector:
        """`(n, slots)` independent, exactly uniform admitted architectures; near uniform where counts are estimates.

        Raises:
            SelfnasError: the rules admit nothing, or too little to find.
        """
        weights = np.array([float(one.value) for one in self._counts])
        if not weights.sum():
            raise SelfnasError("the rules admit nothing in any way of stacking cells")
        chosen = rng.choice(len(self.guards), size=n, p=weights / weights.sum())
        result = np.zeros((n, len(self.space.slots)), dtype=np.int8)
        for number in np.unique(chosen):
            rows = np.flatnonzero(chosen == number)
            result[rows] = self._rows(int(number), self.guards[number].draw(rng, len(rows)))
        return result

    def violations(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n, rules)` whether each of `(n, slots)` vectors breaks each rule, by the NumPy engine alone."""
        result = np.zeros((len(vectors), len(self.rules)), dtype=bool)
        for number, rows, cells in self._by_stack(vectors):
            result[rows] = self.guards[number].violations(cells)
        return result

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each of `(n, slots)` vectors is admitted, by the NumPy engine alone: a prefilter."""
        result = np.zeros(len(vectors), dtype=bool)
        for number, rows, cells in self._by_stack(vectors):
            result[rows] = self.guards[number].admits(cells)
        return result

    def is_idle(self) -> bool:
        """Whether none of the set's rules applies in any way to stack cells."""
        return all(guard.is_idle() for guard in self.guards)

    def clash(self) -> tuple[str, ...]:
        """Of the first way to stack cells that admits nothing; empty when something is admitted."""
        return () if self.count().high else self.guards[0].clash()

    def nearest(self, vector: Vector, *, limit: int = 3) -> tuple[int, Vector]:
        """As of `Guard`, where another macro setting is one change too."""
        size = len(self._stacks.cells.slots)
        found: list[tuple[int, Vector]] = []
        for number, macro in enumerate(self._stacks.choices):
            columns = np.array(self._stacks.choices.columns(macro), dtype=np.int8)
            distance, rows = self.guards[number].nearest(vector[:size], limit=limit)
            if distance >= 0:
                found.append((distance + int((columns != vector[size:]).sum()), self._rows(number, rows)))
        best = min((distance for distance, _ in found), default=-1)
        near = [rows for distance, rows in found if distance == best]
        return best, np.concatenate(near)[:limit] if near else np.empty((0, len(vector)), dtype=np.int8)

    def decide(self, architecture: Architecture, *, previous: str = "") -> Decision:
        """As the guard of its way to be stacked decides; what is stacked in no such way is left undecided."""
        return self._of(architecture).decide(architecture, previous=previous)

    def explain(self, architecture: Architecture, *, limit: int = 3) -> Explanation:
        """As the guard of its way to be stacked explains it.

        Raises:
            ArchitectureError: the architecture is not of this guard's space.
        """
        return self._of(architecture).explain(architecture, limit=limit)

    def _of(self, architecture: Architecture) -> Guard:
        known = {guard.context.macro: guard for guard in self.guards}
        return known.get(architecture.macro, self.guards[0])

    def _rows(self, number: int, cells: Vector) -> Vector:
        """`(n, slots)` of `(n, slots of the cells)`, all stacked in one way."""
        macro = self.guards[number].context.macro
        columns = np.array(self._stacks.choices.columns(macro), dtype=np.int8)
        return np.concatenate([cells, np.repeat(columns[None], len(cells), axis=0)], axis=1)

    def _by_stack(self, vectors: Vector) -> Sequence[tuple[int, NDArray[np.intp], Vector]]:
        """Rows that are stacked alike: the way's number, where they are, and the vectors of their cells."""
        numbers, size = self._stacks.stacks(vectors), len(self._stacks.cells.slots)
        found = []
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            found.append((int(number), rows, vectors[rows, :size]))
        return found
