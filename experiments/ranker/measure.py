"""`selfnas bench ranker`: the learned combination of proxies against each alone, on published proxy scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agent.cli import main
from experiments.estimators.measure import spearman
from selfnas.errors import InputError
from selfnas.models.ranking import ProxyTrials, combined

__all__ = ["compare_ranker", "read_scores"]

app = typer.Typer(add_completion=False)

# Columns of the files (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022) that this project has a proxy for.
_PROXIES = ("flops", "params", "synflow", "grasp", "fisher", "grad_norm", "nwot", "jacov", "snip")
_TRIALS = (0, 8, 16, 32)
_OF_EACH_PAST = 16
_TESTED = 200

_Column = NDArray[np.float64]
_Scores = tuple[Mapping[str, _Column], _Column]


def compare_ranker(table: Path, *, seeds: int) -> None:
    """Print mean and worst task of every proxy's rank correlation, and of the combination after so many trials.

    Raises:
        InputError: the file cannot be read or lacks columns.
    """
    tasks = read_scores(table)
    shown = Table("score", "mean Spearman", "standard error", "worst task",
                  title=f"{table.name}: {len(tasks)} tasks, {seeds} seeds, {_TESTED} architectures tested")  # fmt: skip
    names = list(next(iter(tasks.values()))[0])
    for name in names:
        rows = [
            [spearman(proxies[name][part], scores[part]) for part in _parts(len(scores), 0, seeds)]
            for proxies, scores in tasks.values()
        ]
        shown.add_row(name, *_figures(rows))
    for past in (False, True):
        for trials in _TRIALS:
            rows = [[_learned(tasks, task, trials, past=past, seed=seed) for seed in range(seeds)] for task in tasks]
            memory = f", {_OF_EACH_PAST} of each other task" if past else ""
            shown.add_row(f"learned from {trials} trials{memory}", *_figures(rows))
    Console().print(shown)


def read_scores(table: Path) -> dict[str, _Scores]:
    """By task: proxies by name, and final scores.

    Raises:
        InputError: the file cannot be read or lacks columns.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(table)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{table}: not a table of comma-separated values: {str(error).splitlines()[0]}") from error
    if not {"task", "val"} <= set(frame.columns):
        raise InputError(f"{table}: needs the columns task, val and proxies")
    names = [name for name in _PROXIES if name in frame.columns]
    return {
        str(task): (
            {name: rows[name].to_numpy(np.float64) for name in names},
            rows["val"].to_numpy(np.float64),
        )
        for task, rows in frame.groupby("task", sort=False)
    }


def _parts(count: int, first: int, seeds: int) -> list[NDArray[np.int64]]:
    return [np.random.default_rng(seed).permutation(count)[first : first + _TESTED] for seed in range(seeds)]


def _learned(tasks: Mapping[str, _Scores], task: str, trials: int, *, past: bool, seed: int) -> float:
    proxies, scores = tasks[task]
    matrix = np.stack(list(proxies.values()), axis=1)
    order = np.random.default_rng(seed).permutation(len(scores))
    known, tested = order[:trials], order[trials : trials + _TESTED]
    others = []
    for other in tasks if past else ():
        if other != task:
            columns, values = tasks[other]
            rows = np.random.default_rng([seed, 1]).permutation(len(values))[:_OF_EACH_PAST]
            others.append(ProxyTrials(np.stack(list(columns.values()), axis=1)[rows], values[rows]))
    found = combined(matrix[tested], ProxyTrials(matrix[known], scores[known]), others)
    return spearman(found, scores[tested])


def _figures(rows: Sequence[Sequence[float]]) -> tuple[str, str, str]:
    """Mean over tasks and seeds, standard error over seeds of the mean over tasks, and the worst task."""
    values = np.array(rows)
    by_seed = values.mean(axis=0)
    error = by_seed.std(ddof=1) / np.sqrt(len(by_seed)) if len(by_seed) > 1 else np.nan
    return f"{values.mean():.3f}", f"{error:.3f}", f"{values.mean(axis=1).min():.3f}"


@app.command()
def ranker(
    table: Annotated[Path, typer.Option(help="Proxy scores: columns task, val and one for each proxy.")],
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Random choices of trials and tested ones.")] = 40,
) -> None:
    """The learned combination of proxies against each proxy alone, by rank correlation with final scores."""
    compare_ranker(table, seeds=seeds)


if __name__ == "__main__":
    main(commands=app)
