"""The cells of a grid (seeds, strategies, tasks …) measured by processes of their own, each cell once."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from rich.progress import Progress

from agent.workers.lifetime import follow_parent
from selfnas.benchmarks.rows import Rows

__all__ = ["measure_grid", "spread"]

Cell = TypeVar("Cell", bound=Hashable)
Job = TypeVar("Job")
Answer = TypeVar("Answer")
Row = TypeVar("Row")


def measure_grid(
    work: Callable[[Cell], Sequence[Row]],
    cells: Sequence[Cell],
    rows: Rows[Row],
    *,
    cell_of: Callable[[Row], Cell],
    workers: int = 0,
    name: str = "",
) -> list[Row]:
    """The rows of these cells, in the order of the cells; those that are kept are not measured again.

    Args:
        work: measures one cell; for processes of their own a function of a module, or a `partial` of one.
        cells: what to measure.
        rows: what is kept; each cell's rows are added as it is finished.
        cell_of: the cell that a row is of.
        workers: processes; 0 measures one cell after the other in this one.
        name: of the grid, for a bar of progress; none is shown without.
    """
    done = set(map(cell_of, rows))
    left = [cell for cell in cells if cell not in done]
    if workers:
        spread(work, left, workers=workers, name=name, on_done=lambda cell, found: rows.add(*found))
    else:
        for cell in left:
            rows.add(*work(cell))
    places = {cell: place for place, cell in enumerate(cells)}
    return sorted((row for row in rows if cell_of(row) in places), key=lambda row: places[cell_of(row)])


def spread(
    work: Callable[[Job], Answer],
    jobs: Sequence[Job],
    *,
    workers: int,
    name: str = "",
    on_done: Callable[[Job, Answer], None] = lambda job, answer: None,
) -> list[Answer]:
    """The answers to jobs, in their order, from fresh processes that end with this one.

    Each has one thread for numbers and ignores Ctrl-C, which this process handles; its workers are then killed.

    Args:
        work: a function of a module, or a `partial` of one.
        jobs: what it is called with.
        workers: processes.
        name: of the whole, for a bar of progress; none is shown without.
        on_done: called here with each job and its answer, in the order that answers come.
    """
    if not jobs:
        return []
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start)
    with Progress(transient=True, disable=not (name and sys.stdout.isatty())) as progress:
        bar = progress.add_task(name, total=len(jobs))
        try:
            asked = {pool.submit(work, job): job for job in jobs}
            for answered in as_completed(asked):
                on_done(asked[answered], answered.result())
                progress.advance(bar)
        except BaseException:
            for process in list((pool._processes or {}).values()):
                process.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [answered.result() for answered in asked]


def _start() -> None:
    follow_parent()
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
