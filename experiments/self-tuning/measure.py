"""`selfnas bench tuning`: gain of self-tuning from a poor start, how often it errs, and learning within a search."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from agent.cli import main
from agent.stream.policy import SearchPolicy
from agent.tuning.decision import ALPHA
from agent.tuning.trial import PRESENT, PROPOSED, Contests, on_turn
from selfnas.benchmarks.benchmarking import regret_and_top, search_table
from selfnas.errors import InputError, suggestion
from selfnas.search.history import Trial
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro
from selfnas.strategies import make_strategy
from selfnas.strategies.adaptive_evolution import OPERATORS, AdaptiveEvolution
from selfnas.tables.tabular import SpelledDomain, TabularBenchmark, benchmark_of

__all__ = [
    "HAND_TUNED",
    "POOR",
    "Lived",
    "compare_operators",
    "false_confirmations",
    "gap_closed",
    "live_policies",
    "measure_null",
    "measure_operators",
    "measure_tuning",
]

app = typer.Typer(add_completion=False)

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
_POOR = "{strategy: regularised_evolution, population: 100, sample: 10, batch: 5, finalists_per_task: 1, recall: 0}"


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


def live_policies(
    table: Path | None,
    benchmark: TabularBenchmark,
    order: int,
    *,
    budget: int,
    proposals: int,
    rehearsals: int,
    confirm: int,
) -> list[Lived]:
    """One order lived by the poor policy, by each hand-tuned one, and by the poor one that tunes itself."""
    tuning = f"tuning: {{proposals: {proposals}, rehearsals: {rehearsals}, confirm: {confirm}}}\n"
    fixed = {name: text.replace("}", ", finalists_per_task: 1, recall: 0}") for name, text in HAND_TUNED.items()}
    lives = [(name, policy, "") for name, policy in {POOR: _POOR, **fixed}.items()] + [("tuned", _POOR, tuning)]
    return [
        _life(table, benchmark, order, name, budget=budget, policy=policy, tuning=section)
        for name, policy, section in lives
    ]


def _life(
    table: Path | None, benchmark: TabularBenchmark, order: int, name: str, *, budget: int, policy: str, tuning: str
) -> Lived:
    from agent.ledger.home import hold
    from agent.ledger.store import Ledger
    from agent.life.life import Life
    from agent.life.observer import Unobserved
    from agent.life.preparation import prepare
    from agent.stream.file import read_stream
    from agent.tuning.decision import policy_in_force
    from agent.workers.pool import Workers

    tasks = [benchmark.tasks[i] for i in generator(order, "stream order").permutation(len(benchmark.tasks))]
    where = f'path: "{table.resolve()}", ' if table else ""
    lines = "\n".join(f"  - {{name: {task}, source: table, {where}dataset: {task}}}" for task in tasks)
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "stream.yaml"
        text = _STREAM.format(
            seed=order, space=benchmark.space.name, budget=budget, policy=policy, tuning=tuning, tasks=lines
        )
        stream.write_text(text, encoding="utf-8")
        prepared = prepare(read_stream(stream), on_task=lambda task: None)
        with (
            Workers(1) as pool,
            hold(Path(folder) / "home") as home,
            Ledger(home.ledger, clock=time.time) as ledger,
        ):
            life = Life(ledger, prepared, pool, home=home, device="cpu", observer=Unobserved())
            run = life.run()
            decisions = tuple(event.kind for event in ledger.events() if event.kind.startswith("policy."))
            final = policy_in_force(life.state, prepared.stream).strategy
    regret = tuple(
        _regrets([trial.value for trial in task.trials], _searched(benchmark, task.name)) for task in run.tasks
    )
    return Lived(policy=name, order=order, regret=regret, decisions=decisions, final=final)


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


def compare_operators(
    benchmark: TabularBenchmark, *, seeds: int, first: int, budget: int = 100, on_done: Callable[[str], None]
) -> dict[str, NDArray[np.float64]]:
    """Evolution with each operator fixed, and learning which of them pay.

    Returns:
        By name, `(seeds, 3)` means over the tasks of the table: regret as a mean over the budget and at its end, and
        evaluations to the top.
    """
    strategies = {name: AdaptiveEvolution(operators=(name,)) for name in OPERATORS}
    strategies["adaptive"] = AdaptiveEvolution()
    result = {}
    for name, strategy in strategies.items():
        rows = []
        for seed in range(first, first + seeds):
            of_tasks = []
            for task in benchmark.tasks:
                values = benchmark.column(task, "test")
                search = search_table(benchmark, task, strategy, seed=seed)
                scores = [trial.value for trial in itertools.islice(search, budget)]
                of_tasks.append((*_regrets(scores, values), regret_and_top(scores, values)[0]))
            rows.append(np.mean(of_tasks, axis=0))
        result[name] = np.array(rows)
        on_done(f"{name}: {json.dumps(result[name].mean(axis=0).round(2).tolist())}")
    return result


def measure_tuning(
    table: Path | None, *, orders: int, first: int, budget: int, proposals: int, rehearsals: int, confirm: int
) -> None:
    """Lives on table streams, printed as they end, then which share of the gap self-tuning closed."""
    from rich.console import Console

    console, benchmark = Console(), benchmark_of(table)
    half = len(benchmark.tasks) // 2 + 1
    lives: list[Lived] = []
    for order in range(first, first + orders):
        lives += live_policies(
            table, benchmark, order, budget=budget, proposals=proposals, rehearsals=rehearsals, confirm=confirm
        )
        ends = {life.policy: np.mean([r[0] for r in life.regret[half:]]) for life in lives if life.order == order}
        told = ", ".join(f"{name} {end:.1f}" for name, end in ends.items())
        console.print(f"order {order}: mean regret from task {half + 1} on: {told}; tuned: {lives[-1].final}")
    for name in (POOR, *HAND_TUNED, "tuned"):
        every = np.array([np.mean(life.regret[half:], axis=0) for life in lives if life.policy == name])
        error = every.std(axis=0, ddof=1) / np.sqrt(len(every)) if len(every) > 1 else every[0] * np.nan
        console.print(
            f"{name}: regret {every[:, 0].mean():.1f} ± {error[0]:.1f} (mean over {budget} evaluations), "
            f"{every[:, 1].mean():.1f} ± {error[1]:.1f} (at the end)"
        )
    kinds = [kind for life in lives for kind in life.decisions]
    console.print("decisions: " + ", ".join(f"{kind} {kinds.count(kind)}" for kind in sorted(set(kinds))))
    best, share, low, high = gap_closed(lives, first_place=half)
    console.print(f"gap to {best} closed: {100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}] ({orders} orders)")


def measure_null(table: Path | None, *, simulations: int, first: int, tasks: int, budget: int) -> None:
    """How often a trial confirms a policy that is no better."""
    from rich.console import Console
    from scipy.stats import binomtest

    benchmark = benchmark_of(table)
    for noise, what in ((False, "evolution against itself"), (True, "surrogate against evolution, scores pure noise")):
        confirmed, count = false_confirmations(
            benchmark, simulations=simulations, first=first, tasks=tasks, budget=budget, noise=noise
        )
        found = binomtest(confirmed, count).proportion_ci(method="wilson")
        Console().print(
            f"{what}: confirmed in {confirmed} of {count} trials of {tasks} tasks with {budget} evaluations "
            f"(95 % interval {100 * found.low:.1f} to {100 * found.high:.1f} %)"
        )


def measure_operators(table: Path | None, *, seeds: int, first: int, budget: int) -> None:
    """Learning which operators pay within a search, against each operator fixed."""
    from rich.console import Console

    console, benchmark = Console(), benchmark_of(table)
    found = compare_operators(benchmark, seeds=seeds, first=first, budget=budget, on_done=console.print)
    fixed = sorted(OPERATORS, key=lambda name: float(found[name][:, 0].mean()))
    for title, name in (("best fixed in hindsight", fixed[0]), ("median fixed", fixed[len(fixed) // 2])):
        for column, what in enumerate((f"regret, mean over {budget} evaluations", f"regret at {budget}")):
            ours, theirs = found["adaptive"][:, column], found[name][:, column]
            ratio = ours.mean() / theirs.mean()
            rng = generator(0, "bootstrap")
            picks = rng.integers(seeds, size=(2000, seeds))
            low, high = np.quantile(ours[picks].mean(axis=1) / theirs[picks].mean(axis=1), (0.025, 0.975))
            console.print(f"{what}: adaptive / {title} ({name}) = {ratio:.2f} [{low:.2f}, {high:.2f}], {seeds} seeds")


@app.command()
def tuning(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a made-up one.")
    ] = None,
    part: Annotated[str, typer.Option(help="gap, null or operators.")] = "gap",
    orders: Annotated[int, typer.Option(min=2, help="Stream orders (gap), or seeds (operators).")] = 8,
    first: Annotated[int, typer.Option(min=0, help="Number of the first order or seed.")] = 0,
    budget: Annotated[int, typer.Option(min=20, help="Evaluations of a task.")] = 100,
    simulations: Annotated[int, typer.Option(min=1, help="Trials of a policy that is no better (null).")] = 200,
    proposals: Annotated[int, typer.Option(min=1, help="Policies rehearsed after each task.")] = 12,
    rehearsals: Annotated[int, typer.Option(min=2, help="Rehearsals that confirm the best.")] = 16,
    confirm: Annotated[int, typer.Option(min=0, help="Tasks of a trial, at most.")] = 2,
) -> None:
    """Self-tuning: the gap it closes from a poor policy, how often it errs, and operators learnt within a search."""
    if part == "gap":
        measure_tuning(
            table, orders=orders, first=first, budget=budget, proposals=proposals, rehearsals=rehearsals,
            confirm=confirm,
        )  # fmt: skip
    elif part == "null":
        measure_null(table, simulations=simulations, first=first, tasks=max(1, confirm), budget=budget)
    elif part == "operators":
        measure_operators(table, seeds=orders, first=first, budget=budget)
    else:
        raise InputError(f"unknown part {part!r}{suggestion(part, ('gap', 'null', 'operators'))}")


if __name__ == "__main__":
    main(commands=app)
