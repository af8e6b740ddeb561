"""Self-tuning: the gap it closes from a poor start, how often it errs, and learning within a search."""

from __future__ import annotations

import functools
import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import binomtest

from agent.ledger.home import hold
from agent.ledger.store import Ledger
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.stream.file import read_stream
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import ALPHA, policy_in_force
from agent.tuning.trial import PRESENT, PROPOSED, Contests, on_turn
from agent.workers.pool import Workers as Pool
from experiments.harness import FirstOrder, Keep, Rows, TableFile, Workers, interval, measure_grid, print_table, run
from selfnas.benchmarks.benchmarking import regret_and_top, search_table
from selfnas.search.domain import SpelledDomain
from selfnas.search.history import Trial
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro
from selfnas.strategies import make_strategy
from selfnas.strategies.adaptive_evolution import OPERATORS, AdaptiveEvolution
from selfnas.tables.tabular import TabularBenchmark, benchmark_of

POOR = "evolution, population 100"
HAND_TUNED: Mapping[str, str] = {
    "evolution, population 20": "{strategy: regularised_evolution, population: 20, sample: 10, batch: 5}",
    "local search": "{strategy: local_search, batch: 5}",
    "surrogate": "{strategy: surrogate, batch: 5}",
    "transfer": "{strategy: transfer, batch: 5}",
}
_STREAM = """\
stream: bench
format: 1
seed: {seed}
space: {space}
budget: {{evaluations: {budget}, full_trainings: 1}}
policy: {policy}
{tuning}tasks:
{tasks}
"""
_POOR = "{strategy: regularised_evolution, population: 100, sample: 10, batch: 5}"
_Budget = Annotated[int, typer.Option("--budget", min=20, help="Evaluations of a task.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One life on one stream order.

    Attributes:
        policy: `POOR`, one of `HAND_TUNED`, or `tuned`.
        order: number of the stream order.
        regret: by place in the stream, in per cent of (best - median): the mean over evaluations, and at the end.
        decisions: kinds of the events about its policy, in order.
        final: strategy at the end.
    """

    policy: str
    order: int
    regret: tuple[tuple[float, float], ...]
    decisions: tuple[str, ...]
    final: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Evolution with an operator, or the one that learns which pay, from one seed; means over the tasks of the table.

    Attributes:
        operators: name of the operator, or `adaptive`.
        seed: of the searches.
        regret: in per cent of (best - median), the mean over evaluations.
        last: regret at the end.
        to_top: evaluations to the top half per cent.
    """

    operators: str
    seed: int
    regret: float
    last: float
    to_top: float


def gap(
    table: TableFile = None,
    orders: Annotated[int, typer.Option(min=2, help="Stream orders.")] = 8,
    first: FirstOrder = 0,
    budget: _Budget = 100,
    proposals: Annotated[int, typer.Option(min=1, help="Policies rehearsed after each task.")] = 12,
    rehearsals: Annotated[int, typer.Option(min=2, help="Rehearsals that confirm the best.")] = 16,
    confirm: Annotated[int, typer.Option(min=0, help="Tasks of a trial, at most.")] = 2,
    workers: Workers = 1,
    keep: Keep = None,
) -> None:
    """Which share of the gap from a poor policy to the best hand-tuned one self-tuning closes, over stream orders."""
    benchmark = benchmark_of(table)
    tuning = {"proposals": proposals, "rehearsals": rehearsals, "confirm": confirm}
    half = len(benchmark.tasks) // 2 + 1
    lives = measure_grid(
        functools.partial(_live, table, budget, tuning),
        [(order, policy) for order in range(first, first + orders) for policy in (POOR, *HAND_TUNED, "tuned")],
        Rows(keep, of=Lived, settings={"table": benchmark.name, "budget": budget, **tuning}),
        cell_of=lambda life: (life.order, life.policy),
        workers=workers,
        name="lives",
    )
    by_policy = {policy: [life for life in lives if life.policy == policy] for policy in (POOR, *HAND_TUNED, "tuned")}
    print_table(
        ("order", *by_policy, "strategy at the end of tuned"),
        [
            (first + place, *(f"{np.mean([r[0] for r in life.regret[half:]]):.1f}" for life in of_order), tuned.final)
            for place, (*of_order, tuned) in enumerate(zip(*by_policy.values(), by_policy["tuned"], strict=True))
        ],
        title=f"{benchmark.name}: regret, mean over {budget} evaluations and tasks from {half + 1} on",
    )
    every = {policy: np.array([np.mean(life.regret[half:], axis=0) for life in of]) for policy, of in by_policy.items()}
    print_table(
        ("policy", f"regret, mean over {budget} evaluations", "at the end"),
        [(policy, interval(values[:, 0]), interval(values[:, 1])) for policy, values in every.items()],
        title=f"mean [95 % interval over {orders} orders]",
    )
    kinds = [kind for life in lives for kind in life.decisions]
    print("decisions: " + ", ".join(f"{kind} {kinds.count(kind)}" for kind in sorted(set(kinds))))
    best, share, low, high = gap_closed(lives, first_place=half)
    print(f"gap to {best} closed: {100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}] ({orders} orders)")


def null(
    table: TableFile = None,
    simulations: Annotated[int, typer.Option(min=1, help="Trials of a policy that is no better.")] = 200,
    first: FirstOrder = 0,
    budget: _Budget = 100,
    confirm: Annotated[int, typer.Option(min=1, help="Tasks of a trial, at most.")] = 2,
) -> None:
    """How often a trial confirms a policy that is no better."""
    for noise, what in ((False, "evolution against itself"), (True, "surrogate against evolution, scores pure noise")):
        confirmed, count = false_confirmations(
            benchmark_of(table), simulations=simulations, first=first, tasks=confirm, budget=budget, noise=noise
        )
        found = binomtest(confirmed, count).proportion_ci(method="wilson")
        print(
            f"{what}: confirmed in {confirmed} of {count} trials of {confirm} tasks with {budget} evaluations "
            f"(95 % interval {100 * found.low:.1f} to {100 * found.high:.1f} %)"
        )


def operators(
    table: TableFile = None,
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each on each task.")] = 8,
    first: FirstOrder = 0,
    budget: _Budget = 100,
    workers: Workers = 1,
    keep: Keep = None,
) -> None:
    """Learning which operators pay within a search, against each operator fixed."""
    benchmark = benchmark_of(table)
    rows = measure_grid(
        functools.partial(_search, table, budget),
        [(name, seed) for name in (*OPERATORS, "adaptive") for seed in range(first, first + seeds)],
        Rows(keep, of=Searched, settings={"table": benchmark.name, "budget": budget}),
        cell_of=lambda row: (row.operators, row.seed),
        workers=workers,
        name="searches",
    )
    found = {
        name: np.array([(row.regret, row.last, row.to_top) for row in rows if row.operators == name])
        for name in (*OPERATORS, "adaptive")
    }
    print_table(
        ("operators", f"regret, mean over {budget} evaluations", f"regret at {budget}", "evaluations to the top"),
        [(name, *(f"{mean:.2f}" for mean in values.mean(axis=0))) for name, values in found.items()],
        title=f"{benchmark.name}: means over tasks and {seeds} seeds",
    )
    fixed = sorted(OPERATORS, key=lambda name: float(found[name][:, 0].mean()))
    for title, name in (("best fixed in hindsight", fixed[0]), ("median fixed", fixed[len(fixed) // 2])):
        for column, what in enumerate((f"regret, mean over {budget} evaluations", f"regret at {budget}")):
            ours, theirs = found["adaptive"][:, column], found[name][:, column]
            picks = generator(0, "bootstrap").integers(seeds, size=(2000, seeds))
            low, high = np.quantile(ours[picks].mean(axis=1) / theirs[picks].mean(axis=1), (0.025, 0.975))
            ratio = ours.mean() / theirs.mean()
            print(f"{what}: adaptive / {title} ({name}) = {ratio:.2f} [{low:.2f}, {high:.2f}], {seeds} seeds")


def _live(table: Path | None, budget: int, tuning: Mapping[str, int], cell: tuple[int, str]) -> list[Lived]:
    """One order lived by the poor policy, by a hand-tuned one, or by the poor one that tunes itself."""
    (order, name), benchmark = cell, benchmark_of(table)
    tasks = [benchmark.tasks[i] for i in generator(order, "stream order").permutation(len(benchmark.tasks))]
    where = f'path: "{table.resolve()}", ' if table else ""
    text = _STREAM.format(
        seed=order,
        space=benchmark.space.name,
        budget=budget,
        policy=HAND_TUNED.get(name, _POOR).replace("batch: 5}", "batch: 5, finalists_per_task: 1, recall: 0}"),
        tuning=f"tuning: {{{', '.join(f'{key}: {value}' for key, value in tuning.items())}}}\n"
        if name == "tuned"
        else "",
        tasks="\n".join(f"  - {{name: {task}, source: table, {where}dataset: {task}}}" for task in tasks),
    )
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "stream.yaml"
        stream.write_text(text, encoding="utf-8")
        prepared = prepare(read_stream(stream), on_task=lambda task: None)
        with Pool(1) as pool, hold(Path(folder) / "home") as home, Ledger(home.ledger, clock=time.time) as ledger:
            life = Life(ledger, prepared, pool, home=home, device="cpu", observer=Unobserved())
            tasks_lived = life.run().tasks
            decisions = tuple(event.kind for event in ledger.events() if event.kind.startswith("policy."))
            final = policy_in_force(life.state, prepared.stream).strategy
    regret = tuple(
        _regrets([trial.value for trial in task.trials], _searched(benchmark, task.name)) for task in tasks_lived
    )
    return [Lived(policy=name, order=order, regret=regret, decisions=decisions, final=final)]


def _search(table: Path | None, budget: int, cell: tuple[str, int]) -> list[Searched]:
    (name, seed), benchmark = cell, benchmark_of(table)
    strategy = AdaptiveEvolution() if name == "adaptive" else AdaptiveEvolution(operators=(name,))
    of_tasks = []
    for task in benchmark.tasks:
        search = search_table(benchmark, task, strategy, seed=seed)
        scores, values = [trial.value for trial in itertools.islice(search, budget)], benchmark.column(task, "test")
        of_tasks.append((*_regrets(scores, values), regret_and_top(scores, values)[0]))
    regret, last, to_top = (float(mean) for mean in np.mean(of_tasks, axis=0))
    return [Searched(operators=name, seed=seed, regret=regret, last=last, to_top=to_top)]


def _searched(benchmark: TabularBenchmark, task: str) -> NDArray[np.float64]:
    """The column that a life's rounds read."""
    columns = benchmark.columns[task]
    return columns.get("validation_low", columns["validation"])


def _regrets(scores: Sequence[float], values: NDArray[np.float64]) -> tuple[float, float]:
    best, median = float(values.max()), float(np.median(values))
    curve = 100 * (best - np.maximum.accumulate(np.asarray(scores))) / (best - median)
    return float(curve.mean()), float(curve[-1])


def gap_closed(lives: Sequence[Lived], *, first_place: int, draws: int = 2000) -> tuple[str, float, float, float]:
    """The best hand-tuned policy of these lives, and which share of the way to it self-tuning closed.

    Mean regret over a task's evaluations, tasks from `first_place` (from 0) on.

    Returns:
        Name of that policy, chosen in hindsight; the share; its 95 % bootstrap interval over orders.
    """
    orders = sorted({life.order for life in lives})
    by: dict[str, NDArray[np.float64]] = {}
    for name in (POOR, *HAND_TUNED, "tuned"):
        found = {
            life.order: np.mean([r[0] for r in life.regret[first_place:]]) for life in lives if life.policy == name
        }
        by[name] = np.array([found[order] for order in orders])
    best = min(HAND_TUNED, key=lambda name: float(by[name].mean()))

    def share(rows: NDArray[np.intp]) -> float:
        poor, tuned, goal = (float(by[name][rows].mean()) for name in (POOR, "tuned", best))
        return (poor - tuned) / (poor - goal)

    rng = generator(0, "bootstrap")
    shares = [share(rng.integers(len(orders), size=len(orders))) for _ in range(draws)]
    low, high = np.quantile(shares, (0.025, 0.975))
    return best, share(np.arange(len(orders))), float(low), float(high)


def false_confirmations(
    benchmark: TabularBenchmark, *, simulations: int, tasks: int, budget: int, noise: bool, first: int = 0
) -> tuple[int, int]:
    """Trials of a policy that is no better, looked at after every contest: how many confirmed it, and of how many.

    Args:
        benchmark: the table.
        simulations: trials.
        tasks: that each lasts, at most.
        budget: evaluations of a task.
        noise: the score of every cell is drawn anew, so that no policy can be better than another, and the surrogate
            is tried against evolution; otherwise evolution is tried against itself on the table's own scores.
        first: number of the first; each is the seed of its own.
    """
    old = SearchPolicy(strategy="regularised_evolution", batch=5)
    new = SearchPolicy(strategy="surrogate", batch=5) if noise else old
    confirmed = 0
    for simulation in range(first, first + simulations):
        rng = generator(simulation, "null")
        contests = Contests()
        for index in range(tasks):
            task = benchmark.tasks[rng.integers(len(benchmark.tasks))]
            values = rng.normal(size=benchmark.space.count()) if noise else benchmark.column(task, "test")
            for won in _contested(benchmark, values, old, new, budget=budget, seed=simulation, task=index):
                contests = Contests(won=contests.won + won, lost=contests.lost + (not won))
                if contests.wealth >= 1 / ALPHA:
                    break
            if contests.wealth >= 1 / ALPHA:
                confirmed += 1
                break
    return confirmed, simulations


def _contested(
    benchmark: TabularBenchmark,
    values: NDArray[np.float64],
    old: SearchPolicy,
    new: SearchPolicy,
    *,
    budget: int,
    seed: int,
    task: int,
) -> list[bool]:
    """Who won each contest of a task that two policies search in turn; ties are left out."""
    domain = SpelledDomain(benchmark.space, Macro())
    sides = {
        by: make_strategy(policy.strategy, policy.strategy_settings())
        for by, policy in ((PRESENT, old), (PROPOSED, new))
    }
    trials: list[Trial] = []
    best: dict[tuple[int, str], float] = {}
    for number in range(budget // old.batch):
        contest, by = on_turn(number, seed=seed, run=1, task=task)
        rng = generator(seed, "null round", task, number)
        proposed = sides[by](trials, domain, old.batch, rng)
        rows = benchmark.rows(np.stack([benchmark.space.encode(architecture) for architecture in proposed]))
        trials += [
            Trial(architecture=architecture, score=float(values[row]), fidelity="low")
            for architecture, row in zip(proposed, rows, strict=True)
        ]
        best[contest, by] = float(values[rows].max())
    pairs = [(best[k, PROPOSED], best[k, PRESENT]) for k in range(budget // old.batch // 2)]
    return [new_ > old_ for new_, old_ in pairs if new_ != old_]


if __name__ == "__main__":
    run(gap, null, operators)
