"""REINFORCE keeps what its controller has learnt, and it never shows."""

from collections.abc import Sequence

import numpy as np

from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies.reinforce import Reinforce

DOMAIN = SpaceDomain(SPACES["nb201"], Macro())


def history(seed: int, *, count: int = 26) -> list[Trial]:
    """Random trials with random scores."""
    rng = np.random.default_rng(seed)
    drawn = DOMAIN.space.draw(rng, count)
    return [Trial(architecture=DOMAIN.space.decode(v, macro=Macro()), score=float(rng.random())) for v in drawn]


def proposals(strategy: Reinforce, trials: Sequence[Trial]) -> list[str]:
    """What is proposed after these trials."""
    return [str(one) for one in strategy(trials, DOMAIN, 4, np.random.default_rng(3))]


def test_a_used_strategy_proposes_what_a_fresh_one_does() -> None:
    """After longer and shorter histories, another task, and an earlier score that is no longer the same."""
    used, trials, others = Reinforce(initial=5), history(0), history(1)
    changed = [*trials[:2], Trial(architecture=trials[2].architecture, score=9.0), *trials[3:]]
    for asked in (trials[:8], trials[:14], trials, trials[:20], others, trials, changed):
        assert proposals(used, asked) == proposals(Reinforce(initial=5), asked)
    assert proposals(used, changed) != proposals(used, trials)


def test_learning_goes_on_from_what_was_kept() -> None:
    """A history that goes on keeps the controller; one that begins otherwise, or is shorter, gets a new one."""
    strategy, trials = Reinforce(initial=5), history(0)
    proposals(strategy, trials[:12])
    kept = strategy._kept[0].controller
    proposals(strategy, trials)
    assert strategy._kept[0].controller is kept
    proposals(strategy, trials[:12])
    assert strategy._kept[0].controller is not kept


def test_settings_alone_make_two_strategies_equal() -> None:
    """What was learnt is no part of what a strategy is."""
    strategy = Reinforce()
    proposals(strategy, history(0))
    assert strategy == Reinforce()
    assert repr(strategy) == repr(Reinforce())
