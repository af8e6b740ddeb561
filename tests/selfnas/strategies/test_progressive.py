"""Spaces that widen when a search stalls."""

import numpy as np
import pytest

from selfnas.search.domain import SpaceDomain, SpelledDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.spaces.template import Vector
from selfnas.strategies import make_strategy
from selfnas.strategies.progressive import Progressive, level_of, levels, narrowed

SPACE, MACRO = SPACES["nb201"], Macro(channels=4, depth=1, resolution=8)
DOMAIN = SpaceDomain(SPACE, MACRO)


def _trials(scores: list[float | None], objectives: list[tuple[float, ...]] | None = None) -> list[Trial]:
    cells = [SPACE.decode(v, macro=MACRO) for v in SPACE.draw(np.random.default_rng(0), len(scores))]
    points = objectives or [()] * len(scores)
    return [Trial(architecture=a, score=s, objectives=p) for a, s, p in zip(cells, scores, points, strict=True)]


def test_a_level_lasts_until_nothing_has_improved_for_a_while() -> None:
    """Counted anew after each improvement and each widening; failures are no improvement."""
    assert levels(SPACE) == 3
    assert level_of(_trials([0.1, 0.2, 0.2, 0.1]), SPACE, patience=3) == 0
    assert level_of(_trials([0.1, 0.2, 0.2, None, 0.1]), SPACE, patience=3) == 1
    assert level_of(_trials([0.1, 0.2, 0.2, 0.1, 0.1, 0.3, 0.1, 0.1]), SPACE, patience=3) == 1
    assert level_of(_trials([0.5] * 40), SPACE, patience=3) == 2


def test_a_front_that_grows_is_an_improvement() -> None:
    """A point that nothing dominates resets the count, though its score is no record."""
    cheap = [(0.5, -5.0), (0.4, -4.0), (0.3, -3.0), (0.2, -2.0)]
    assert level_of(_trials([0.5, 0.4, 0.3, 0.2], cheap), SPACE, patience=2) == 0
    assert level_of(_trials([0.5, 0.4, 0.3, 0.2]), SPACE, patience=2) == 1


@pytest.mark.parametrize("name", ["random", "surrogate", "regularised_evolution"])
def test_any_strategy_starts_with_few_operations_and_ends_with_all(name: str) -> None:
    """Until the score stalls only the first two operations are proposed; then one more, then all; none twice."""
    strategy = Progressive(strategy=make_strategy(name), patience=6)
    trials: list[Trial] = []
    for _ in range(16):
        found = strategy(trials, DOMAIN, 4, np.random.default_rng([0, len(trials)]))
        level = level_of(trials, SPACE, patience=6)
        assert len(found) == 4
        assert max(int(SPACE.encode(one).max()) for one in found) <= 2 + level
        trials += [Trial(architecture=a, score=min(0.5, 0.1 * (len(trials) + 1))) for a in found]
    assert level == 2
    assert len({trial.digest for trial in trials}) == 64


def test_an_empty_level_is_passed_over_and_warm_ones_come_first() -> None:
    """Where nothing with few operations is admitted, the next level is searched at once."""

    class OnlyPools(SpaceDomain):
        def admits(self, vectors: Vector) -> np.ndarray:
            return self.space.fits(vectors) & (vectors == 4).any(axis=1)

        def draw(self, rng: np.random.Generator, count: int) -> Vector:
            found = self.space.draw(rng, 40 * count)
            return found[self.admits(found)][:count]

    strategy = Progressive(strategy=make_strategy("random"), patience=6)
    found = strategy([], OnlyPools(SPACE, MACRO), 3, np.random.default_rng(0))
    assert len(found) == 3
    warm = [SPACE.decode(np.array([4, 3, 0, 1, 0, 2], np.int8), macro=MACRO)]
    assert strategy([], DOMAIN, 2, np.random.default_rng(0), warm=warm)[0] == warm[0]


def test_draws_are_uniform_and_spellings_stay_apart() -> None:
    """Every cell of two operations is equally likely; a domain that tells spellings apart still does."""
    drawn = narrowed(DOMAIN, 0).draw(np.random.default_rng(0), 30_000)
    assert drawn.max() == 2
    share = np.array([(drawn == kind).mean(axis=0) for kind in range(3)])
    assert np.abs(share - 1 / 3).max() < 0.015
    spelled = SpelledDomain(SPACE, MACRO)
    same = [np.array([0] * 6, np.int8), np.array([1, 0, 0, 0, 0, 0], np.int8)]  # one network, two spellings
    inside = narrowed(spelled, 0)
    assert inside.identity(same[0]) != inside.identity(same[1])  # type: ignore[attr-defined]
    assert not hasattr(narrowed(DOMAIN, 0), "identity")
