"""Does memory pay? Streams of tabulated tasks in random orders, each lived with and without memory at the same budget.

A stream is lived task by task; what `remembered` evaluations on a task found is all that later tasks may know of it.
Evaluations to the top and regret are those of `selfnas.benchmarks.benchmarking`. The hard baselines are replay of past
winners followed by evolution or by local search.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfnas.benchmarks.benchmarking import regret_and_top, search_table, top_score
from selfnas.errors import InputError
from selfnas.models.cell_features import cell_features
from selfnas.models.gaussian_process import distances, normal_scores
from selfnas.search.history import Trial
from selfnas.search.small_space import every_vector
from selfnas.seeding import generator
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.template import Vector
from selfnas.strategies import LocalSearch, RegularisedEvolution, Strategy
from selfnas.strategies.transfer import PastTask, Transfer
from selfnas.tables.tabular import TabularBenchmark

__all__ = [
    "METHODS",
    "WELL_READ",
    "LifelongRow",
    "informed_search",
    "live_orders",
    "live_stream",
    "summarise",
    "winners",
    "worst_task",
]

_REPLAYED = 5  # best of every past task
_WHOLE = 5000  # cells: the inverse of so large a covariance takes seconds
_SMOOTH, _NOISE = 16.0, 0.05  # of the informed model: length scale in median distances, share of noise

# A method: what searches, and what it tries first, given the past tasks.
Method = Callable[[Sequence[PastTask]], tuple[Strategy, tuple[Architecture, ...]]]


def winners(past: Sequence[PastTask]) -> tuple[Architecture, ...]:
    """The best of every past task, best ranks first, so that no task has to wait for another's fifth."""
    ranked = [sorted(task.trials, key=lambda trial: -trial.value)[:_REPLAYED] for task in past]
    rounds = itertools.zip_longest(*reversed(ranked))
    return tuple(trial.architecture for rank in rounds for trial in rank if trial is not None)


METHODS: Mapping[str, Method] = {
    "cold evolution": lambda past: (RegularisedEvolution(), ()),
    "cold surrogate": lambda past: (Transfer(), ()),
    "replay + evolution": lambda past: (RegularisedEvolution(), winners(past)),
    "replay + local search": lambda past: (LocalSearch(), winners(past)),
    "transfer": lambda past: (Transfer(past=tuple(past)), ()),
}
WELL_READ = "transfer from whole tables"  # a limit, no method: past tasks are known by every cell


