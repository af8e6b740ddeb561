"""What the experiments share: options, rows that survive an interruption, processes, intervals, one table.

An experiment is a module run as `python -m experiments.NAME.measure` from the root of the repository. It hands its
functions to `run`, measures the cells of its grid with `measure_grid`, and prints with `print_table`.
"""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.stats import t as student

from agent.cli import main
from agent.workers.grid import measure_grid, spread
from selfnas.benchmarks.rows import Rows

__all__ = [
    "FirstOrder",
    "Keep",
    "Rows",
    "Set",
    "TableFile",
    "Workers",
    "interval",
    "mean_and_margin",
    "measure_grid",
    "print_table",
    "processor_seconds",
    "run",
    "spread",
]

TableFile = Annotated[
    Path | None,
    typer.Option("--table", help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a synthetic one."),
]
FirstOrder = Annotated[int, typer.Option("--first", min=0, help="Number of the first order; orders are seeds.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes.")]
Keep = Annotated[
    Path | None, typer.Option("--keep", help="A .jsonl of finished rows; what it holds is not measured again.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Stands in for a value of the file; repeatable.")
]


def run(*commands: Callable[..., None]) -> None:
    """Offer functions as the commands of this script; errors end it as they end `selfnas`."""
    app = typer.Typer(add_completion=False)
    for command in commands:
        app.command()(command)
    main(commands=app)


def mean_and_margin(values: Iterable[float], *, groups: Iterable[Hashable] | None = None) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval (Student's t); NaN where that cannot be told.

    Args:
        values: those that are NaN are left out.
        groups: of each value, what it shares chance with, such as a stream order; groups are averaged first.
    """
    every = list(values)
    by_group: dict[Hashable, list[float]] = {}
    for group, value in zip(range(len(every)) if groups is None else groups, every, strict=True):
        if np.isfinite(value):
            by_group.setdefault(group, []).append(value)
    means = np.array([np.mean(group) for group in by_group.values()])
    if len(means) < 2:
        return (float(means[0]) if len(means) else float("nan")), float("nan")
    quantile = float(student.ppf(0.975, len(means) - 1))
    return float(means.mean()), quantile * float(means.std(ddof=1) / np.sqrt(len(means)))


def interval(values: Iterable[float], *, groups: Iterable[Hashable] | None = None, form: str = ".1f") -> str:
    """The mean and its 95 % interval, in words."""
    mean, margin = mean_and_margin(values, groups=groups)
    return f"{mean:{form}} [{mean - margin:{form}}, {mean + margin:{form}}]"


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process that leads a session; processor seconds of all in it, to half a second each, or NaN."""
    seconds: dict[str, float] = {}
    while process.poll() is None:
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                values = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(values[3]) == process.pid:
                seconds[status.parent.name] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
        time.sleep(0.5)
    return sum(seconds.values()) if seconds else math.nan


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print a table in Markdown, to be read and to be pasted into a README."""
    lines = [list(headings), *([str(value) for value in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(headings))]
    lines.insert(1, ["-" * width for width in widths])
    if title:
        print(f"\n{title}\n")
    for line in lines:
        print(f"| {' | '.join(value.ljust(width) for value, width in zip(line, widths, strict=True))} |", flush=True)
