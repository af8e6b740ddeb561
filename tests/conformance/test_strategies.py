"""What every strategy must do, whatever it thinks is good."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from selfnas.errors import InputError
from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.named import SPACES
from selfnas.spaces.space import Space
from selfnas.spaces.template import Vector
from selfnas.strategies import STRATEGIES, Strategy, make_strategy
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.strategies.guided import Guided, OneShot

MACRO = Macro(channels=4, depth=1, resolution=8)
SMALL = {"population": 6, "sample": 3, "crossover_percent": 50, "starts": 2, "trees": 6}
every_strategy = pytest.mark.parametrize("name", sorted([*STRATEGIES, "guided", "one_shot"]))
every_space = pytest.mark.parametrize("space", sorted(SPACES))


def make(name: str, space: str = "nb201") -> Strategy:
    """A strategy by name; guided ones with logits or a ranking of their own, as if a supernet had been trained."""
    rng, here = np.random.default_rng(4), SPACES[space]
    if name == "guided":
        return Guided(logits=[rng.normal(size=(len(t.slots), len(t.operations) + 1)) for t in here.templates])
    if name == "one_shot":
        ranking = tuple(here.decode(vector, macro=Macro()) for vector in here.draw(rng, 8))
        return OneShot(ranking=ranking, then=RegularisedEvolution(population=6, sample=3))
    return make_strategy(name, SMALL)


@dataclass
class FewConvolutions:
    """Admits at most two convolutions or poolings a cell; remembers what it was asked."""

    space: Space
    macro: Macro = MACRO
    asked: list[Vector] = field(default_factory=list)

    def admits(self, vectors: Vector) -> np.ndarray:
        """Operations after the first of the list are dear."""
        self.asked.append(vectors)
        return self.space.fits(vectors) & ((vectors > 1).sum(axis=1) <= self.most)

    @property
    def most(self) -> int:
        """How many are allowed; DARTS cells always have sixteen edges."""
        return 2 if len(self.space.slots) < 10 else 12

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """Rejection from the whole space."""
        found = np.empty((0, len(self.space.slots)), np.int8)
        while len(found) < count:
            drawn = self.space.draw(rng, 64)
            found = np.concatenate([found, drawn[((drawn > 1).sum(axis=1) <= self.most)]])
        return found[:count]


def quality(architecture: Architecture) -> float:
    """A score with one peak: the sum of operation numbers."""
    return float(architecture.space.encode(architecture).sum())


def search(
    strategy: Strategy,
    domain: FewConvolutions | SpaceDomain,
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


@every_strategy
@every_space
def test_same_seed_same_search(name: str, space: str) -> None:
    """Equal arguments give equal proposals, in a fresh instance too."""
    domain = SpaceDomain(SPACES[space], MACRO)
    first, second = (search(make(name, space), domain, rounds=6) for _ in range(2))
    assert [trial.architecture for trial in first] == [trial.architecture for trial in second]
    assert len(first) == 18


@every_strategy
def test_resuming_from_the_history_changes_nothing(name: str) -> None:
    """A strategy cut off anywhere and made anew goes on as if it had not been."""
    domain = SpaceDomain(SPACES["nb201"], MACRO)
    whole = search(make(name), domain, rounds=8)
    half = search(make(name), domain, rounds=4)
    resumed = search(make(name), domain, rounds=4, history=half)
    assert [trial.digest for trial in resumed] == [trial.digest for trial in whole]


@every_strategy
@every_space
def test_nothing_is_proposed_twice(name: str, space: str) -> None:
    """No digest of the history and none twice in a batch."""
    trials = search(make(name, space), SpaceDomain(SPACES[space], MACRO), rounds=8, batch=5)
    assert len({trial.digest for trial in trials}) == len(trials) == 40


@every_strategy
@every_space
def test_only_admitted_architectures_are_proposed(name: str, space: str) -> None:
    """Under a constraint, with warm starts of which some are refused."""
    domain = FewConvolutions(SPACES[space])
    warm = [SPACES[space].decode(v, macro=MACRO) for v in SPACES[space].draw(np.random.default_rng(9), 20)]
    trials = search(make(name, space), domain, rounds=10, batch=5, warm=warm)
    vectors = np.stack([SPACES[space].encode(trial.architecture) for trial in trials])
    assert domain.admits(vectors).all()
    assert len(trials) == 50


@every_strategy
def test_warm_architectures_come_first_in_their_order(name: str) -> None:
    """Also over several batches; duplicates, tried ones and those of other spaces are passed over."""
    space = SPACES["nb201"]
    drawn = [space.decode(v, macro=MACRO) for v in space.draw(np.random.default_rng(3), 7)]
    foreign = SPACES["darts"].decode(SPACES["darts"].draw(np.random.default_rng(0), 1)[0], macro=MACRO)
    warm = [drawn[0], foreign, drawn[0], *drawn[1:]]
    trials = search(make(name), SpaceDomain(space, MACRO), rounds=3, warm=warm)
    expected = list(dict.fromkeys(a.digest for a in drawn))
    assert [trial.digest for trial in trials][: len(expected)] == expected


@every_strategy
def test_warm_architectures_take_the_domain_macro(name: str) -> None:
    """What was found under other macro settings is tried under those of this search."""
    space = SPACES["nb201"]
    warm = [space.decode(space.draw(np.random.default_rng(3), 1)[0], macro=Macro())]
    (first, *_) = make(name)([], SpaceDomain(space, MACRO), 2, np.random.default_rng(0), warm=warm)
    assert first.macro == MACRO
    assert first.cells == warm[0].cells


@dataclass
class Handful:
    """Eleven cells of a large space."""

    space: Space = SPACES["nb201"]
    macro: Macro = MACRO

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """Uniform over them."""
        return self._cells()[rng.integers(0, 11, count)]

    def admits(self, vectors: Vector) -> np.ndarray:
        """Whether it is one of them."""
        return (vectors[:, None] == self._cells()[None]).all(axis=2).any(axis=1)

    def _cells(self) -> Vector:
        return self.space.draw(np.random.default_rng(77), 11)


@dataclass
class Nothing(Handful):
    """A domain that admits nothing."""

    def draw(self, rng: np.random.Generator, count: int) -> Vector:
        """No rows."""
        return np.empty((0, 6), np.int8)

    def admits(self, vectors: Vector) -> np.ndarray:
        """Never."""
        return np.zeros(len(vectors), bool)


@every_strategy
def test_an_exhausted_domain_ends_gracefully(name: str) -> None:
    """Every admitted network is proposed once, then nothing."""
    domain = Handful()
    digests = {domain.space.decode(v, macro=MACRO).digest for v in domain._cells()}
    trials = search(make(name), domain, rounds=6, batch=4)
    assert {trial.digest for trial in trials} == digests
    assert make(name)(trials, domain, 4, np.random.default_rng(0)) == ()


@every_strategy
def test_a_domain_that_admits_nothing_gives_nothing(name: str) -> None:
    """No endless loop, no exception."""
    assert make(name)([], Nothing(), 4, np.random.default_rng(0)) == ()


@every_strategy
@pytest.mark.parametrize("score", [None, math.nan, -math.inf, math.inf])
def test_failed_trials_are_survived_and_not_repeated(name: str, score: float | None) -> None:
    """A history of nothing but failures does not stop the search."""
    trials = search(make(name), SpaceDomain(SPACES["nb201"], MACRO), rounds=8, batch=4, score=lambda _: score)
    assert len({trial.digest for trial in trials}) == 32


@every_strategy
def test_some_failures_do_not_disturb(name: str) -> None:
    """Every third trial fails; the search goes on and still repeats nothing."""
    counter = itertools.count()
    trials = search(
        make(name),
        SpaceDomain(SPACES["nb201"], MACRO),
        rounds=10,
        batch=4,
        score=lambda a: math.nan if next(counter) % 3 == 0 else quality(a),
    )
    assert len({trial.digest for trial in trials}) == 40


@every_strategy
def test_count_zero_gives_nothing(name: str) -> None:
    """Asked for nothing, even with warm ones at hand."""
    space = SPACES["nb201"]
    warm = [space.decode(v, macro=MACRO) for v in space.draw(np.random.default_rng(3), 2)]
    assert make(name)([], SpaceDomain(space, MACRO), 0, np.random.default_rng(0), warm=warm) == ()


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"random"}))
def test_better_than_random_on_a_hill(name: str) -> None:
    """On a score with one peak, 60 trials climb higher than 60 random ones, over eight seeds."""

    def mean_best(strategy: str) -> float:
        domain = SpaceDomain(SPACES["nb201"], MACRO)
        runs = [search(make_strategy(strategy, SMALL), domain, rounds=12, batch=5, seed=seed) for seed in range(8)]
        return float(np.mean([max(trial.value for trial in run) for run in runs]))

    assert mean_best(name) > mean_best("random")


def test_unknown_names_and_settings_are_refused() -> None:
    """With the nearest known one, or the values that are possible."""
    with pytest.raises(
        InputError, match="unknown strategy 'regularized_evolution'; did you mean 'regularised_evolution'"
    ):
        make_strategy("regularized_evolution")
    with pytest.raises(InputError, match="no strategy has the setting 'popluation'; did you mean 'population'"):
        make_strategy("random", {"popluation": 3})
    with pytest.raises(InputError, match="strategy regularised_evolution: need 1 <= sample <= population"):
        make_strategy("regularised_evolution", {"sample": 30})
