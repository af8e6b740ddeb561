"""Do mined sub-cells help? Measured on tasks of a table that took no part in the mining, over random stream orders.

Every task of an order is searched once by evolution without sub-cells; what it found is the past of later ones. Then,
on each later task, for the sub-cells mined from the tasks before it:

- *presence*: mean percentile rank over the whole table of cells that contain it, minus that of cells that do not;
- *implant*: mean change of percentile rank when it is laid into random cells, minus that of as many random edits;
- *search*: evolution with these sub-cells against evolution without, same seed, same first budget; on request both try
  the best of every earlier task first.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from experiments.harness import FirstOrder, Keep, Rows, TableFile, Workers, interval, measure_grid, print_table, run
from selfnas.benchmarks.benchmarking import regret_and_top, search_table, top_score
from selfnas.benchmarks.lifelong import winners
from selfnas.search.domain import SpelledDomain, mutate
from selfnas.search.history import Trial
from selfnas.search.subcells import contains, implant
from selfnas.seeding import generator
from selfnas.spaces.architecture import Architecture, Macro
from selfnas.spaces.template import Vector
from selfnas.strategies import RegularisedEvolution
from selfnas.strategies.mining import MinedSubCell, mine, percentile_ranks
from selfnas.strategies.transfer import PastTask
from selfnas.tables.tabular import TabularBenchmark, benchmark_of

_CELLS = 200  # random cells that sub-cells are laid into, for each task


@dataclass(frozen=True, slots=True, kw_only=True)
class MotifRow:
    """One task of one order.

    Attributes:
        mined: sub-cells at hand; with none the other figures are NaN, and the searches with and without are one.
        presence: mean over them; points of percentile rank.
        implant: likewise.
        to_top: evaluations to the top half per cent, without and with.
        regret: after 20, 50 and 100 evaluations, without and with.
    """

    order: int
    place: int
    task: str
    mined: int
    presence: float
    implant: float
    to_top: tuple[int, int]
    regret: tuple[tuple[float, ...], tuple[float, ...]]


def measure_order(
    benchmark: TabularBenchmark,
    order: int,
    *,
    percent: int = 50,
    replay: bool = False,
    remembered: int = 100,
    longest: int = 300,
) -> Iterator[MotifRow]:
    """The rows of the tasks of one random order, from the third on: mining needs two.

    Args:
        benchmark: the table.
        order: its number, and the seed of everything in it.
        percent: `implant_percent` of the search with sub-cells.
        replay: whether searches begin with the best of every earlier task.
        remembered: evaluations of a task that later ones know of.
        longest: evaluations after which a search that did not find the top is given up.
    """
    tasks = [benchmark.tasks[i] for i in generator(order, "stream order").permutation(len(benchmark.tasks))]
    live = benchmark.space.effective(benchmark.space.enumerate())
    plain = RegularisedEvolution(implant_percent=percent)
    past: list[PastTask] = []
    for place, task in enumerate(tasks):
        values = benchmark.column(task, "test")
        warm = winners(past) if replay else ()
        without = _search(benchmark, task, plain, order, values, warm=warm, least=remembered, longest=longest)
        if place >= 2:
            mined = mine(past)
            with_them = without
            if mined:
                furnished = replace(plain, blocks=tuple(one.sub_cell for one in mined))
                with_them = _search(
                    benchmark, task, furnished, order, values, warm=warm, least=remembered, longest=longest
                )
            ranks = percentile_ranks(values)
            found = [regret_and_top([trial.value for trial in search], values, at=(20, 50, 100))
                     for search in (without, with_them)]  # fmt: skip
            yield MotifRow(
                order=order,
                place=place,
                task=task,
                mined=len(mined),
                presence=_presence(mined, live, ranks),
                implant=_implant(mined, benchmark, ranks, generator(order, "implant", task)),
                to_top=(found[0][0], found[1][0]),
                regret=(found[0][2], found[1][2]),
            )
        past.append(PastTask(name=task, trials=tuple(without[:remembered])))


def _search(
    benchmark: TabularBenchmark,
    task: str,
    strategy: RegularisedEvolution,
    seed: int,
    values: NDArray[np.float64],
    *,
    warm: Sequence[Architecture],
    least: int,
    longest: int,
) -> list[Trial]:
    """At least so many trials, and on until the top is found."""
    top, trials = top_score(values), []
    for trial in itertools.islice(search_table(benchmark, task, strategy, seed=seed, warm=warm), longest):
        trials.append(trial)
        if len(trials) >= least and max(one.value for one in trials) >= top:
            break
    return trials


def _presence(mined: Sequence[MinedSubCell], live: Vector, ranks: NDArray[np.float64]) -> float:
    gains = []
    for one in mined:
        held = contains(one.sub_cell, live)
        gains.append(float(ranks[held].mean() - ranks[~held].mean()))
    return float(np.mean(gains)) if gains else float("nan")


def _implant(
    mined: Sequence[MinedSubCell],
    benchmark: TabularBenchmark,
    ranks: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Against so many random edits as the implant changed edges, from the same cells."""
    domain = SpelledDomain(benchmark.space, Macro())
    gains = []
    for vector in benchmark.space.draw(rng, _CELLS) if mined else ():
        child = implant(domain, vector, mined[int(rng.integers(len(mined)))].sub_cell, rng)
        if child is None:
            continue
        edited = mutate(domain, vector, rng, edits=int((child != vector).sum()))
        if edited is not None:
            rows = benchmark.rows(np.stack([child, edited]))
            gains.append(float(ranks[rows[0]] - ranks[rows[1]]))
    return float(np.mean(gains)) if gains else float("nan")


