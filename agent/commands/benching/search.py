"""`selfnas bench search`: every single-objective strategy on a table, at the same evaluations, with intervals.

Searches are done in slices of a few seeds; each strategy is printed as it is finished, and Ctrl-C prints what there is.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agent.workers.grid import measure_grid
from selfnas.benchmarks.benchmarking import CHECKPOINTS, SearchRow, compare_strategies, joined
from selfnas.benchmarks.rows import Rows
from selfnas.figures import write_figure
from selfnas.strategies import Strategy, make_strategy
from selfnas.strategies.progressive import Progressive
from selfnas.tables.tabular import TabularBenchmark, TabularEvaluator, benchmark_of, table_digest

__all__ = ["COMPARED", "Slice", "made", "measure_search", "rows_of", "summary_figures", "tabular_throughput"]

COMPARED = (
    "random",
    "local_search",
    "regularised_evolution",
    "adaptive_evolution",
    "progressive:regularised_evolution",
    "reinforce",
    "surrogate",
    "nsga2",
)
_SLICE = 4  # seeds of one strategy on one task that a worker searches before it reports
_PATIENCE = 10  # of progressive spaces
_QUICK_SEEDS, _QUICK_LONGEST = 4, 100
_STREAM = """\
stream: throughput
format: 1
space: {space}
budget: {{evaluations: {evaluations}, full_trainings: 1}}
policy: {{strategy: regularised_evolution, batch: 10, finalists_per_task: 1}}
tasks:
  - {{name: one, source: table, {path}dataset: {dataset}}}
"""

_Cell = tuple[str, str, int, int]  # strategy, task, first seed, seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A few seeds, from the first on, of one strategy on one task."""

    first: int
    row: SearchRow

    @property
    def cell(self) -> _Cell:
        """What was searched."""
        return self.row.strategy, self.row.task, self.first, self.row.seeds


def measure_search(
    table: Path | None,
    *,
    strategies: list[str],
    seeds: int,
    longest: int,
    batch: int,
    workers: int,
    quick: bool,
    plot: Path | None,
    keep: Path | None = None,
) -> None:
    """Measure and print; with `plot`, draw mean regret by number of evaluations.

    Args:
        table: file of a benchmark; the synthetic table when None.
        strategies: which of `COMPARED`; all when empty.
        seeds: searches of each strategy on each task.
        longest: evaluations after which a search that has not found the top is given up.
        batch: proposals between two looks at the results.
        workers: processes.
        quick: few seeds and short searches, for a first look.
        plot: a .png.
        keep: a .jsonl that finished searches are kept in: an interrupted command goes on, and what other commands kept
            of the same table counts.

    Raises:
        InputError: the table cannot be read, or `keep` is of another table or of other settings.
    """
    console = Console()
    benchmark = benchmark_of(table)
    names = strategies or list(COMPARED)
    if quick:
        seeds, longest = min(seeds, _QUICK_SEEDS), min(longest, _QUICK_LONGEST)
    made_up = " (a synthetic table, which says nothing about real networks)" if benchmark.synthetic else ""
    title = (
        f"{benchmark.name}{made_up}: mean of {len(benchmark.tasks)} task(s), batch {batch}, given up after {longest}"
    )
    settings = {"table": table_digests(benchmark), "longest": longest, "batch": batch}
    slices = Rows(keep, of=Slice, settings=settings)
    search = functools.partial(_search, table, longest, batch)
    try:
        for name in names:
            cells = [
                (name, task, first, min(_SLICE, seeds - first))
                for first in range(0, seeds, _SLICE)
                for task in benchmark.tasks
            ]
            measure_grid(search, cells, slices, cell_of=lambda one: one.cell, workers=workers, name=name)
            rows = rows_of(slices, [name], benchmark.tasks)
            console.print(_shown(rows, title=title), _by_task(rows, benchmark.tasks))
    except KeyboardInterrupt:
        console.print("stopped; what was finished:")
        rows = rows_of(slices, names, benchmark.tasks)
        if rows:
            console.print(_shown(rows, title=title))
        raise
    rows = rows_of(slices, names, benchmark.tasks)
    console.print(
        _shown(rows, title=f"{title}; ± standard error over seeds; regret in % of (best - median)"),
        _by_task(rows, benchmark.tasks),
    )
    if plot:
        _draw(rows, plot, title=f"{benchmark.name}: mean of {len(benchmark.tasks)} task(s), {seeds} seeds, 95 %")
        console.print(f"plot: {plot}")
    if not strategies:
        _print_constrained(console, benchmark, seeds=seeds)
    count, seconds = tabular_throughput(table, benchmark, evaluations=100 if quick else 500)
    console.print(
        f"through gate and ledger: {count / seconds:,.0f} evaluations a second of processor time ({count} evaluations)"
    )


def rows_of(slices: Iterable[Slice], strategies: Iterable[str], tasks: Iterable[str]) -> dict[str, list[SearchRow]]:
    """By strategy, one row a task, over the seeds done on every task; strategies without any are left out."""
    parts = {one.cell[:3]: one.row for one in slices}
    found: dict[str, list[SearchRow]] = {}
    wanted = list(tasks)
    for strategy in strategies:
        firsts = sorted({first for name, _, first in parts if name == strategy})
        common = [first for first in firsts if all((strategy, task, first) in parts for task in wanted)]
        if common:
            found[strategy] = [joined([parts[strategy, task, first] for first in common]) for task in wanted]
    return found


