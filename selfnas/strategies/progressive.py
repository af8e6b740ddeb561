"""Spaces that start small and widen when a search stalls: an option of any strategy.

A level admits the first so many operations of each template (besides none), the cheapest spaces first. It is read off
the history, so there is no state: a level lasts until `patience` trials in a row have not improved the best score, or
with several objectives have all been dominated; then one operation more is let in. A level without any admitted
architecture is passed over at once. Source of the idea: Liu et al. 2018 (ECCV), who grow cells instead of operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, TellsApart
from selfnas.search.history import Trial
from selfnas.search.strategy import Strategy
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.template import Vector

__all__ = ["Progressive", "level_of", "levels", "narrowed"]

_FIRST = 2  # operations that the first level admits
_ROUNDS = 12  # of rejection; each draws four times what is wanted


def levels(space: Space) -> int:
    """How many levels a space has, the whole of it being the last."""
    return max(1, max(len(template.operations) for template in space.templates) - _FIRST + 1)


def level_of(history: Sequence[Trial], space: Space, *, patience: int) -> int:
    """The level that a search stands at after its trials, from 0 to `levels(space) - 1`."""
    level, since = 0, 0
    front: list[tuple[float, ...]] = []
    for trial in history:
        point = () if trial.failed else (trial.objectives or (trial.value,))
        if point and not any(all(a >= b for a, b in zip(other, point, strict=True)) for other in front):
            front = [other for other in front if not all(b >= a for a, b in zip(other, point, strict=True))]
            front.append(point)
            since = 0
        else:
            since += 1
        if since >= patience:
            level, since = level + 1, 0
    return min(level, levels(space) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressive:
    """A strategy in a space that widens; see `Strategy`.

    Attributes:
        patience: trials in a row without improvement before a level is left.
    """

    strategy: Strategy
    patience: int

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(f"need patience >= 1, not {self.patience}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones wherever they lie, then what the strategy proposes at the present level or, if nothing, above."""
        last = levels(domain.space) - 1
        for level in range(level_of(history, domain.space, patience=self.patience), last):
            found = self.strategy(history, narrowed(domain, level, also=warm), count, rng, warm=warm)
            if len(found) == count:
                return found
        return self.strategy(history, domain, count, rng, warm=warm)


def narrowed(domain: Domain, level: int, *, also: Sequence[Architecture] = ()) -> Domain:
    """The part of a domain that a level admits, and `also` those architectures."""
    kinds = tuple(min(_FIRST + level, len(template.operations)) for template in domain.space.templates)
    kept = frozenset(domain.space.encode(one).tobytes() for one in also if domain.space.contains(one))
    made = _NarrowedSpelled if isinstance(domain, TellsApart) else _Narrowed
    return made(domain, kinds, kept)


@dataclass(frozen=True)
class _Narrowed:
    """Admits the first `kinds` operations of each template; draws by rejection from the space of those alone."""

    domain: Domain
    kinds: tuple[int, ...]
    also: frozenset[bytes]

    @property
    def space(self) -> Space:
        """The whole space."""
        return self.domain.space

    @property
    def macro(self) -> Macro:
        """Macro settings of every proposal."""
        return self.domain.macro

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """`(k, slots)` uniform over what is admitted at this level, k at most `count`."""
        small = replace(
            self.space,
            templates=tuple(
                replace(template, operations=template.operations[:kinds])
                for template, kinds in zip(self.space.templates, self.kinds, strict=True)
            ),
        )
        found = np.empty((0, len(self.space.slots)), dtype=np.int8)
        for _ in range(_ROUNDS):
            if len(found) >= count:
                break
            drawn = small.draw(rng, 4 * max(count, 1))  # numbers of operations are those of the whole space
            found = np.concatenate([found, drawn[self.domain.admits(drawn)]])
        return found[:count]

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        """`(n,)` whether each row is admitted, at this level."""
        parts = self.space.split(vectors)
        inside = np.all([(part <= kinds).all(axis=1) for part, kinds in zip(parts, self.kinds, strict=True)], axis=0)
        if self.also:
            inside |= np.array([row.tobytes() in self.also for row in vectors], dtype=bool)
        result = np.zeros(len(vectors), dtype=bool)
        if inside.any():
            result[inside] = self.domain.admits(vectors[inside])
        return result


class _NarrowedSpelled(_Narrowed):
    """The same of a domain that tells spellings apart."""

    def identity(self, vector: Vector) -> str:
        """As the domain has it."""
        assert isinstance(self.domain, TellsApart)  # noqa: S101 - chosen by it
        return self.domain.identity(vector)
