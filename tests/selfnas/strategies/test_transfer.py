"""What memory of earlier tasks does to a search, and what it may not do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from selfnas.benchmarks.benchmarking import regret_and_top, search_table
from selfnas.benchmarks.lifelong import METHODS, LifelongRow, live_orders, summarise
from selfnas.search.domain import SpaceDomain, SpelledDomain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies import make_strategy
from selfnas.strategies.transfer import PastTask, Transfer, with_past_tasks
from selfnas.tables.tabular import TabularBenchmark, synthetic_benchmark


@pytest.fixture(scope="module")
def table() -> TabularBenchmark:
    """Tasks that agree in part."""
    return synthetic_benchmark(tasks=("a", "b", "c"), seed=5)


def lived(table: TabularBenchmark, task: str, *, count: int = 60, flipped: bool = False) -> PastTask:
    """What a search of another task left behind; `flipped` scores say the opposite."""
    trials = itertools.islice(search_table(table, task, make_strategy("surrogate"), seed=3), count)
    sign = -1.0 if flipped else 1.0
    return PastTask(name=task, trials=tuple(replace(t, score=sign * t.value) for t in trials))


def best_after(table: TabularBenchmark, past: tuple[PastTask, ...], *, evaluations: int, seeds: int = 4) -> float:
    """Mean best score of task `c` after so many evaluations."""
    found = []
    for seed in range(seeds):
        trials = itertools.islice(search_table(table, "c", Transfer(past=past), seed=seed), evaluations)
        found.append(max(trial.value for trial in trials))
    return float(np.mean(found))


def test_a_like_task_helps_and_an_opposite_one_is_seen_through(table: TabularBenchmark) -> None:
    """Four evaluations with a like task beat four without; forty with an opposite task end near forty without."""
    values = table.column("c", "test")
    way = float(values.max() - np.median(values))
    like, opposite = (lived(table, "a"),), (lived(table, "a", flipped=True),)
    assert best_after(table, like, evaluations=4) > best_after(table, (), evaluations=4) + 0.1 * way
    assert best_after(table, opposite, evaluations=40) > best_after(table, (), evaluations=40) - 0.1 * way


def test_same_past_same_proposals_and_no_past_is_the_surrogate(table: TabularBenchmark) -> None:
    """Fresh instances agree; without a usable past nothing differs from the surrogate."""
    domain = SpelledDomain(table.space, Macro())
    history = list(lived(table, "b", count=12).trials)
    past = (lived(table, "a"),)

    def proposed(strategy: Transfer) -> list[str]:
        return [str(a) for a in strategy(history, domain, 4, np.random.default_rng(1))]

    assert proposed(Transfer(past=past)) == proposed(Transfer(past=(lived(table, "a"),)))
    surrogate = make_strategy("surrogate")(history, domain, 4, np.random.default_rng(1))
    assert proposed(Transfer()) == [str(a) for a in surrogate]
    other = SpaceDomain(SPACES["darts"], Macro())
    drawn = other.draw(np.random.default_rng(0), 5)
    darts = PastTask(
        name="other space",
        trials=tuple(
            Trial(architecture=other.space.decode(row, macro=other.macro), score=float(i))
            for i, row in enumerate(drawn)
        ),
    )
    assert proposed(Transfer(past=(darts,))) == proposed(Transfer())


def test_only_what_is_admitted_is_proposed_though_the_past_liked_other_cells(table: TabularBenchmark) -> None:
    """Past winners are candidates like others: the domain decides."""

    class NoConvolutions(SpelledDomain):
        def admits(self, vectors: np.ndarray) -> np.ndarray:
            return self.space.fits(vectors) & ~np.isin(vectors, (2, 3)).any(axis=1)

        def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
            return rng.choice(np.array([0, 1, 4], dtype=np.int8), size=(count, len(self.space.slots)))

    domain = NoConvolutions(table.space, Macro())
    proposed = Transfer(past=(lived(table, "a"),))([], domain, 20, np.random.default_rng(0))
    vectors = np.stack([table.space.encode(a) for a in proposed])
    assert len(vectors) == 20
    assert domain.admits(vectors).all()


def test_experience_reaches_only_strategies_that_can_use_it(table: TabularBenchmark) -> None:
    """Others are handed back as they are."""
    past = (lived(table, "a", count=10),)
    assert with_past_tasks(make_strategy("transfer"), past) == Transfer(past=past)
    evolution = make_strategy("regularised_evolution")
    assert with_past_tasks(evolution, past) is evolution


def test_figures_of_a_search() -> None:
    """By hand: 200 values 0 … 199, the top half per cent is the best one."""
    values = np.arange(200.0)
    to_top, found, regret = regret_and_top([0, 150, 199, 5], values, at=(1, 2, 10))
    assert (to_top, found) == (3, True)
    assert regret == pytest.approx((200.0, 100 * 49 / 99.5, 0.0))
    assert regret_and_top([3, 4], values, at=(1,))[:2] == (2, False)


def test_rows_of_a_stream_and_their_summary(table: TabularBenchmark) -> None:
    """Each order lives every task once; the first task of each is left out of the summary."""
    rows = list(live_orders(table, "replay + local search", [0, 1], longest=120))
    assert sorted((row.order, row.place) for row in rows) == [(o, p) for o in (0, 1) for p in range(3)]
    assert {row.task for row in rows if row.order == 0} == set(table.tasks)
    later = [[row.to_top for row in rows if row.order == order and row.place] for order in (0, 1)]
    means = [np.mean(part) for part in later]
    assert summarise(rows)[0] == pytest.approx([np.mean(means), abs(means[0] - means[1]) / 2])
    assert all(isinstance(row, LifelongRow) and row.method in METHODS for row in rows)