def summary_figures(rows: Iterable[SearchRow]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Means over tasks and seeds of one strategy: evaluations to the top, then regret at each checkpoint.

    The error is that of the mean over seeds of the mean over tasks, for a seed's tasks share their random draws.

    Returns:
        `(1 + checkpoints,)` means, their standard errors, and how many searches were given up.
    """
    every = list(rows)
    found = np.array([row.found_at for row in every], dtype=np.float64)
    curves = np.array([row.curves for row in every])[:, :, [n - 1 for n in CHECKPOINTS]]
    by_seed = np.concatenate([found[:, :, None], curves], axis=2).mean(axis=0)
    errors = by_seed.std(axis=0, ddof=1) / np.sqrt(len(by_seed)) if len(by_seed) > 1 else by_seed[0] * np.nan
    return by_seed.mean(axis=0), errors, sum(row.cut_off for row in every)


def tabular_throughput(table: Path | None, benchmark: TabularBenchmark, *, evaluations: int) -> tuple[int, float]:
    """Evaluations of one tabular life, certified and recorded, and the processor time in seconds that they took."""
    from agent.ledger.home import hold
    from agent.ledger.store import Ledger
    from agent.life.life import Life
    from agent.life.observer import Unobserved
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from agent.workers.pool import Workers

    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "stream.yaml"
        stream.write_text(
            _STREAM.format(
                space=benchmark.space.name,
                evaluations=evaluations,
                path=f'path: "{table.resolve()}", ' if table else "",
                dataset=benchmark.tasks[0],
            ),
            encoding="utf-8",
        )
        prepared = prepare(read_stream(stream), on_task=lambda name: None)
        with (
            Workers(1) as pool,
            hold(Path(folder) / "home") as home,
            Ledger(home.ledger, clock=time.time) as ledger,
        ):
            life = Life(ledger, prepared, pool, home=home, device="cpu", observer=Unobserved())
            before = time.process_time()
            finished = life.run()
            return len(finished.tasks[0].trials), time.process_time() - before


_read = functools.cache(benchmark_of)  # of a worker process


def _search(table: Path | None, longest: int, batch: int, cell: _Cell) -> list[Slice]:
    name, task, first, count = cell
    found = compare_strategies(
        _read(table), {name: made(name)}, seeds=count, first=first, tasks=[task], longest=longest, batch=batch
    )
    return [Slice(first=first, row=row) for row in found]


def made(name: str) -> Strategy:
    """A strategy at its defaults; `progressive:NAME` is one whose space widens as its search stalls.

    Raises:
        InputError: no such strategy.
    """
    _, colon, inner = name.partition("progressive:")
    return Progressive(strategy=make_strategy(inner), patience=_PATIENCE) if colon else make_strategy(name)


def table_digests(benchmark: TabularBenchmark) -> str:
    """SHA-256 over the digests of a table's tasks."""
    parts = [table_digest(TabularEvaluator(benchmark=benchmark, task=task)) for task in benchmark.tasks]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _print_constrained(console: Console, benchmark: TabularBenchmark, *, seeds: int) -> None:
    """Two objectives where the table has a latency, and search under a set that admits little."""
    from agent.commands.benching.constrained import STRICT_SET, latency_column, search_constrained, shares_of_front

    if column := latency_column(benchmark):
        for task in benchmark.tasks:
            shares = 100 * np.array(shares_of_front(benchmark, task, seeds=seeds))
            console.print(
                f"{task}: NSGA-II on test against {column} has {shares.mean():.1f} ± "
                f"{shares.std(ddof=1) / np.sqrt(seeds):.1f} % of the true front's hypervolume after 150 evaluations"
            )
    with tempfile.TemporaryDirectory() as folder:
        strict = Path(folder) / "strict.yaml"
        strict.write_text(STRICT_SET, encoding="utf-8")
        for task in benchmark.tasks:
            found, forbidden, share = search_constrained(benchmark, task, "surrogate", set_file=strict, seeds=seeds)
            console.print(
                f"{task}: the surrogate where {100 * share:.1f} % is admitted finds the best admitted one after "
                f"{np.median(found):.0f} evaluations (median); {forbidden} evaluations were of forbidden ones"
            )


def _shown(rows: dict[str, list[SearchRow]], *, title: str) -> Table:
    shown = Table(
        "strategy", "evaluations to top 0.5 %", *(f"regret @{n}" for n in CHECKPOINTS), "given up", title=title
    )
    for name, every in rows.items():
        means, errors, lost = summary_figures(every)
        figures = [f"{mean:.1f} ± {error:.1f}" for mean, error in zip(means, errors, strict=True)]
        shown.add_row(name, *figures, f"{lost} of {sum(row.seeds for row in every)}")
    return shown


def _by_task(rows: dict[str, list[SearchRow]], tasks: tuple[str, ...]) -> Table:
    shown = Table("strategy", *tasks, title="evaluations to top 0.5 %, by task")
    for name, every in rows.items():
        of_task = {row.task: f"{row.to_top:.1f} ± {row.to_top_error:.1f}" for row in every}
        shown.add_row(name, *(of_task[task] for task in tasks))
    return shown


def _draw(rows: dict[str, list[SearchRow]], path: Path, *, title: str) -> None:
    from matplotlib.figure import Figure

    from agent.report.plots import draw_regret

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    draw_regret(
        figure.subplots(),
        {name: np.array([row.curves for row in every]).mean(axis=0) for name, every in rows.items()},
        title=title,
    )
    write_figure(figure, path, dpi=120)
