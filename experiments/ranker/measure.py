"""The learned combination of proxies against each alone, on published proxy scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from experiments.estimators.correlation import spearman
from experiments.harness import interval, print_table, run
from selfnas.errors import InputError
from selfnas.models.ranking import ProxyTrials, combined

# Columns of the files (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022) that this project has a proxy for.
_PROXIES = ("flops", "params", "synflow", "grasp", "fisher", "grad_norm", "nwot", "jacov", "snip")
_TRIALS = (0, 8, 16, 32)
_OF_EACH_PAST = 16
_TESTED = 200

_Column = NDArray[np.float64]
_Scores = tuple[Mapping[str, _Column], _Column]


def ranker(
    table: Annotated[Path, typer.Option(help="Proxy scores: columns task, val and one for each proxy.")],
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Random choices of trials and tested ones.")] = 40,
) -> None:
    """The learned combination of proxies against each proxy alone, by rank correlation with final scores."""
    tasks = read_scores(table)
    shown: list[tuple[str, ...]] = []
    for name in next(iter(tasks.values()))[0]:
        rows = [
            [spearman(proxies[name][part], scores[part]) for part in _parts(len(scores), 0, seeds)]
            for proxies, scores in tasks.values()
        ]
        shown.append((name, *_figures(rows)))
    for past in (False, True):
        for trials in _TRIALS:
            rows = [[_learned(tasks, task, trials, past=past, seed=seed) for seed in range(seeds)] for task in tasks]
            memory = f", {_OF_EACH_PAST} of each other task" if past else ""
            shown.append((f"learned from {trials} trials{memory}", *_figures(rows)))
    print_table(
        ("score", "mean Spearman [95 % interval over seeds]", "worst task"),
        shown,
        title=f"{table.name}: {len(tasks)} tasks, {seeds} seeds, {_TESTED} architectures tested",
    )


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


def _figures(rows: Sequence[Sequence[float]]) -> tuple[str, str]:
    """Mean over tasks and seeds with its interval over seeds, and the mean of the worst task."""
    values = np.array(rows)
    return interval(values.mean(axis=0), form=".3f"), f"{values.mean(axis=1).min():.3f}"


if __name__ == "__main__":
    run(ranker)
