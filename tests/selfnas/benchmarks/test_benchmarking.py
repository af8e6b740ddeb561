"""The harness that compares strategies is itself checked against published figures."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selfnas.benchmarks.benchmarking import CHECKPOINTS, _figures, compare_strategies, search_table
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.strategies import make_strategy
from selfnas.tables.tabular import read_benchmark, synthetic_benchmark

DATA = Path(os.environ.get("SELFNAS_DATA", Path(__file__).parents[4] / "shared" / "data")) / "nas"


def trials(scores: Iterator[float]) -> Iterator[Trial]:
    """Trials of those scores, all of one architecture."""
    space = SPACES["nb201"]
    architecture = space.decode(space.draw(np.random.default_rng(0), 1)[0], macro=Macro())
    for score in scores:
        yield Trial(architecture=architecture, score=score)


def test_figures_by_hand() -> None:
    """Values 0..1000: the top is 996 and above, the median 500, so 750 is half way."""
    values = np.arange(1001.0)
    run = _figures(trials(itertools.chain([750.0] * 29, [996.0] * 31, itertools.repeat(1000.0))), values, 1500)
    assert (run.to_top, run.found) == (30, True)
    assert [run.curve[n - 1] for n in CHECKPOINTS] == pytest.approx((50.0, 0.8, 0.0))


def test_figures_of_a_search_that_ends_early() -> None:
    """An exhausted space counts with what it had reached; a cut-off run says so."""
    run = _figures(trials(iter([600.0] * 30)), np.arange(1001.0), 1500)
    assert (run.to_top, run.found) == (30, False)
    assert [run.curve[n - 1] for n in CHECKPOINTS] == pytest.approx((80.0, 80.0, 80.0))


def test_same_seed_same_row() -> None:
    """Rows are reproducible, and a search gives the table's own numbers."""
    table, strategy = synthetic_benchmark(), make_strategy("local_search")
    first, second = (compare_strategies(table, {"ls": strategy}, seeds=2, tasks=["a"], longest=120) for _ in range(2))
    assert first == second
    assert set(first[0].regret) == set(CHECKPOINTS)
    assert not math.isnan(first[0].to_top_error)
    trial = next(search_table(table, "a", strategy, seed=0))
    assert trial.score == table.column("a", "test")[table.rows(table.space.encode(trial.architecture)[None])[0]]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real data")
def test_regularised_evolution_is_where_the_literature_has_it() -> None:
    """P20 S10 on NAS-Bench-201 CIFAR-100: about 40 evaluations to the top, regret near 3 per cent after 100."""
    table = read_benchmark(DATA / "nb201_accuracy.csv.gz")
    (row,) = compare_strategies(table, {"re": make_strategy("regularised_evolution")}, seeds=20, tasks=["cifar100"])
    assert row.to_top == pytest.approx(41, abs=12)
    assert row.regret[100] < 8
