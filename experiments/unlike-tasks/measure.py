"""Streams in which one task is unlike all others, lived with memory and without."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer

from experiments.harness import FirstOrder, Keep, Rows, TableFile, Workers, measure_grid, print_table, run
from selfnas.benchmarks.lifelong import LifelongRow, live_stream
from selfnas.benchmarks.unlike import UNLIKE, with_unlike
from selfnas.errors import InputError
from selfnas.seeding import generator
from selfnas.tables.tabular import TabularBenchmark, benchmark_of

_COLD, _WARM = "cold surrogate", "transfer"
_DRAWS = 2000
_TASKS = ("a", "b", "c", "d", "e")

_read = functools.partial(benchmark_of, tasks=_TASKS)
Counts = np.typing.NDArray[np.float64]


def unlike_tasks(
    table: TableFile = None,
    orders: Annotated[int, typer.Option(min=2, max=10_000, help="Streams; each is one seed.")] = 10,
    first: FirstOrder = 0,
    related: Annotated[int, typer.Option(min=1, max=20, help="Tasks of the table in each stream.")] = 4,
    kind: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(UNLIKE)}, in turn; repeatable.")] = None,
    remembered: Annotated[int, typer.Option(min=8, help="Evaluations of a task that later ones know of.")] = 60,
    longest: Annotated[int, typer.Option(min=20, help="Evaluations after which a search is given up.")] = 300,
    workers: Workers = 1,
    keep: Keep = None,
) -> None:
    """Evaluations to the top 0.5 % on the task unlike all others, on related ones after the first, and on both."""
    kinds = tuple(kind or ("relabelled", "reversed"))
    if wrong := [name for name in kinds if name not in UNLIKE]:
        raise InputError(f"unknown kind {wrong[0]!r}: it is one of {', '.join(UNLIKE)}")
    if not related <= len(_read(table).tasks):
        raise InputError(f"{related} related tasks are more than the table has: {len(_read(table).tasks)}")
    settings = {"table": _read(table).name, "related": related, "remembered": remembered, "longest": longest}
    rows = measure_grid(
        functools.partial(_live, table, kinds, related, remembered, longest),
        [(method, order) for order in range(first, first + orders) for method in (_COLD, _WARM)],
        Rows(keep, of=LifelongRow, settings={**settings, "kinds": list(kinds)}),
        cell_of=lambda row: (row.method, row.order),
        workers=workers,
        name="streams",
    )
    shown = []
    for name, chosen in (("unlike all others", True), ("related, after the first", False), ("both", None)):
        cold, warm = (_by_order(rows, method, unlike=chosen) for method in (_COLD, _WARM))
        logs = [_by_order(rows, method, unlike=chosen, of=np.log) for method in (_WARM, _COLD)]
        ratios = [
            f"{ratio:.2f} [{low:.2f}, {high:.2f}]" for ratio, (low, high) in (ratio_of(warm, cold), typical(*logs))
        ]
        shown.append((name, f"{cold.mean():.1f}", f"{warm.mean():.1f}", *ratios))
    print_table(
        ("tasks", _COLD, _WARM, "ratio of means [95 % interval over streams]", "of geometric means"),
        shown,
        title=f"{_read(table).name}: evaluations to the top 0.5 %, {orders} streams from {first} on",
    )


def stream_of(
    benchmark: TabularBenchmark, order: int, *, kinds: Sequence[str], related: int
) -> tuple[TabularBenchmark, list[str]]:
    """Tasks of the table and one made from one of them, anywhere but first."""
    rng = generator(order, "unlike stream")
    tasks = [benchmark.tasks[i] for i in rng.permutation(len(benchmark.tasks))[:related]]
    made = with_unlike(benchmark, kinds[order % len(kinds)], str(rng.choice(benchmark.tasks)), seed=order)
    tasks.insert(int(rng.integers(1, related + 1)), made.tasks[-1])
    return replace(made, name=benchmark.name), tasks


def ratio_of(warm: Counts, cold: Counts) -> tuple[float, tuple[float, float]]:
    """Of the means of `(orders,)` counts, with the 95 % bootstrap interval over orders, which are drawn in pairs."""
    picks = _picks(len(warm))
    low, high = np.quantile(warm[picks].mean(axis=1) / cold[picks].mean(axis=1), (0.025, 0.975))
    return float(warm.mean() / cold.mean()), (float(low), float(high))


def typical(warm: Counts, cold: Counts) -> tuple[float, tuple[float, float]]:
    """Of geometric means, from the mean logarithms of `(orders,)`, likewise: no long search outweighs the others."""
    apart = warm - cold
    low, high = np.exp(np.quantile(apart[_picks(len(apart))].mean(axis=1), (0.025, 0.975)))
    return float(np.exp(apart.mean())), (float(low), float(high))


def _picks(count: int) -> np.typing.NDArray[np.int64]:
    return generator(0, "bootstrap").integers(count, size=(_DRAWS, count))


def _live(
    table: TableFile, kinds: Sequence[str], related: int, remembered: int, longest: int, cell: tuple[str, int]
) -> list[LifelongRow]:
    method, order = cell
    benchmark, tasks = stream_of(_read(table), order, kinds=kinds, related=related)
    return list(live_stream(benchmark, method, tasks, order=order, remembered=remembered, longest=longest))


def _by_order(
    rows: Sequence[LifelongRow], method: str, *, unlike: bool | None, of: Callable[[float], float] = float
) -> Counts:
    """`(orders,)` mean of what is taken `of` evaluations to the top, over tasks after the first of each order."""
    chosen = [row for row in rows if row.method == method and row.place]
    if unlike is not None:
        chosen = [row for row in chosen if (":" in row.task) == unlike]
    return np.array([np.mean([of(row.to_top) for row in chosen if row.order == order]) for order in _orders(chosen)])


def _orders(rows: Sequence[LifelongRow]) -> list[int]:
    return sorted({row.order for row in rows})


if __name__ == "__main__":
    run(unlike_tasks)
