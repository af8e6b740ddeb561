"""What every strategy must do, whatever it thinks is good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from selfnas.errors import InputError
from selfnas.search.domain import Domain, SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies import STRATEGIES, Strategy, make_strategy
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.strategies.guided import Guided, OneShot
from selfnas.testing import check_strategy
from selfnas.testing.promises import ConformanceError
from selfnas.testing.strategies import MACRO, search

SMALL = {"population": 6, "sample": 3, "crossover_percent": 50, "starts": 2}


def make(name: str, space: str = "nb201") -> Strategy:
    """A strategy by name; guided ones with logits or a ranking of their own, as if a supernet had been trained."""
    rng, here = np.random.default_rng(4), SPACES[space]
    if name == "guided":
        return Guided(logits=[rng.normal(size=(len(t.slots), len(t.operations) + 1)) for t in here.templates])
    if name == "one_shot":
        ranking = tuple(here.decode(vector, macro=Macro()) for vector in here.draw(rng, 8))
        return OneShot(ranking=ranking, then=RegularisedEvolution(population=6, sample=3))
    return make_strategy(name, SMALL)


@pytest.mark.parametrize("name", sorted([*STRATEGIES, "guided", "one_shot"]))
@pytest.mark.parametrize("space", sorted(SPACES))
def test_every_strategy_keeps_the_promises_of_strategies(name: str, space: str) -> None:
    """In every space of our own."""
    check_strategy(make(name, space), space=SPACES[space])


class Forgetful:
    """Random search that remembers what it was asked, in itself."""

    def __init__(self) -> None:
        self.rounds = 0

    def __call__(
        self,
        history: Sequence[Trial],
        domain: Domain,
        count: int,
        rng: np.random.Generator,
        *,
        warm: Sequence[Architecture] = (),
    ) -> tuple[Architecture, ...]:
        """Later rounds draw otherwise."""
        self.rounds += 1
        rng.random(self.rounds)
        return make_strategy("random")(history, domain, count, rng, warm=warm)


def test_a_strategy_with_a_state_of_its_own_is_found_out() -> None:
    """The check fails where a promise is broken, and says which."""
    with pytest.raises(ConformanceError, match="goes on as if it had not been"):
        check_strategy(Forgetful())


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
