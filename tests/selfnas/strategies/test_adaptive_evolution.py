"""Evolution that learns which operators pay: from the history alone, and quickly enough to matter."""

import itertools

import numpy as np
import pytest

from selfnas.benchmarks.benchmarking import search_table
from selfnas.strategies.adaptive_evolution import OPERATORS, AdaptiveEvolution, operator_shares, operators_dealt
from selfnas.tables.tabular import synthetic_benchmark

SETTINGS = AdaptiveEvolution(population=10, sample=5)


def values_where(good: dict[int, int], *, count: int) -> np.ndarray:
    """Scores of a search in which children of one operator are the best so far and others the worst.

    Args:
        good: the operator from each trial number on.
        count: trials.
    """
    values = np.arange(10.0)
    while len(values) < count:
        pays = good[max(start for start in good if start <= len(values))]
        operator = operators_dealt(values, SETTINGS, upto=len(values) + 1)[-1]
        values = np.append(values, values.max() + 1 if operator == pays else values.min() - 1)
    return values


def test_the_operator_that_pays_gets_most_children_and_is_left_when_it_stops_paying() -> None:
    """Its share passes a half within 60 children; 60 after another pays instead, that one leads; the floor holds."""
    shares = operator_shares(values_where({0: 3}, count=70), SETTINGS)
    assert shares[3] > 0.5
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() >= SETTINGS.floor
    later = operator_shares(values_where({0: 3, 70: 1}, count=130), SETTINGS)
    assert later.argmax() == 1


def test_what_a_batch_deals_is_what_its_replay_deals() -> None:
    """Whatever the batches up to a block, every trial is credited to the operator that made it."""
    values = np.random.default_rng(2).normal(size=90)
    whole = operators_dealt(values, SETTINGS, upto=90)
    assert len(set(whole[10:].tolist())) == len(OPERATORS)
    for batch in (1, 3, 8):
        for start in range(10, 90 - batch, batch):
            dealt = operators_dealt(values[:start], SETTINGS, upto=start + batch)
            np.testing.assert_array_equal(dealt[10:], whole[10 : start + batch])


def test_every_operator_can_be_the_only_one() -> None:
    """Each searches on its own and repeats itself under its seed."""
    table = synthetic_benchmark(tasks=("a",))
    for name in OPERATORS:
        strategy = AdaptiveEvolution(population=6, sample=3, operators=(name,))
        one, two = (
            [trial.digest for trial in itertools.islice(search_table(table, "a", strategy, seed=1), 15)]
            for _ in range(2)
        )
        assert one == two
        assert len(one) == 15


@pytest.mark.parametrize("wrong", [{"operators": ()}, {"operators": ("magic",)}, {"decay": 0.0}, {"floor": 0.3}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match="need"):
        AdaptiveEvolution(**wrong)  # type: ignore[arg-type]