def _measure(table: Path | None, percent: int, replay: bool, order: int) -> list[MotifRow]:
    return list(measure_order(benchmark_of(table), order, percent=percent, replay=replay))


def motifs(
    table: TableFile = None,
    orders: Annotated[int, typer.Option(min=1, help="Random stream orders.")] = 40,
    first: FirstOrder = 0,
    percent: Annotated[int, typer.Option(min=0, max=100, help="How often evolution lays a sub-cell in.")] = 50,
    replay: Annotated[bool, typer.Option("--replay", help="Begin searches with the best of earlier tasks.")] = False,
    workers: Workers = 2,
    keep: Keep = None,
) -> None:
    """What sub-cells mined from earlier tasks are worth on a new one: as parts of cells, as edits, and to a search."""
    benchmark = benchmark_of(table)
    settings = {"table": benchmark.name, "percent": percent, "replay": replay}
    rows = measure_grid(
        functools.partial(_measure, table, percent, replay),
        range(first, first + orders),
        Rows(keep, of=MotifRow, settings=settings),
        cell_of=lambda row: row.order,
        workers=workers,
        name="stream orders",
    )
    told = functools.partial(interval, groups=[row.order for row in rows])
    shown = [
        ("presence, percentile points", "", "", told([row.presence for row in rows])),
        ("implant against random edits, percentile points", "", "", told([row.implant for row in rows])),
    ]
    pairs = {"evaluations to top 0.5 %": [row.to_top for row in rows]} | {
        f"regret @{n}, % of (best - median)": [(row.regret[0][k], row.regret[1][k]) for row in rows]
        for k, n in enumerate((20, 50, 100))
    }
    for name, values in pairs.items():
        without, with_them = np.array(values, dtype=np.float64).T
        shown.append((name, told(without), told(with_them), told(with_them - without)))
    made_up = " (a synthetic table, which says nothing about real networks)" if benchmark.synthetic else ""
    print_table(
        ("figure", "evolution", "with sub-cells", "difference"),
        shown,
        title=f"{benchmark.name}{made_up}: {len(rows)} tasks, the third and later of {orders} orders; "
        "mean [95 % interval over orders]",
    )
    print(f"tasks on which nothing was mined: {sum(not row.mined for row in rows)} of {len(rows)}")


if __name__ == "__main__":
    run(motifs)
