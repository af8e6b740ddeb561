"""What a strategy may propose from: a space seen through whatever admits and refuses.

A domain offers two methods, a uniform draw and a test. Moves (one edit, a crossover) are built here from these two, so
that no strategy can step outside what is admitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from selfnas.search.history import Trial, vectors_of
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.template import Vector

__all__ = [
    "Domain",
    "Proposals",
    "Repairs",
    "SpaceDomain",
    "SpelledDomain",
    "TellsApart",
    "crossover",
    "encoded",
    "mutate",
    "neighbours",
]

_CROSSOVER_ATTEMPTS = 8
_DRAW_ROUNDS = 6  # each draws twice as much as the one before; 64 times what is wanted in all, before enumerating
_ENUMERABLE = 20_000  # spaces up to this size are searched to the last architecture, larger ones by draws alone


class Domain(Protocol):
    """The admitted part of a space."""

    @property
    def space(self) -> Space:
        """The whole space."""
        ...

    @property
    def macro(self) -> Macro:
        """Macro settings of every proposal."""
        ...

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(k, slots)` uniform over what is admitted, k = `count`, or 0 when nothing is."""
        ...

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row of `(n, slots)` is admitted."""
        ...


@runtime_checkable
class TellsApart(Protocol):
    """A domain with an opinion of its own on which architectures are the same; others go by the digest."""

    def identity(self, vector: Vector) -> str:
        """Equal for `(slots,)` vectors of which one is enough."""
        ...


@runtime_checkable
class Repairs(Protocol):
    """A domain that knows what is nearest to an architecture it refuses."""

    def nearest(self, vector: Vector) -> Vector:
        """`(k, slots)` admitted architectures as near as any to a `(slots,)` vector; none when nothing is admitted."""
        ...


@dataclass(frozen=True, slots=True)
class SpaceDomain:
    """A whole space, nothing refused."""

    space: Space
    macro: Macro

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(count, slots)` uniform."""
        return self.space.draw(rng, count)

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row belongs to the space."""
        return self.space.fits(vectors)


@dataclass(frozen=True, slots=True)
class SpelledDomain(SpaceDomain):
    """A whole space in which every spelling counts as an architecture of its own, as it does in a table.

    TransNAS-Bench-101 needs it: there a skip that leaves the input halves the resolution in some cells and is not an
    identity, so cells that are one network here were different networks there.
    """

    def identity(self, vector: Vector) -> str:
        """The vector itself."""
        return vector.tobytes().hex()


def encoded(history: Sequence[Trial], domain: Domain) -> tuple[list[Trial], Vector]:
    """The trials whose architectures are of the domain's space, and their `(n, slots)` vectors."""
    kept = [trial for trial in history if domain.space.spells(trial.architecture)]
    return kept, vectors_of(kept, domain.space)


def neighbours(domain: Domain, vector: Vector) -> Vector:
    """`(k, slots)` the admitted architectures one edit away, in a fixed order."""
    rows = domain.space.neighbours(vector)
    return rows[domain.admits(rows)]


def mutate(domain: Domain, vector: Vector, rng: np.random.Generator, *, edits: int = 1) -> Vector | None:
    """`(slots,)` after so many random edits, each admitted; None where no admitted edit exists."""
    current = vector
    for _ in range(edits):
        rows = neighbours(domain, current)
        if not len(rows):
            return None
        current = rows[rng.integers(len(rows))]
    return current


def crossover(domain: Domain, one: Vector, other: Vector, rng: np.random.Generator) -> Vector | None:
    """`(slots,)` in which each node takes all its incoming edges from one of two parents.

    Whole nodes are exchanged because a node's edges mean something together, and because a fixed number of edges per
    node stays fixed. None when no admitted child that differs from both was found in a few attempts.
    """
    nodes = [(template, target) for template, _, target in domain.space.slots]
    groups = np.array([sorted(set(nodes)).index(node) for node in nodes])
    masks = rng.random((_CROSSOVER_ATTEMPTS, int(groups.max()) + 1)) < 0.5
    children = np.where(masks[:, groups], one, other).astype(np.int8)
    new = (children != one).any(axis=1) & (children != other).any(axis=1)
    children = children[new]
    good = children[domain.admits(children)] if len(children) else children
    return good[0] if len(good) else None


class Proposals:
    """A batch in the making: admitted, none that was tried before, no two the same."""

    def __init__(
        self, history: Sequence[Trial], domain: Domain, count: int, *, warm: Sequence[Architecture] = ()
    ) -> None:
        """Start with the warm architectures, in their order, as far as they are admitted and new."""
        self._domain, self._count = domain, count
        self._identity = domain.identity if isinstance(domain, TellsApart) else None
        if self._identity is None:
            self._known = {trial.digest for trial in history}
        else:
            self._known = {self._identity(vector) for vector in encoded(history, domain)[1]}
        self._chosen: list[Architecture] = []
        for architecture in warm:
            if domain.space.contains(architecture):
                self.offer(domain.space.encode(architecture)[None])

    @property
    def missing(self) -> int:
        """How many are still wanted."""
        return self._count - len(self._chosen)

    @property
    def chosen(self) -> tuple[Architecture, ...]:
        """What the batch holds so far."""
        return tuple(self._chosen)

    def offer(self, vectors: Vector) -> int:
        """Take rows of `(n, slots)` in order while they are wanted, admitted and new; how many were taken."""
        taken = 0
        for vector in vectors[self._domain.admits(vectors)] if len(vectors) else vectors:
            if self.missing <= 0:
                break
            identity, architecture = self._identify(vector)
            if identity not in self._known:
                self._known.add(identity)
                self._chosen.append(architecture)
                taken += 1
        return taken

    def offer_first(self, children: Iterator[Vector | None]) -> bool:
        """Take the first `(slots,)` vector that is admitted and new; whether there was one, None being none."""
        return any(child is not None and self.offer(child[None]) for child in children)

    def _identify(self, vector: Vector) -> tuple[str, Architecture]:
        architecture = self._domain.space.decode(vector, macro=self._domain.macro)
        return self._identity(vector) if self._identity else architecture.digest, architecture

    def fill(self, rng: np.random.Generator) -> None:
        """Uniform draws for what is missing; fewer when the domain has no more."""
        for power in range(_DRAW_ROUNDS):
            if self.missing <= 0:
                return
            drawn = self._domain.draw(rng, self.missing << power)
            if not len(drawn):
                return
            self.offer(drawn)
        if self.missing > 0 and self._domain.space.count() <= _ENUMERABLE:
            everything = self._domain.space.enumerate()
            self.offer(everything[rng.permutation(len(everything))])
