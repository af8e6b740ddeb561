"""A program in the place of expected improvement: what it orders, what it reads, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from selfnas.benchmarks.benchmarking import search_table
from selfnas.models.acquired import Acquired
from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import GaussianProcess, expected_improvement, normal_scores
from selfnas.models.mixture import Mixture
from selfnas.spaces.named import SPACES
from selfnas.strategies.surrogate import Surrogate
from selfnas.strategies.transfer import PastTask, Transfer, with_budget
from selfnas.tables.tabular import benchmark_of
from selfnas.testing import check_strategy

TABLE = benchmark_of(None, tasks=("a", "b"))


def trials_of(strategy, count: int, *, task: str = "a", batch: int = 1, seed: int = 1):
    """The first trials of a search of the synthetic table."""
    return list(islice(search_table(TABLE, task, strategy, seed=seed, batch=batch), count))


PAST = (PastTask(name="b", trials=tuple(trials_of(Surrogate(), 30, task="b"))),)


@pytest.mark.parametrize("strategy", [Surrogate(), Transfer(past=PAST)], ids=["surrogate", "transfer"])
def test_a_search_without_a_program_is_the_search_of_before(strategy) -> None:
    """The budget alone changes nothing, and a program does."""
    plain = [str(trial.architecture) for trial in trials_of(strategy, 20, batch=2)]
    assert plain == [str(trial.architecture) for trial in trials_of(replace(strategy, budget=7), 20, batch=2)]
    least = replace(strategy, acquisition="0 - mean")
    assert plain != [str(trial.architecture) for trial in trials_of(least, 20, batch=2)]


def test_a_program_of_the_mean_takes_the_best_expected_and_its_negative_the_worst() -> None:
    """The candidate of highest value is the one that is proposed."""
    history = trials_of(Surrogate(), 12)
    from selfnas.models.observed import Observed
    from selfnas.search.domain import SpelledDomain
    from selfnas.spaces.architecture import Macro

    domain = SpelledDomain(TABLE.space, Macro())
    seen = Observed.of(history, domain)
    model = GaussianProcess.fit(cell_features(TABLE.space, seen.vectors), normal_scores(seen.values))
    candidates = seen.whole(domain)
    means = model.mean(cell_features(TABLE.space, candidates))
    for program, wanted in (("mean", means.max()), ("0 - mean", means.min())):
        (proposed,) = Surrogate(acquisition=program)(history, domain, 1, np.random.default_rng(0))
        vector = TABLE.space.encode(proposed)
        found = model.mean(cell_features(TABLE.space, vector[None]))[0]
        assert found == pytest.approx(wanted, abs=0.3)  # of 1,000 candidates at most


def test_every_atom_is_what_it_is_said_to_be() -> None:
    """Against its definition, worked out by hand."""
    tried = np.array([[0.0], [1.0], [3.0]])  # distances 1, 2, 3: median 2
    asked = np.array([[0.0], [4.0]])
    mean, deviation = np.array([0.5, -9.0]), np.array([0.25, 2.0])
    shared = {"best": 1.5, "asked": asked}
    read = {
        name: Acquired(program=name, share=0.4, tried=tried).values(mean, deviation, **shared).tolist()
        for name in ("mean", "spread", "incumbent", "share", "distance")
    }
    assert read == {
        "mean": [0.5, -4.0],
        "spread": [0.25, 1.0],
        "incumbent": [1.5, 1.5],
        "share": [0.4, 0.4],
        "distance": [0.0, 0.5],
    }
    proposed = Acquired(program="distance", share=0.4, tried=tried).values(
        mean, deviation, best=1.5, asked=asked, also=[np.array([3.5])]
    )
    assert proposed.tolist() == [0.0, 0.25]


def test_a_mixture_foretells_with_the_moments_of_its_parts() -> None:
    """Mean and spread over all ways are those of draws from them."""
    rng = np.random.default_rng(0)
    points, mix = rng.normal(size=(15, 3)), rng.normal(size=(15, 2))
    model = Mixture.fit(points, mix, mix.mean(axis=1) + 0.3 * rng.normal(size=15))
    asked, expected = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    mean, deviation = model.predict(asked, expected)
    np.testing.assert_allclose(mean, model.mean(asked, expected), rtol=1e-12)
    gain = model.improvement(asked, expected, -50.0)  # far below everything: the mean itself
    np.testing.assert_allclose(gain, mean + 50.0, rtol=1e-6)
    assert (deviation > 0).all()
    assert expected_improvement(mean, deviation, 0.0).shape == (4,)


def test_a_search_is_told_its_budget_where_a_program_may_read_it() -> None:
    """Other strategies stay as they are."""
    assert with_budget(Surrogate(acquisition="share * mean"), 30) == Surrogate(acquisition="share * mean", budget=30)
    assert with_budget(Surrogate(), 30) == Surrogate()
    with pytest.raises(ValueError, match="did you mean"):
        Surrogate(acquisition="maen")
    with pytest.raises(ValueError, match="budget"):
        Transfer(budget=0)


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_strategies_with_a_program_keep_the_promises_of_strategies(space: str) -> None:
    """The same conformance check as without."""
    program = "max(mean - incumbent, 0) + (1 - share) * spread + 0.1 * distance"
    check_strategy(Surrogate(acquisition=program), space=SPACES[space])
    check_strategy(Transfer(acquisition=program), space=SPACES[space])