@dataclass(frozen=True, kw_only=True)
class _WholeTable(PastTask):
    """A past task of which every cell's score is known, without most of its noise."""

    scores: NDArray[np.float64]

    def expects(self, vectors: Vector) -> NDArray[np.float64]:
        """`(n,)` smoothed normal scores of `(n, slots)` vectors."""
        return self.scores[self.space.place(vectors)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifelongRow:
    """One task of one stream.

    Attributes:
        order: number of the stream order, which is also its seed.
        place: of the task in the order, from 0.
        to_top: evaluations until the top half per cent, or the length of a search that did not find it.
        regret: in per cent of (best - median) after 10, 20, 50 and 100 evaluations.
    """

    method: str
    order: int
    place: int
    task: str
    to_top: int
    found: bool
    regret: tuple[float, ...]


def live_orders(
    benchmark: TabularBenchmark,
    method: str,
    orders: Sequence[int],
    *,
    remembered: int = 100,
    longest: int = 300,
    column: str = "test",
) -> Iterator[LifelongRow]:
    """The rows of every task of streams in the given random orders.

    Args:
        method: one of `METHODS`, or `WELL_READ`.
        orders: their numbers; each is the seed of an order and of the searches in it.
        remembered: evaluations of a task that later tasks know of.
        longest: evaluations after which a search that did not find the top is given up.
    """
    for order in orders:
        tasks = [benchmark.tasks[i] for i in generator(order, "stream order").permutation(len(benchmark.tasks))]
        yield from live_stream(
            benchmark, method, tasks, order=order, remembered=remembered, longest=longest, column=column
        )


def live_stream(
    benchmark: TabularBenchmark,
    method: str,
    tasks: Sequence[str],
    *,
    order: int,
    remembered: int = 100,
    longest: int = 300,
    column: str = "test",
) -> Iterator[LifelongRow]:
    """The rows of these tasks, lived one after the other; see `live_orders`."""
    past: list[PastTask] = []
    for place, task in enumerate(tasks):
        strategy, warm = METHODS["transfer" if method == WELL_READ else method](past)
        search = search_table(benchmark, task, strategy, seed=order, column=column, warm=warm)
        values = benchmark.column(task, column)
        top = top_score(values)
        trials: list[Trial] = []
        for trial in itertools.islice(search, longest):
            trials.append(trial)
            if len(trials) >= remembered and max(trial.value for trial in trials) >= top:
                break
        to_top, found, regret = regret_and_top([trial.value for trial in trials], values)
        yield LifelongRow(method=method, order=order, place=place, task=task, to_top=to_top, found=found, regret=regret)
        taught = PastTask(name=task, trials=tuple(trials[:remembered]))
        if method == WELL_READ:
            taught = _WholeTable(name=task, trials=taught.trials, scores=_smoothed(benchmark, task, column))
        past.append(taught)


def worst_task(
    rows: Sequence[LifelongRow], cold: Sequence[LifelongRow], *, draws: int = 2000
) -> tuple[str, float, tuple[float, float]]:
    """The task that gains least from memory: mean evaluations to the top with memory over those without.

    Tasks after the first of each order only, of orders that both have.

    Returns:
        The task, the ratio, and its 95 % bootstrap interval over orders (of that task's ratio, as if it had been
        named beforehand).
    """
    tasks = sorted({row.task for row in rows})
    orders = sorted({row.order for row in rows} & {row.order for row in cold})
    found = np.full((2, len(orders), len(tasks)), np.nan)
    for side, every in enumerate((rows, cold)):
        for row in every:
            if row.place and row.order in orders:
                found[side, orders.index(row.order), tasks.index(row.task)] = row.to_top
    ratios = np.nanmean(found[0], axis=0) / np.nanmean(found[1], axis=0)
    worst = int(np.argmax(ratios))
    held = found[:, ~np.isnan(found).any(axis=0)[:, worst], worst]
    rng = generator(0, "bootstrap")
    picks = rng.integers(held.shape[1], size=(draws, held.shape[1]))
    resampled = held[0][picks].mean(axis=1) / held[1][picks].mean(axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return tasks[worst], float(ratios[worst]), (float(low), float(high))


def informed_search(benchmark: TabularBenchmark, task: str, *, column: str = "test") -> tuple[int, tuple[float, ...]]:
    """What a model achieves that was given the score of every *other* cell of the very task, by leaving one out.

    It tries cells in the order of its predictions. No memory of other tasks can say as much, so this is about how far
    the models of this project could get. Evaluations to the top, and regret after 10, 20, 50 and 100.

    Raises:
        InputError: the table is too large to leave each cell out.
    """
    values = benchmark.column(task, column)
    scores = normal_scores(values)
    inverse = np.linalg.inv(_covariance(benchmark))
    guessed = scores - (inverse @ scores) / np.diag(inverse)
    to_top, _, regret = regret_and_top(values[np.argsort(-guessed, kind="stable")].tolist(), values)
    return to_top, regret


def _covariance(benchmark: TabularBenchmark) -> NDArray[np.float64]:
    """`(count, count)` of all scores of a table, in the order of `space.enumerate()`.

    Raises:
        InputError: the table is too large for it.
    """
    count = benchmark.space.count()
    if count > _WHOLE:
        raise InputError(f"table {benchmark.name} has {count:,} cells, more than {_WHOLE:,}, to be modelled whole")
    points = cell_features(benchmark.space, benchmark.space.enumerate())
    apart = distances(points, points)
    covariance: NDArray[np.float64] = np.exp(-apart / (_SMOOTH * float(np.median(apart)))) + _NOISE * np.eye(count)
    return covariance


@functools.cache
def _smoothed(benchmark: TabularBenchmark, task: str, column: str) -> NDArray[np.float64]:
    """What a model of every cell's score says of every vector, in the order of `every_vector`."""
    scores = normal_scores(benchmark.column(task, column))
    covariance = _covariance(benchmark)
    smooth = scores - _NOISE * np.linalg.solve(covariance, scores)
    everywhere = np.full(len(every_vector(benchmark.space)), scores.min())
    everywhere[benchmark.space.place(benchmark.space.enumerate())] = smooth
    return everywhere


def summarise(rows: Sequence[LifelongRow]) -> NDArray[np.float64]:
    """`(5, 2)` means over orders and standard errors of evaluations to the top and of the four regrets.

    Tasks after the first of each order only. The unit of the error is the order: its tasks are averaged first, since
    they share a past.
    """
    later = [row for row in rows if row.place > 0]
    orders = sorted({row.order for row in later})
    means = np.array(
        [np.mean([(row.to_top, *row.regret) for row in later if row.order == order], axis=0) for order in orders]
    )
    errors = means.std(axis=0, ddof=1) / np.sqrt(len(orders)) if len(orders) > 1 else np.full(means.shape[1], np.nan)
    return np.stack([means.mean(axis=0), errors], axis=1)
