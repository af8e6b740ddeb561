"""Proposals from what a supernet learnt on the task: its discretised cell first, then what it finds likely.

The supernet sees the task's data, which a strategy does not: it is searched once, beforehand, and only its logits come
here. So the strategy stays a function of what it is handed. Constraints are met by projection: a discretised cell
that is not admitted gives way to the nearest admitted ones; all others are drawn from the admitted part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, Proposals, Repairs, neighbours
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.training.differentiable import Logits, Method, discretise

__all__ = ["DIFFERENTIABLE", "GUIDED", "Guided", "OneShot", "log_likelihood"]

# Tables of their own: these need a task's data, so a search of a table cannot have them.
DIFFERENTIABLE: Mapping[str, Method] = MappingProxyType(
    {"darts": "darts", "darts_second_order": "darts_second_order", "gdas": "gdas"}
)
GUIDED = (*DIFFERENTIABLE, "one_shot")

_POOL = 64  # uniform draws for each one wanted, of which the likeliest are taken


def log_likelihood(space: Space, logits: Logits, vectors: Vector) -> NDArray[np.float64]:
    """`(n,)` log probability of each row of `(n, slots)`, every edge drawing its kind by its softmax."""
    total = np.zeros(len(vectors))
    for own, part in zip(logits, space.split(vectors), strict=True):
        top = own.max(axis=1, keepdims=True)
        logs = own - top - np.log(np.exp(own - top).sum(axis=1, keepdims=True))
        total += logs[np.arange(len(own))[None], part.astype(np.int64)].sum(axis=1)
    return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guided:
    """See `Strategy`.

    Attributes:
        logits: per template of the space `(slots, kinds)`, kind 0 being no operation.
    """

    logits: Logits

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then the discretised cell or the nearest admitted, then the likeliest of neighbours and draws."""
        batch = Proposals(history, domain, count, warm=warm)
        best = discretise(domain.space, self.logits, restrict=True)
        if batch.missing > 0 and not batch.offer(best[None]) and not domain.admits(best[None])[0]:
            near = domain.nearest(best) if isinstance(domain, Repairs) else neighbours(domain, best)
            batch.offer(self._likeliest(domain.space, near)[:1])
        if batch.missing > 0:
            drawn = domain.draw(rng, _POOL * batch.missing)
            batch.offer(self._likeliest(domain.space, np.concatenate([neighbours(domain, best), drawn])))
        batch.fill(rng)
        return batch.chosen

    def _likeliest(self, space: Space, vectors: Vector) -> Vector:
        return vectors[np.argsort(-log_likelihood(space, self.logits, vectors), kind="stable")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """See `Strategy`; what evolution over a trained single-path supernet ranked, from the best down, then evolution.

    The ranking was made within the admitted part of the space; what a domain does not admit is passed over.

    Attributes:
        ranking: architectures, best first.
        then: proposes when the ranking is used up, from real scores.
    """

    ranking: tuple[Architecture, ...]
    then: RegularisedEvolution = field(default_factory=RegularisedEvolution)

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then the ranking in its order, then children of what was scored."""
        batch = Proposals(history, domain, count, warm=(*warm, *self.ranking))
        if batch.missing > 0:
            return self.then(history, domain, count, rng, warm=(*warm, *self.ranking))
        return batch.chosen
