"""`selfnas bench motifs`: what mined sub-cells are worth on tasks that took no part in the mining."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from agent.cli import main
from agent.workers.lifetime import follow_parent
from selfnas.tables.tabular import benchmark_of

from .gain import MotifRow, measure_order

__all__ = ["mean_and_margin", "measure_motifs"]

app = typer.Typer(add_completion=False)


def measure_motifs(table: Path | None, *, orders: int, first: int, percent: int, replay: bool, workers: int) -> None:
    """Measure and print.

    Raises:
        InputError: the table cannot be read.
    """
    console = Console()
    benchmark = benchmark_of(table)
    rows: list[MotifRow] = []
    context = multiprocessing.get_context("spawn")
    with (
        Progress(console=console, transient=True) as progress,
        ProcessPoolExecutor(workers, mp_context=context, initializer=follow_parent) as pool,
    ):
        bar = progress.add_task("stream orders", total=orders)
        for job in as_completed(
            [pool.submit(_one, table, order, percent, replay) for order in range(first, first + orders)]
        ):
            rows += job.result()
            progress.advance(bar)
    made_up = " (made up by this project, says nothing about real networks)" if benchmark.synthetic else ""
    title = (
        f"{benchmark.name}{made_up}: {len(rows)} tasks, the third and later of {orders} orders; "
        "mean [95 % interval over orders]"
    )
    shown = Table("figure", "evolution", "with sub-cells", "difference", title=title)
    shown.add_row("presence, percentile points", "", "", _told(rows, [row.presence for row in rows]))
    shown.add_row("implant against random edits, percentile points", "", "", _told(rows, [row.implant for row in rows]))
    pairs = [("evaluations to top 0.5 %", [(float(row.to_top[0]), float(row.to_top[1])) for row in rows])]
    pairs += [
        (f"regret @{n}, % of (best - median)", [(row.regret[0][k], row.regret[1][k]) for row in rows])
        for k, n in enumerate((20, 50, 100))
    ]
    for name, values in pairs:
        shown.add_row(
            name,
            _told(rows, [pair[0] for pair in values]),
            _told(rows, [pair[1] for pair in values]),
            _told(rows, [pair[1] - pair[0] for pair in values]),
        )
    console.print(shown)
    console.print(f"tasks on which nothing was mined: {sum(not row.mined for row in rows)} of {len(rows)}")


def mean_and_margin(orders: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Mean over orders and half the width of its 95 % interval (Student's t); tasks of an order are averaged first.

    Values that are NaN are left out.
    """
    by_order: dict[int, list[float]] = {}
    for order, value in zip(orders, values, strict=True):
        if np.isfinite(value):
            by_order.setdefault(order, []).append(value)
    means = np.array([np.mean(group) for group in by_order.values()])
    if len(means) < 2:
        return (float(means.mean()) if len(means) else float("nan")), float("nan")
    from scipy.stats import t

    quantile = float(t.ppf(0.975, len(means) - 1))
    return float(means.mean()), quantile * float(means.std(ddof=1) / np.sqrt(len(means)))


def _told(rows: Sequence[MotifRow], values: Sequence[float]) -> str:
    mean, margin = mean_and_margin([row.order for row in rows], values)
    return f"{mean:.1f} \\[{mean - margin:.1f}, {mean + margin:.1f}]"


def _one(table: Path | None, order: int, percent: int, replay: bool) -> list[MotifRow]:
    return list(measure_order(benchmark_of(table), order, percent=percent, replay=replay))


@app.command()
def motifs(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a made-up one.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Random stream orders.")] = 40,
    first: Annotated[int, typer.Option(min=0, help="Number of the first order; orders are seeds.")] = 0,
    percent: Annotated[int, typer.Option(min=0, max=100, help="How often evolution lays a sub-cell in.")] = 50,
    replay: Annotated[bool, typer.Option("--replay", help="Begin searches with the best of earlier tasks.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
) -> None:
    """What sub-cells mined from earlier tasks are worth on a new one: as parts of cells, as edits, and to a search."""
    measure_motifs(table, orders=orders, first=first, percent=percent, replay=replay, workers=workers)


if __name__ == "__main__":
    main(commands=app)
