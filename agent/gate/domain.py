"""What a strategy is handed: the part of the space that the guard admits, with a tally of what was kept out."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from constraints import Guard
from selfnas.spaces.architecture import Macro, Space
from selfnas.spaces.template import Vector

__all__ = ["GuardedDomain", "SpelledGuardedDomain"]

_CONSIDERED = 4096


class GuardedDomain:
    """Draws and neighbours of the admitted part of a space; implements `selfnas.search.domain.Domain`.

    A test of `_CONSIDERED` rows or more at once, or of as many as the space has, is a sweep over the space, not a look
    at proposals; nothing of it is tallied.

    Attributes:
        filtered: distinct considered architectures that each rule kept out, by rule.
        examples: the first of them for each rule.
        seen: considered architectures, by vector bytes, so that none is counted twice.
    """

    def __init__(self, guard: Guard, *, space: Space, macro: Macro) -> None:
        self._guard = guard
        self.space, self.macro = space, macro
        self.filtered: Counter[str] = Counter()
        self.examples: dict[str, Vector] = {}
        self._seen: set[bytes] = set()

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` exactly uniform over the admitted part."""
        return self._guard.draw(rng, count)

    def nearest(self, vector: Vector) -> Vector:
        """`(k, slots)` the admitted architectures fewest edits from a `(slots,)` vector, by the guard's own repair."""
        return self._guard.nearest(vector)[1]

    def admits(self, vectors: Vector) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """`(n,)` whether each row of `(n, slots)` is admitted; what is not is tallied by rule."""
        broken = self._violations(vectors)
        if len(vectors) >= min(_CONSIDERED, self.space.count()):
            return np.asarray(~broken.any(axis=1))
        for row in np.flatnonzero(broken.any(axis=1)):
            key = vectors[row].tobytes()
            if key not in self._seen:
                self._seen.add(key)
                for column in np.flatnonzero(broken[row]):
                    rule = self._guard.rules[column].id
                    self.filtered[rule] += 1
                    self.examples.setdefault(rule, vectors[row])
        return np.asarray(~broken.any(axis=1))

    def _violations(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n, rules)` which rules each row breaks."""
        return self._guard.violations(vectors)


class SpelledGuardedDomain(GuardedDomain):
    """The same, where every spelling is an architecture of its own, as in a table (see `selfnas.tables.tabular`).

    Args:
        space: the table's, small enough to be looked through once.
        broken: `(count, rules)` `guard.violations` of `space.enumerate()`.
        macro: of every proposal.
    """

    def __init__(self, guard: Guard, *, space: Space, broken: NDArray[np.bool_], macro: Macro) -> None:
        super().__init__(guard, space=space, macro=macro)
        self._broken = broken

    def _violations(self, vectors: Vector) -> NDArray[np.bool_]:
        return self._broken[self.space.place(vectors)]

    def identity(self, vector: Vector) -> str:
        """The vector itself."""
        return vector.tobytes().hex()
