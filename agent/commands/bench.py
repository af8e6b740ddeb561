"""`selfnas bench …`: every figure that the guides quote can be measured again with one of these commands."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure again what the guides claim; figures of a machine under load are worse than of an idle one."""


@app.command()
def constraints(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work, for a first look.")] = False,
) -> None:
    """Speed of the constraint engines, each figure beside what it should reach; exit 1 if one is missed."""
    from rich.console import Console
    from rich.table import Table

    from constraints.bench import measure

    rows = measure(quick=quick)
    table = Table("what", "measured", "should be", "met", title="constraint engines, one core, processor time")
    for row in rows:
        goal = "" if row.at_least is None else f"≥ {row.at_least:,g}"
        goal = f"≤ {row.at_most:,g}" if row.at_most is not None else goal
        met = "" if not goal else ("yes" if row.is_met else "NO")
        table.add_row(row.what, f"{row.value:,.1f} {row.unit}", goal, met)
    Console().print(table)
    raise typer.Exit(0 if all(row.is_met for row in rows) else 1)
