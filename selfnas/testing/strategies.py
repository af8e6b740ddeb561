"""What every strategy promises, whatever it thinks is good."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, SpaceDomain
from selfnas.search.history import Trial
from selfnas.search.strategy import Strategy
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import SPACES
from selfnas.spaces.template import Vector
from selfnas.testing.promises import promise

__all__ = ["MACRO", "check_strategy", "quality", "search"]

MACRO = Macro(channels=4, depth=1, resolution=8)  # of every proposal


def check_strategy(strategy: Strategy, *, space: Space = SPACES["nb201"]) -> None:
    """Searches of a few dozen trials on free scores: the same again, cut off, constrained, failing, at an end.

    Args:
        strategy: as set up for a budget of some 40 trials; one that is guided needs guidance for the space.
        space: any of more than a few dozen architectures.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    for check in (
        _repeats,
        _resumes,
        _proposes_nothing_twice,
        _stays_inside,
        _tries_warm_ones_first,
        _takes_the_macro_settings,
        _ends,
        _survives_failures,
        _gives_none_for_none,
    ):
        check(strategy, space)


def quality(architecture: Architecture) -> float:
    """A score with one peak: the sum of operation numbers."""
    return float(architecture.space.encode(architecture).sum())


def search(
    strategy: Strategy,
    domain: Domain,
    *,
    rounds: int,
    batch: int = 3,
    seed: int = 0,
    score: Callable[[Architecture], float | None] = quality,
    history: Sequence[Trial] = (),
    warm: Sequence[Architecture] = (),
) -> list[Trial]:
    """A whole search; the generator of each round is derived from how long the history is."""
    trials = list(history)
    for _ in range(rounds):
        proposed = strategy(trials, domain, batch, np.random.default_rng([seed, len(trials)]), warm=warm)
        trials += [Trial(architecture=a, score=score(a)) for a in proposed]
    return trials


def _drawn(space: Space, count: int, *, seed: int, macro: Macro = MACRO) -> list[Architecture]:
    return [space.decode(vector, macro=macro) for vector in space.draw(np.random.default_rng(seed), count)]


def _repeats(strategy: Strategy, space: Space) -> None:
    domain, other = SpaceDomain(space, MACRO), copy.deepcopy(strategy)
    first, second = (search(one, domain, rounds=6) for one in (strategy, other))
    promise(
        [trial.architecture for trial in first] == [trial.architecture for trial in second],
        "equal arguments give equal proposals, in a fresh instance too",
    )
    promise(len(first) == 18, f"6 rounds of 3 give 18 proposals in a space that has them, not {len(first)}")


def _resumes(strategy: Strategy, space: Space) -> None:
    domain = SpaceDomain(space, MACRO)
    whole = search(strategy, domain, rounds=8)
    half = search(copy.deepcopy(strategy), domain, rounds=4)
    resumed = search(copy.deepcopy(strategy), domain, rounds=4, history=half)
    promise(
        [trial.digest for trial in resumed] == [trial.digest for trial in whole],
        "a strategy that is cut off and created again goes on as if it had not been: all it knows is the history",
    )


def _proposes_nothing_twice(strategy: Strategy, space: Space) -> None:
    trials = search(strategy, SpaceDomain(space, MACRO), rounds=8, batch=5)
    distinct = len({trial.digest for trial in trials})
    promise(distinct == len(trials) == 40, f"40 proposals are 40 networks, not {distinct} in {len(trials)} proposals")


@dataclass
class _FewOperations:
    """Admits so many operations after the first of the list, in all cells together."""

    space: Space
    macro: Macro = MACRO
    most: int = field(init=False)

    def __post_init__(self) -> None:
        self.most = int(np.median((self.space.draw(np.random.default_rng(8), 200) > 1).sum(axis=1))) - 1

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        return np.asarray(self.space.fits(vectors) & ((vectors > 1).sum(axis=1) <= self.most))

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """Rejection from the whole space."""
        found = np.empty((0, len(self.space.slots)), np.int8)
        while len(found) < count:
            drawn = self.space.draw(rng, 64)
            found = np.concatenate([found, drawn[self.admits(drawn)]])
        return found[:count]


