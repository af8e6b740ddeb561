"""Regularised evolution that learns, within one search, which operators pay.

Each child is made by one of a few operators. A bandit with decay gives most children to the operators whose recent
children were good, and every operator keeps a share. Which operator made a trial is not written down anywhere: shares
are a function of earlier trials alone and are dealt out by the trial's number, so they are recomputed from the
history, and a search resumes as if it had not stopped. Sources: Fialho, Da Costa, Schoenauer, Sebag 2010 (credit by
rank, operator selection that forgets); Thierens 2005 (probability matching with a floor).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, Proposals, crossover, encoded, mutate
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector

__all__ = ["OPERATORS", "AdaptiveEvolution", "operator_shares", "operators_dealt"]

# What draws a parent, and makes a child of it; None where it cannot.
Operator = Callable[[Domain, Callable[[], Vector], np.random.Generator], Vector | None]


def _edits(count: int) -> Operator:
    return lambda domain, parent, rng: mutate(domain, parent(), rng, edits=count)


def _cross(edits: int) -> Operator:
    def child(domain: Domain, parent: Callable[[], Vector], rng: np.random.Generator) -> Vector | None:
        one = parent()
        crossed = crossover(domain, one, parent(), rng)
        return mutate(domain, one if crossed is None else crossed, rng, edits=edits) if edits else crossed

    return child


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "edit": _edits(1),
        "two edits": _edits(2),
        "three edits": _edits(3),
        "cross": _cross(0),
        "cross and edit": _cross(1),
    }
)

_ATTEMPTS = 20  # children tried for one proposal before it is drawn at random
_MIDDLING = 0.25  # the mean of the cube of a uniform rank
_BLOCK = 8  # trials between two looks at the credits
_LAG = 1  # blocks that credits wait: what a batch of at most a block deals is then what its replay deals


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveEvolution:
    """See `Strategy`.

    Attributes:
        population: how many of the latest trials are alive; also how many random ones come first, warm ones counted in.
        sample: how many of them compete to be a parent.
        decay: weight of a credit, once for each child made since.
        floor: share that every operator keeps.
        operators: names in `OPERATORS`; a single one is evolution with that operator fixed.
    """

    population: int = 20
    sample: int = 10
    decay: float = 0.97
    floor: float = 0.05
    operators: tuple[str, ...] = tuple(OPERATORS)

    def __post_init__(self) -> None:
        if not 1 <= self.sample <= self.population or not self.operators or not set(self.operators) <= set(OPERATORS):
            raise ValueError(f"need 1 <= sample <= population and operators among {list(OPERATORS)}, not {self}")
        if not 0 < self.decay <= 1 or not 0 <= self.floor * len(self.operators) < 1:
            raise ValueError(f"need 0 < decay <= 1 and floors that sum to less than 1, not {self}")

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Warm ones, then random ones until the population is full, then children."""
        batch = Proposals(history, domain, count, warm=warm)
        trials, vectors = encoded(history, domain)
        values = np.array([trial.value for trial in trials])
        alive = slice(max(0, len(trials) - self.population), len(trials))
        usable = np.flatnonzero(np.isfinite(values[alive]))
        if batch.missing > 0 and len(trials) >= self.population and len(usable):
            dealt = operators_dealt(values, self, upto=len(trials) + count)

            def parent() -> Vector:
                entrants = rng.permutation(usable)[: self.sample]
                chosen: Vector = vectors[alive][entrants[values[alive][entrants].argmax()]]
                return chosen

            for place in range(len(trials) + len(batch.chosen), len(trials) + count):
                operator = OPERATORS[self.operators[dealt[place]]]
                if not batch.offer_first(operator(domain, parent, rng) for _ in range(_ATTEMPTS)):
                    break
        batch.fill(rng)
        return batch.chosen


def operator_shares(values: NDArray[np.float64], settings: AdaptiveEvolution) -> NDArray[np.float64]:
    """`(operators,)` which share of coming children each operator gets, once all `(n,)` values have been credited."""
    ledger = _Credits(settings)
    dealt = operators_dealt(values, settings, upto=len(values))
    for place in range(settings.population, len(values)):
        ledger.add(int(dealt[place]), _credit(values, place, settings.population))
    return ledger.shares()


class _Credits:
    """Decayed mean credits, in which one imaginary child of middling credit is mixed; shares match their squares."""

    def __init__(self, settings: AdaptiveEvolution) -> None:
        count = len(settings.operators)
        self._decay, self._floor = settings.decay, settings.floor
        self._credit, self._weight = np.full(count, _MIDDLING), np.ones(count)

    def add(self, operator: int, credit: float) -> None:
        self._credit *= self._decay
        self._weight *= self._decay
        self._credit[operator] += credit
        self._weight[operator] += 1.0

    def shares(self) -> NDArray[np.float64]:
        merit = (self._credit / self._weight) ** 2
        shares: NDArray[np.float64] = self._floor + (1 - self._floor * len(merit)) * merit / merit.sum()
        return shares


def _credit(values: NDArray[np.float64], place: int, population: int) -> float:
    """The cube of a child's rank in the population it was born into: whether it is bad or very bad does not count."""
    elders = values[place - population : place]
    rank = (float((elders < values[place]).sum()) + 0.5 * float((elders == values[place]).sum())) / population
    return rank**3


def operators_dealt(values: NDArray[np.float64], settings: AdaptiveEvolution, *, upto: int) -> NDArray[np.intp]:
    """`(upto,)` which operator makes each trial after the first population; before that the entries mean nothing.

    Always the operator that is owed most. Shares change only between blocks and look at blocks that ended before.
    """
    first, ledger = settings.population, _Credits(settings)
    dealt = np.zeros(upto, dtype=np.intp)
    owed, shares = np.zeros(len(settings.operators)), ledger.shares()
    credited = first
    for place in range(first, upto):
        if (place - first) % _BLOCK == 0:
            seen = min(max(first, place - _LAG * _BLOCK), len(values))
            for earlier in range(credited, seen):
                ledger.add(int(dealt[earlier]), _credit(values, earlier, first))
            credited, shares = seen, ledger.shares()
        owed += shares
        dealt[place] = int(np.argmax(owed))
        owed[dealt[place]] -= 1.0
    return dealt
