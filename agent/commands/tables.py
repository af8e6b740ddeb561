"""`selfnas tables …`: benchmark tables that others published, in the form that streams read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def tables() -> None:
    """Benchmark tables for tasks with `source: table`."""


@app.command()
def convert(
    directory: Annotated[Path, typer.Argument(help="An official NATS-tss-…-simple directory.")],
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("nb201_accuracy.csv.gz"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """Turn NATS-Bench's official topology directory into one table; its pickles are read as data, never unpickled."""
    from rich.console import Console

    from selfnas.files import check_output
    from selfnas.tables.nats import convert_nats

    check_output(out, (".gz",), force=force)
    console = Console()
    with console.status("reading cells") as status:
        count = convert_nats(directory, out, on_cell=lambda done: status.update(f"{done:,} cells read"))
    console.print(f"{count:,} cells written to {out}")
