"""`selfnas bench lifelong`: what memory of earlier tasks saves on later ones, on a table, over random stream orders."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from agent.workers.grid import measure_grid
from selfnas.benchmarks.lifelong import METHODS, LifelongRow, informed_search, live_orders, summarise, worst_task
from selfnas.benchmarks.rows import Rows
from selfnas.figures import write_figure
from selfnas.tables.tabular import TabularBenchmark, benchmark_of

__all__ = ["measure_lifelong"]

_CURVES = (10, 20, 50, 100)
_read = functools.partial(benchmark_of, tasks=("a", "b", "c", "d", "e"))
_COLD = ("cold evolution", "cold surrogate")


def measure_lifelong(
    table: Path | None,
    *,
    orders: int,
    first: int,
    methods: list[str],
    workers: int,
    plot: Path | None,
    rows_file: Path | None,
    informed: bool,
) -> None:
    """Measure and print; with `plot`, draw evaluations to the top by place in the stream.

    Args:
        table: of a benchmark; a synthetic one when None.
        orders, first: how many stream orders, and the number of the first.
        methods: names in `METHODS`, or `WELL_READ`; all of the former when empty.
        workers: processes.
        plot: where to draw.
        rows_file: gets every finished order as a line of JSON at once; what it holds already is not measured again.
        informed: whether to show what a model given every other cell of the same task would need.

    Raises:
        InputError: the table or the rows cannot be read.
    """
    console = Console()
    benchmark = _read(table)
    names = methods or list(METHODS)
    found = measure_grid(
        functools.partial(_live, table),
        [(name, order) for order in range(first, first + orders) for name in names],
        Rows(rows_file, of=LifelongRow, settings={"table": benchmark.name}),
        cell_of=lambda row: (row.method, row.order),
        workers=workers,
        name="stream orders",
    )
    rows = {name: sorted((row for row in found if row.method == name), key=lambda row: row.order) for name in names}
    _print(console, benchmark, rows, orders=orders, informed=informed)
    if plot:
        _draw(rows, plot, title=benchmark.name)
        console.print(f"plot: {plot}")


def _live(table: Path | None, cell: tuple[str, int]) -> list[LifelongRow]:
    method, order = cell
    return list(live_orders(_read(table), method, [order]))


def _print(
    console: Console, benchmark: TabularBenchmark, rows: dict[str, list[LifelongRow]], *, orders: int, informed: bool
) -> None:
    made_up = " (a synthetic table, which says nothing about real networks)" if benchmark.synthetic else ""
    title = (
        f"{benchmark.name}{made_up}: tasks after the first of {orders} random orders; evaluations to the top "
        "0.5 %, then regret after so many in % of (best - median); mean±standard error over orders; lost: given up"
    )
    shown = Table("method", box=SIMPLE, title=title)
    for heading in ("to top", *(f"@{n}" for n in _CURVES), "lost"):
        shown.add_column(heading, no_wrap=True, justify="right")
    for name, every in rows.items():
        figures = [f"{mean:.1f}±{error:.1f}" for mean, error in summarise(every)]
        lost = sum(not row.found for row in every if row.place)
        shown.add_row(name, *figures, f"{lost}/{sum(row.place > 0 for row in every)}")
    if informed:
        told = [informed_search(benchmark, task) for task in benchmark.tasks]
        means = np.mean([(to_top, *regret) for to_top, regret in told], axis=0)
        shown.add_row("(given every other cell)", *(f"{mean:.1f}" for mean in means), "")
    console.print(shown, _by_task(rows))
    for name in (name for name in rows if name not in _COLD):
        for cold in (cold for cold in _COLD if cold in rows):
            task, ratio, (low, high) = worst_task(rows[name], rows[cold])
            console.print(f"{name} against {cold}, worst task {task}: {ratio:.2f} × [{low:.2f}, {high:.2f}]")


def _by_task(rows: dict[str, list[LifelongRow]]) -> Table:
    """Evaluations to the top by task, where it was not the first: who gains, and who is misled."""
    shown = Table("task", *rows, box=SIMPLE, title="evaluations to the top 0.5 %, by task")
    for task in sorted({row.task for every in rows.values() for row in every}):
        found = [[row.to_top for row in every if row.place and row.task == task] for every in rows.values()]
        shown.add_row(task, *(f"{np.mean(counts):.1f}" if counts else "" for counts in found))
    return shown


def _draw(rows: dict[str, list[LifelongRow]], path: Path, *, title: str) -> None:
    """Evaluations to the top against the place in the stream, with standard errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    orders = len({row.order for every in rows.values() for row in every})
    for name, every in rows.items():
        places = sorted({row.place for row in every})
        found = [np.array([row.to_top for row in every if row.place == place]) for place in places]
        errors = [values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0 for values in found]
        axes.errorbar(
            [place + 1 for place in places], [values.mean() for values in found], errors, label=name, capsize=3
        )
    axes.set(
        xlabel="place of the task in the stream",
        ylabel="evaluations to the best 0.5 %",
        title=f"{title}: mean ± standard error over {orders} orders",
        ylim=(0, None),
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_figure(figure, path, dpi=120)
