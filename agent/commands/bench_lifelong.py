"""`selfnas bench lifelong`: what memory of earlier tasks saves on later ones, on a table, over random stream orders."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from selfnas.lifelong import METHODS, LifelongRow, live_orders, summarise
from selfnas.tabular import TabularBenchmark, read_benchmark, synthetic_benchmark

__all__ = ["measure_lifelong"]

_CURVES = (10, 20, 50, 100)


def measure_lifelong(
    table: Path | None, *, orders: int, first: int, methods: list[str], workers: int, plot: Path | None
) -> None:
    """Measure and print; with `plot`, draw evaluations to the top by place in the stream.

    Raises:
        InputError: the table cannot be read.
    """
    console = Console()
    benchmark = _benchmark(table)
    names = methods or list(METHODS)
    rows: dict[str, list[LifelongRow]] = {name: [] for name in names}
    context = multiprocessing.get_context("spawn")
    with (
        Progress(console=console, transient=True) as progress,
        ProcessPoolExecutor(workers, mp_context=context) as pool,
    ):
        bar = progress.add_task("stream orders", total=orders * len(names))
        jobs = [pool.submit(_one, table, name, order) for order in range(first, first + orders) for name in names]
        for job in as_completed(jobs):
            for row in job.result():
                rows[row.method].append(row)
            progress.advance(bar)
    made_up = " (made up by this project, says nothing about real networks)" if benchmark.synthetic else ""
    title = (
        f"{benchmark.name}{made_up}: tasks after the first of {orders} random orders, mean ± standard error over "
        "orders; regret in % of (best - median)"
    )
    shown = Table("method", "evaluations to top 0.5 %", *(f"regret @{n}" for n in _CURVES), "not found", title=title)
    for name in names:
        figures = [f"{mean:.1f} ± {error:.1f}" for mean, error in summarise(rows[name])]
        lost = sum(not row.found for row in rows[name] if row.place)
        shown.add_row(name, *figures, f"{lost} of {sum(row.place > 0 for row in rows[name])}")
    console.print(shown, _by_task(rows))
    if plot:
        _draw(rows, plot, title=benchmark.name)
        console.print(f"plot: {plot}")


def _benchmark(table: Path | None) -> TabularBenchmark:
    return read_benchmark(table) if table else synthetic_benchmark(tasks=("a", "b", "c", "d", "e"))


def _one(table: Path | None, method: str, order: int) -> list[LifelongRow]:
    import torch

    torch.set_num_threads(1)
    return list(live_orders(_benchmark(table), method, [order]))


def _by_task(rows: dict[str, list[LifelongRow]]) -> Table:
    """Evaluations to the top by task, where it was not the first: who gains, and who is misled."""
    tasks = sorted({row.task for every in rows.values() for row in every})
    shown = Table("method", *tasks, title="evaluations to top 0.5 %, by task")
    for name, every in rows.items():
        of_task = [[row.to_top for row in every if row.place and row.task == task] for task in tasks]
        shown.add_row(name, *(f"{np.mean(found):.1f}" if found else "" for found in of_task))
    return shown


def _draw(rows: dict[str, list[LifelongRow]], path: Path, *, title: str) -> None:
    """Evaluations to the top against the place in the stream, with standard errors."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, every in rows.items():
        places = sorted({row.place for row in every})
        found = [np.array([row.to_top for row in every if row.place == place]) for place in places]
        errors = [values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0 for values in found]
        axes.errorbar(
            [place + 1 for place in places], [values.mean() for values in found], errors, label=name, capsize=3
        )
    axes.set(
        xlabel="place of the task in the stream", ylabel="evaluations to the best 0.5 %", title=title, ylim=(0, None)
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
