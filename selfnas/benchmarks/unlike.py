"""Tasks that are unlike all others, made from those of a table: what a memory of earlier tasks should not be harmed by.

Each keeps something and takes the rest away. A search without memory finds its way in them as far as there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from selfnas.models.gaussian_process import normal_scores
from selfnas.seeding import generator
from selfnas.spaces.architecture import Space
from selfnas.tables.tabular import TabularBenchmark

__all__ = ["UNLIKE", "mixed", "noise", "relabelled", "reversed_scores", "with_unlike"]

Column = NDArray[np.float64]


def relabelled(space: Space, values: Column, rng: np.random.Generator) -> Column:
    """Each cell has the score of the cell with its operations renamed, `none` among them; none keeps its name.

    The structure of the task stays: cells one edit apart still are. What an operation means is lost.
    """
    kinds = min(space.kinds)
    while (names := rng.permutation(kinds))[names == np.arange(kinds)].size:
        pass
    return np.asarray(values[space.place(names[space.enumerate()].astype(np.int8))])


def reversed_scores(space: Space, values: Column, rng: np.random.Generator) -> Column:
    """The best cell has the score of the worst and so on, among cells that compute something; others stay as they are.

    All of them reversed, thousands of cells that compute nothing would be equally good.
    """
    found = values.copy()
    live = np.flatnonzero((space.effective(space.enumerate()) > 0).any(axis=1))
    order = np.argsort(values[live], kind="stable")
    found[live[order]] = values[live[order[::-1]]]
    return found


def noise(space: Space, values: Column, rng: np.random.Generator) -> Column:
    """The scores dealt anew: there is nothing to learn."""
    return np.asarray(rng.permutation(values))


def mixed(space: Space, values: Column, rng: np.random.Generator) -> Column:
    """Half what the task says and half what it says with its operations renamed, by normal scores; values stay."""
    both = normal_scores(values) + normal_scores(relabelled(space, values, rng))
    found = np.empty_like(values)
    found[np.argsort(both, kind="stable")] = np.sort(values)
    return found


UNLIKE: Mapping[str, Callable[[Space, Column, np.random.Generator], Column]] = MappingProxyType(
    {"relabelled": relabelled, "reversed": reversed_scores, "noise": noise, "mixed": mixed}
)


def with_unlike(
    benchmark: TabularBenchmark, kind: str, task: str, *, seed: int, column: str = "test"
) -> TabularBenchmark:
    """The table with one task more, named `KIND:TASK`, whose columns are all made from that column.

    Args:
        kind: a key of `UNLIKE`.
        task: of the table, from which the new one is made.
        seed: of what is drawn.

    Example:
        >>> from selfnas.tables.tabular import synthetic_benchmark
        >>> with_unlike(synthetic_benchmark(), "reversed", "a", seed=0).tasks
        ('a', 'b', 'c', 'reversed:a')
    """
    name = f"{kind}:{task}"
    made = UNLIKE[kind](benchmark.space, benchmark.column(task, column), generator(seed, "unlike", name))
    columns = {**benchmark.columns, name: {"validation": made, "test": made, column: made}}
    return replace(benchmark, name=f"{benchmark.name} and {name}", columns=columns)