def _stays_inside(strategy: Strategy, space: Space) -> None:
    domain = _FewOperations(space)
    trials = search(strategy, domain, rounds=10, batch=5, warm=_drawn(space, 20, seed=9))
    vectors = np.stack([space.encode(trial.architecture) for trial in trials])
    promise(domain.admits(vectors).all(), "what a domain refuses is never proposed, not even where it comes warm")
    promise(len(trials) == 50, f"10 rounds of 5 give 50 proposals where enough is admitted, not {len(trials)}")


def _tries_warm_ones_first(strategy: Strategy, space: Space) -> None:
    drawn = _drawn(space, 7, seed=3)
    foreign = _drawn(next(one for one in SPACES.values() if one.base != space.base), 1, seed=0)
    warm = [drawn[0], *foreign, drawn[0], *drawn[1:]]
    trials = search(strategy, SpaceDomain(space, MACRO), rounds=3, warm=warm)
    expected = list(dict.fromkeys(architecture.digest for architecture in drawn))
    promise(
        [trial.digest for trial in trials][: len(expected)] == expected,
        "warm architectures come first, in their order; repeated ones and those of other spaces are passed over",
    )


def _takes_the_macro_settings(strategy: Strategy, space: Space) -> None:
    warm = _drawn(space, 1, seed=3, macro=Macro())
    (first, *_) = strategy([], SpaceDomain(space, MACRO), 2, np.random.default_rng(0), warm=warm)
    promise(
        first.macro == MACRO and first.cells == warm[0].cells,
        "what was found under other macro settings is tried under those of the domain",
    )


@dataclass
class _Handful:
    """So many cells of a space, perhaps none."""

    space: Space
    cells: Vector
    macro: Macro = MACRO

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        return self.cells[rng.integers(0, len(self.cells), count if len(self.cells) else 0)]

    def admits(self, vectors: Vector) -> NDArray[np.bool_]:
        return np.asarray((vectors[:, None] == self.cells[None]).all(axis=2).any(axis=1))


def _ends(strategy: Strategy, space: Space) -> None:
    cells = space.draw(np.random.default_rng(77), 11)
    domain = _Handful(space, cells)
    trials = search(strategy, domain, rounds=6, batch=4)
    digests = {space.decode(vector, macro=MACRO).digest for vector in cells}
    promise({trial.digest for trial in trials} == digests, "every admitted network is proposed once")
    rng = np.random.default_rng(0)
    promise(strategy(trials, domain, 4, rng) == (), "a domain that is exhausted gives nothing")
    promise(strategy([], _Handful(space, cells[:0]), 4, rng) == (), "a domain that admits nothing gives nothing")


def _survives_failures(strategy: Strategy, space: Space) -> None:
    domain = SpaceDomain(space, MACRO)
    for score in (None, math.nan, -math.inf, math.inf):
        trials = search(strategy, domain, rounds=8, batch=4, score=lambda _, score=score: score)  # type: ignore[misc]
        distinct = len({trial.digest for trial in trials})
        promise(
            distinct == 32, f"a history of scores {score} alone does not stop the search: 32 proposals, not {distinct}"
        )
    counter = itertools.count()
    trials = search(
        strategy,
        domain,
        rounds=10,
        batch=4,
        score=lambda architecture: math.nan if next(counter) % 3 == 0 else quality(architecture),
    )
    distinct = len({trial.digest for trial in trials})
    promise(distinct == 40, f"a failure in three does not disturb the search: 40 proposals, not {distinct}")


def _gives_none_for_none(strategy: Strategy, space: Space) -> None:
    warm = _drawn(space, 2, seed=3)
    given = strategy([], SpaceDomain(space, MACRO), 0, np.random.default_rng(0), warm=warm)
    promise(given == (), "asked for nothing it gives nothing, even with warm ones at hand")
