"""Local search reads off the history where to go on."""

import numpy as np
import pytest

from selfnas.search.domain import SpaceDomain, SpelledDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies.local_search import LocalSearch

SPACE = SPACES["nb201"]
SPELLED = SpelledDomain(SPACE, Macro())


def trial(digits: str, score: float) -> Trial:
    """A scored architecture, spelled slot by slot."""
    return Trial(architecture=SPACE.decode(np.array(list(digits), dtype=np.int8), macro=Macro()), score=score)


def proposed(trials: list[Trial], count: int) -> list[str]:
    """Digits of what comes next."""
    found = LocalSearch(starts=1)(trials, SPELLED, count, np.random.default_rng(0))
    return ["".join(map(str, SPACE.encode(one))) for one in found]


def edits(one: str, other: str) -> int:
    """In how many slots two architectures differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_it_goes_on_from_the_best() -> None:
    """All 23 neighbours of the best that are new come before any of another."""
    found = proposed([trial("111111", 1), trial("222222", 3), trial("222223", 2)], 23)
    assert all(edits(one, "222222") == 1 for one in found)
    assert len({*found, "222223"}) == 24


@pytest.mark.parametrize("score", [1.0, float("nan")])
def test_from_a_summit_it_goes_on_from_the_next_best(score: float) -> None:
    """Every neighbour of the best was tried: those of the second best are next, also if many trials failed."""
    summit = SPACE.neighbours(np.full(6, 2, dtype=np.int8))
    trials = [trial("222222", 5), *(trial("".join(map(str, one)), score) for one in summit), trial("444444", 2)]
    assert all(edits(one, "444444") == 1 for one in proposed(trials, 10))


def test_failures_are_no_place_to_go_on_from() -> None:
    """With nothing scored it draws at random."""
    domain = SpaceDomain(SPACE, Macro())
    failed = [trial("222222", float("nan"))]
    found = LocalSearch(starts=1)(failed, domain, 20, np.random.default_rng(0))
    assert {edits("".join(map(str, SPACE.encode(one))), "222222") for one in found} > {4, 5}
