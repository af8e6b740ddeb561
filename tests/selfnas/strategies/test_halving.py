"""Successive halving promotes the best share of each rung and asks a strategy for the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selfnas.search.domain import SpaceDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.strategies import make_strategy
from selfnas.strategies.halving import SuccessiveHalving
from selfnas.tables.tabular import TabularEvaluator, synthetic_benchmark
from selfnas.training.evaluation import Fidelity, Request

LOW, MIDDLE, FULL = (Fidelity(name=name, epochs=epochs) for name, epochs in (("low", 4), ("middle", 12), ("full", 36)))
HALVING = SuccessiveHalving(rungs=(LOW, MIDDLE, FULL), keep_one_in=3)
TABLE = synthetic_benchmark()
DOMAIN = SpaceDomain(TABLE.space, Macro())


def drawn(count: int) -> tuple[Architecture, ...]:
    """Different architectures."""
    return make_strategy("random")([], DOMAIN, count, np.random.default_rng(0))


def scored(architectures: tuple[Architecture, ...], scores: list[float | None], fidelity: Fidelity) -> list[Trial]:
    """Trials at one rung."""
    pairs = zip(architectures, scores, strict=True)
    return [Trial(architecture=a, score=score, fidelity=fidelity.name) for a, score in pairs]


def test_the_best_third_is_promoted_and_failures_never() -> None:
    """Of seven on a rung the best two go up, best first; a failed one counts as one of the seven."""
    seven = drawn(7)
    history = scored(seven, [0.1, 0.9, None, 0.5, math.nan, 0.8, 0.2], LOW)
    assert [(a.architecture, a.fidelity) for a in HALVING.promotions(history)] == [
        (seven[1], MIDDLE),
        (seven[5], MIDDLE),
    ]


def test_nobody_is_promoted_twice_and_dear_rungs_come_first() -> None:
    """What was scored on the next rung is done; the upper rung is served before the lower."""
    nine = drawn(9)
    history = scored(nine, [k / 10 for k in range(9)], LOW) + scored(nine[6:], [0.3, 0.2, 0.1], MIDDLE)
    assert [(a.architecture, a.fidelity) for a in HALVING.promotions(history)] == [(nine[6], FULL)]


def test_new_ones_are_asked_of_the_strategy() -> None:
    """Without promotions everything is new, on the cheapest rung, and nothing known is proposed."""
    history = scored(drawn(2), [0.5, 0.4], FULL)
    asked = HALVING([*history], DOMAIN, 3, np.random.default_rng(1), strategy=make_strategy("random"))
    assert [assignment.fidelity for assignment in asked] == [LOW] * 3
    assert not {a.architecture.digest for a in asked} & {trial.digest for trial in history}


def test_cheaper_than_full_evaluation_for_as_good_a_result() -> None:
    """On a made-up table, for the same epochs, halving finds better cells than full evaluations (mean of 10)."""
    evaluator = TabularEvaluator(benchmark=TABLE, task="a", low="low")
    halving, budget = SuccessiveHalving(rungs=(LOW, FULL), keep_one_in=3), 30 * FULL.epochs

    def best(seed: int, *, halve: bool) -> float:
        history: list[Trial] = []
        spent, strategy = 0, make_strategy("random")
        while spent < budget:
            rng = np.random.default_rng([seed, len(history)])
            if halve:
                todo = [(a.architecture, a.fidelity) for a in halving(history, DOMAIN, 1, rng, strategy=strategy)]
            else:
                todo = [(a, FULL) for a in strategy(history, DOMAIN, 1, rng)]
            answers = evaluator.evaluate([Request(architecture=a, fidelity=fidelity) for a, fidelity in todo])
            for (architecture, fidelity), answer in zip(todo, answers, strict=True):
                history.append(Trial(architecture=architecture, score=answer.score, fidelity=fidelity.name))
                spent += fidelity.epochs
        return max(trial.value for trial in history if trial.fidelity == "full")

    assert np.mean([best(s, halve=True) for s in range(10)]) > np.mean([best(s, halve=False) for s in range(10)])


@pytest.mark.parametrize("rungs", [(LOW,), (LOW, LOW), (FULL, LOW)])
def test_impossible_rungs_are_refused(rungs: tuple[Fidelity, ...]) -> None:
    """One rung, one name twice, falling cost."""
    with pytest.raises(ValueError, match="at least two rungs of distinct names and rising cost"):
        SuccessiveHalving(rungs=rungs)
