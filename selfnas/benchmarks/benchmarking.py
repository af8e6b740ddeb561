"""Comparing strategies on tables: plain rows of figures, each a mean over seeds with its standard error.

The two figures are those used throughout: *evaluations to the top* (distinct evaluations until an architecture of the
best half per cent of the table is found) and *regret* after so many evaluations, in per cent of the way from the
table's median to its best.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.search.domain import Domain, SpelledDomain
from selfnas.search.history import Trial
from selfnas.seeding import generator
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.strategies import Strategy
from selfnas.tables.tabular import TabularBenchmark

__all__ = ["CHECKPOINTS", "SearchRow", "compare_strategies", "joined", "regret_and_top", "search_table", "top_score"]

CHECKPOINTS = (20, 50, 100)
_TOP_SHARE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRow:
    """How one strategy did on one task of a table.

    Attributes:
        to_top: mean evaluations until the top half per cent; runs that were cut off count with their length.
        to_top_error: standard error of that mean.
        cut_off: runs that had not found it when they were stopped.
        regret: by number of evaluations, mean regret in per cent of (best - median).
        found_at: evaluations to the top of each seed, as in `to_top`.
        curves: of each seed, regret after 1, 2, ... evaluations, to the last checkpoint.
    """

    table: str
    task: str
    strategy: str
    seeds: int
    to_top: float
    to_top_error: float
    cut_off: int
    regret: Mapping[int, float]
    regret_error: Mapping[int, float]
    found_at: tuple[int, ...]
    curves: tuple[tuple[float, ...], ...]


def search_table(
    benchmark: TabularBenchmark,
    task: str,
    strategy: Strategy,
    *,
    seed: int,
    batch: int = 1,
    column: str = "test",
    domain: Domain | None = None,
    warm: Sequence[Architecture] = (),
) -> Iterator[Trial]:
    """The trials of one search, as they are found; ends only where the space does, so take as many as are wanted.

    Args:
        batch: proposals between two looks at the results.
        domain: what may be proposed; every row of the table when None.
    """
    where = domain or SpelledDomain(benchmark.space, Macro())
    values = benchmark.column(task, column)
    trials: list[Trial] = []
    while proposed := strategy(trials, where, batch, generator(seed, "search", len(trials)), warm=warm):
        rows = benchmark.rows(np.stack([benchmark.space.encode(architecture) for architecture in proposed]))
        for architecture, row in zip(proposed, rows, strict=True):
            trials.append(Trial(architecture=architecture, score=float(values[row]), fidelity=column))
            yield trials[-1]


def compare_strategies(
    benchmark: TabularBenchmark,
    strategies: Mapping[str, Strategy],
    *,
    seeds: int,
    first: int = 0,
    tasks: Sequence[str] = (),
    column: str = "test",
    batch: int = 1,
    domain: Domain | None = None,
    longest: int = 1000,
    on_done: Callable[[SearchRow], None] = lambda row: None,
) -> list[SearchRow]:
    """A row for each strategy and task (all tasks when none are named).

    Every strategy gets the same seeds, from `first` on, and as many evaluations; runs go on until the top is found, at
    most `longest`.
    """
    result = []
    for task in tasks or benchmark.tasks:
        values = benchmark.column(task, column)
        for name, strategy in strategies.items():
            searches = (
                search_table(benchmark, task, strategy, seed=seed, column=column, batch=batch, domain=domain)
                for seed in range(first, first + seeds)
            )
            runs = [_figures(search, values, longest) for search in searches]
            row = _row(
                benchmark.name,
                task,
                name,
                found_at=tuple(run.to_top for run in runs),
                cut_off=sum(not run.found for run in runs),
                curves=tuple(run.curve for run in runs),
            )
            result.append(row)
            on_done(row)
    return result


def joined(rows: Sequence[SearchRow]) -> SearchRow:
    """One row of several of the same table, task and strategy, whose seeds differ.

    Raises:
        ValueError: there is none, or they are not of one table, task and strategy.
    """
    if len({(row.table, row.task, row.strategy) for row in rows}) != 1:
        raise ValueError("need rows of one table, task and strategy")
    return _row(
        rows[0].table,
        rows[0].task,
        rows[0].strategy,
        found_at=tuple(found for row in rows for found in row.found_at),
        cut_off=sum(row.cut_off for row in rows),
        curves=tuple(curve for row in rows for curve in row.curves),
    )


def _row(
    table: str,
    task: str,
    strategy: str,
    *,
    found_at: tuple[int, ...],
    cut_off: int,
    curves: tuple[tuple[float, ...], ...],
) -> SearchRow:
    found = np.array(found_at, dtype=np.float64)
    regrets = np.array(curves)[:, [n - 1 for n in CHECKPOINTS]]
    return SearchRow(
        table=table,
        task=task,
        strategy=strategy,
        seeds=len(found),
        to_top=float(found.mean()),
        to_top_error=_error(found),
        cut_off=cut_off,
        regret={n: float(mean) for n, mean in zip(CHECKPOINTS, regrets.mean(axis=0), strict=True)},
        regret_error={n: _error(regrets[:, k]) for k, n in enumerate(CHECKPOINTS)},
        found_at=found_at,
        curves=curves,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    to_top: int
    found: bool
    curve: tuple[float, ...]  # regret after each evaluation, to the last checkpoint


def _figures(search: Iterator[Trial], values: NDArray[np.float64], longest: int) -> _Run:
    """The figures of one search, which is followed to the last checkpoint and until it finds the top."""
    enough, scores = top_score(values), list[float]()
    for trial in itertools.islice(search, longest):
        scores.append(trial.value)
        if len(scores) >= CHECKPOINTS[-1] and max(scores) >= enough:
            break
    # An exhausted space has been searched to the end: what it had reached is what later checkpoints see.
    return _Run(*regret_and_top(scores, values, at=range(1, CHECKPOINTS[-1] + 1)))


def top_score(values: NDArray[np.float64]) -> float:
    """The least score of the best half per cent of a table's `(count,)` values."""
    return float(np.sort(values)[-max(1, int(_TOP_SHARE * len(values)))])


def regret_and_top(
    scores: Sequence[float], values: NDArray[np.float64], *, at: Sequence[int] = (10, *CHECKPOINTS)
) -> tuple[int, bool, tuple[float, ...]]:
    """Evaluations to the top half per cent (or all there were), whether it was found, and regret at each of `at`.

    Args:
        scores: of one search, in order.
        values: of the whole table.
        at: numbers of evaluations; where a search is shorter, what it had reached.
    """
    reached = np.maximum.accumulate(np.asarray(scores, dtype=np.float64))
    enough = top_score(values)
    best, median = float(values.max()), float(np.median(values))
    hits = np.flatnonzero(reached >= enough)
    regrets = tuple(100 * (best - float(reached[min(n, len(reached)) - 1])) / (best - median) for n in at)
    return (int(hits[0]) + 1 if len(hits) else len(reached)), bool(len(hits)), regrets


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
