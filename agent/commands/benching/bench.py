"""`selfnas bench …`: strategies compared on tables, from nothing and with memory of earlier tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selfnas.figures import picture_file

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Compare strategies on benchmark tables, your own or a synthetic one."""


@app.command()
def lifelong(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a synthetic one.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Random stream orders.")] = 40,
    first: Annotated[int, typer.Option(min=0, help="Number of the first order; orders are seeds.")] = 0,
    methods: Annotated[list[str] | None, typer.Option("--method", help="Only this one; repeatable.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
    plot: Annotated[Path | None, typer.Option(help="A .png to draw.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    rows: Annotated[
        Path | None, typer.Option(help="Finished orders as lines of JSON; what it holds is not measured again.")
    ] = None,
    informed: Annotated[bool, typer.Option("--informed", help="Also a model given all other cells of a task.")] = False,
) -> None:
    """What memory of earlier tasks saves on later ones, against replay of past winners and against none."""
    from agent.commands.benching.lifelong import measure_lifelong
    from selfnas.benchmarks.lifelong import METHODS, WELL_READ
    from selfnas.errors import InputError, suggestion

    for method in methods or []:
        if method not in (*METHODS, WELL_READ):
            raise InputError(f"unknown method {method!r}{suggestion(method, sorted([*METHODS, WELL_READ]))}")
    picture_file(plot, force=force)
    measure_lifelong(
        table, orders=orders, first=first, methods=methods or [], workers=workers, plot=plot, rows_file=rows,
        informed=informed,
    )  # fmt: skip


@app.command()
def search(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a synthetic one.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Searches of each strategy on each task.")] = 40,
    strategies: Annotated[list[str] | None, typer.Option("--strategy", help="Only this one; repeatable.")] = None,
    longest: Annotated[int, typer.Option(min=100, help="Evaluations after which a search is given up.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Proposals between two looks at the results.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="4 seeds of 100 evaluations, for a first look.")] = False,
    plot: Annotated[Path | None, typer.Option(help="A .png to draw.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    keep: Annotated[Path | None, typer.Option(help="A .jsonl that finished searches are kept in.")] = None,
) -> None:
    """Every strategy on every task of a table, from nothing, at the same evaluations.

    `--strategy progressive:NAME` searches a space that starts with few operations and widens.
    """
    from agent.commands.benching.search import COMPARED, measure_search
    from selfnas.errors import InputError, suggestion

    for name in strategies or []:
        if name.removeprefix("progressive:") not in COMPARED:
            raise InputError(f"not compared here: {name!r}{suggestion(name, COMPARED)}")
    picture_file(plot, force=force)
    measure_search(
        table, strategies=strategies or [], seeds=seeds, longest=longest, batch=batch, workers=workers, quick=quick,
        plot=plot, keep=keep,
    )  # fmt: skip
