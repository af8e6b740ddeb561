"""Search programs: what rules let in, what lives evolve and what it is worth elsewhere, how often trials err."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
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
from agent.tuning.rehearsal import Rehearsal, compare
from agent.tuning.trial import PRESENT, PROPOSED, Contests, on_turn
from agent.workers.pool import Workers as Pool
from constraints import ConstraintSet, decide_policy, load_set, read_proofs, speaks_of_programs
from experiments.harness import TableFile, print_table, run
from selfnas.acquisition.breeding import bred, random_program, starts
from selfnas.acquisition.evaluation import evaluate
from selfnas.acquisition.expression import ATOMS, Expression, notation, spelled
from selfnas.acquisition.parser import parse_program
from selfnas.acquisition.ranking import orders, ranking
from selfnas.benchmarks.benchmarking import compare_strategies
from selfnas.search.domain import SpaceDomain, SpelledDomain
from selfnas.search.history import Trial
from selfnas.seeding import generator
from selfnas.spaces.architecture import Macro
from selfnas.strategies import make_strategy
from selfnas.strategies.surrogate import Surrogate
from selfnas.strategies.transfer import PastTask, with_budget
from selfnas.tables.tabular import TabularBenchmark, benchmark_of

_STREAM = """\
stream: programs
format: 1
seed: {seed}
space: {space}
budget: {{evaluations: {budget}, full_trainings: 1}}
policy: {{strategy: surrogate, batch: 4, finalists_per_task: 1, recall: 0}}
tuning: {{proposals: 1, rehearsals: {rehearsals}, confirm: {confirm}, strategies: [surrogate], programs: {programs}}}
tasks:
{tasks}
"""
_DENSE = 20_000  # points of the sample that no engine has seen
_CLOSE = 1e-9  # rounding of the values at them
_BANK = ("never-worse-mean", "bounded-program")  # what random programs must pass: the third rule is about steps
_Held = Annotated[Path | None, typer.Option("--held-out", help="The table that nothing is tuned on.")]


def rules(
    programs: Annotated[int, typer.Option(min=2, help="Half drawn at random, half bred.")] = 10_000,
) -> None:
    """Programs against the shipped rules: verdicts of both engines, times, and a dense sample of what is admitted."""
    rng, envelope = generator(0, "programs against rules"), program_rules()
    half = programs // 2
    drawn: dict[str, list[Expression]] = {"random": [random_program(rng) for _ in range(half)], "bred": []}
    parents = [*starts()]
    while len(drawn["bred"]) < programs - half:
        drawn["bred"] += bred(parents, rng, min(100, programs - half - len(drawn["bred"])))
        parents = [*starts(), *(drawn["bred"][int(i)] for i in rng.integers(len(drawn["bred"]), size=8))]
    points = {name: rng.uniform(kind.low, kind.high, size=_DENSE) for name, kind in ATOMS.items()}
    improvement = expected(points["mean"] - points["incumbent"], points["spread"])
    broken, rows = 0, []
    for kind, found in drawn.items():
        answers: dict[str, Counter[tuple[str, str]]] = {}
        verdicts, seconds = Counter[str](), []
        for program in found:
            started = time.perf_counter()
            decision = decide_policy(envelope, {}, {"acquisition": spelled(program)})
            seconds.append(time.perf_counter() - started)
            verdicts[decision.verdict] += 1
            for proof in read_proofs(decision.certificate.proof):
                pair = str(proof["z3"]), str(proof["intervals"])
                answers.setdefault(str(proof["rule"]), Counter())[pair] += 1
            if decision.verdict == "admit":
                broken += bool(breaks(program, points, improvement))
        for rule, counts in answers.items():
            told = ", ".join(f"{z3} and {ours} {count:,}" for (z3, ours), count in sorted(counts.items()))
            rows.append((kind, rule, told))
        print(
            f"{kind}: {len(found):,} programs, admitted {verdicts['admit']:,}, rejected {verdicts['reject']:,}, "
            f"undecided {verdicts['undecided']:,}; milliseconds a decision, median {1e3 * np.median(seconds):.1f}, "
            f"99th percentile {1e3 * np.quantile(seconds, 0.99):.0f}, most {1e3 * max(seconds):.0f}"
        )
    print_table(("programs", "rule", "Z3 and intervals"), rows, title="answers")
    print(f"admitted programs that a dense sample breaks: {broken}")


def program_rules(*names: str) -> ConstraintSet:
    """The shipped rules for changes of policy that speak of programs; only those named, where some are."""
    envelope = load_set("policy")
    kept = [rule for rule in envelope.of_scope("policy") if speaks_of_programs([rule])]
    return replace(envelope, rules=tuple(rule for rule in kept if not names or rule.id in names))


def breaks(
    program: Expression, points: Mapping[str, NDArray[np.float64]], improvement: NDArray[np.float64]
) -> list[str]:
    """Which of the shipped rules a program breaks at some of `(n,)` points of each atom, by plain evaluation.

    Args:
        program: in the place of expected improvement.
        points: of the box.
        improvement: `(n,)` expected improvement there.
    """
    value = evaluate(program, points)
    other = {**points, "mean": np.maximum(points["mean"], points["mean"][::-1])}
    wrong = {
        "never-worse-mean": evaluate(program, other) < value - _CLOSE,
        "bounded-program": np.abs(value) > 10 + _CLOSE,
        "small-program-steps": np.abs(value - improvement) > 3 + _CLOSE,
    }
    return [rule for rule, at in wrong.items() if at.any()]


def expected(gap: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected improvement by quadrature, so that no formula of the engines is used."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    gains = np.maximum(gap[:, None] + spread[:, None] * nodes, 0.0)
    found: NDArray[np.float64] = gains @ weights / np.sqrt(2 * np.pi)
    return found


def evolve(
    table: TableFile = None,
    held_out: _Held = None,
    tasks: Annotated[int, typer.Option(min=2, help="Tasks of the life that evolves programs.")] = 6,
    budget: Annotated[int, typer.Option(min=20, help="Evaluations of each.")] = 40,
    programs: Annotated[int, typer.Option(min=1, help="Programs rehearsed after each task.")] = 16,
    rehearsals: Annotated[int, typer.Option(min=2, help="Rehearsals that confirm the best.")] = 16,
    confirm: Annotated[int, typer.Option(min=0, help="Tasks of a trial, at most; 0 adopts by rehearsals.")] = 0,
    lives: Annotated[int, typer.Option(min=1, help="Lives; each is a seed.")] = 1,
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each task that nothing is tuned on.")] = 40,
    first: Annotated[int, typer.Option(min=0, help="First seed of those searches.")] = 1000,
) -> None:
    """Lives evolve programs on one table; on another they are compared with expected improvement and random ones."""
    tuning, other = benchmark_of(table), benchmark_of(held_out, tasks=("p", "q"))
    arms: dict[str, Surrogate] = {"expected improvement": Surrogate()}
    for life in range(lives):
        settings = {"budget": budget, "programs": programs, "rehearsals": rehearsals, "confirm": confirm}
        decisions, adopted, past = _lived(table, tuning, tasks, life, settings)
        print_table(
            ("after task", "decision", "program", "rehearsed gain", "p", "reason"), decisions, title=f"life {life}"
        )
        rehearsal = Rehearsal(past, SpaceDomain(tuning.space, Macro()), budget=budget, seed=life)
        chosen = best_random(rehearsal, program_rules(*_BANK), tasks * programs, seed=life)
        print(f"best of {tasks * programs} random programs: {chosen}, that is {notation(parse_program(chosen))}")
        arms[f"evolved, life {life}"] = Surrogate(acquisition=adopted)
        arms[f"best random, life {life}"] = Surrogate(acquisition=chosen)
    told = {name: with_budget(strategy, budget) for name, strategy in arms.items()}
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in told}
    for row in compare_strategies(other, told, seeds=seeds, first=first):
        found[row.strategy].append(np.array(row.found_at, dtype=np.float64))
    means = {name: np.mean(of_tasks, axis=0) for name, of_tasks in found.items()}
    kinds = {kind: np.mean([means[name] for name in means if name.startswith(kind)], axis=0) for kind in _KINDS}
    print_table(
        (
            "acquisition",
            f"evaluations to the top 0.5 %, mean of {len(other.tasks)} tasks",
            "ratio to expected improvement",
        ),
        [
            (name, f"{counts.mean():.1f} ± {counts.std(ddof=1) / np.sqrt(seeds):.1f}", ratio(counts, means[_KINDS[0]]))
            for name, counts in {**means, **{f"{kind}, all lives": kinds[kind] for kind in _KINDS[1:]}}.items()
        ],
        title=f"{other.name}, seeds {first} to {first + seeds - 1}; 95 % intervals over seeds",
    )
    print(f"evolved against best random: {ratio(kinds[_KINDS[1]], kinds[_KINDS[2]])}")


_KINDS = ("expected improvement", "evolved", "best random")


def ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> str:
    """Of the means of `(seeds,)` counts, with the 95 % bootstrap interval over seeds, drawn in pairs."""
    picks = generator(0, "bootstrap").integers(len(ours), size=(4000, len(ours)))
    low, high = np.quantile(ours[picks].mean(axis=1) / theirs[picks].mean(axis=1), (0.025, 0.975))
    return f"{ours.mean() / theirs.mean():.2f} [{low:.2f}, {high:.2f}]"


def best_random(rehearsal: Rehearsal, envelope: ConstraintSet, count: int, *, seed: int) -> str:
    """The program of highest mean gain in six rehearsals among so many random ones that never prefer a lower mean."""
    rng, old = generator(seed, "random programs"), SearchPolicy(strategy="surrogate", batch=4)
    seen: set[str] = set()
    gains: list[tuple[float, str]] = []
    while len(gains) < count:
        program = random_program(rng)
        if not orders(program) or (key := ranking(program)) in seen:
            continue
        seen.add(key)
        if decide_policy(envelope, {}, {"acquisition": spelled(program)}).verdict == "admit":
            new = old.model_copy(update={"acquisition": spelled(program)})
            gains.append((compare(rehearsal, new, old, range(6)).mean, spelled(program)))
    return max(gains)[1]


def _lived(
    table: Path | None, benchmark: TabularBenchmark, tasks: int, seed: int, settings: Mapping[str, int]
) -> tuple[list[tuple[object, ...]], str | None, list[PastTask]]:
    """Decisions of a life over tasks of the table by turns, the program in force at its end, and what it has tried."""
    order = generator(seed, "stream order").permutation(len(benchmark.tasks))
    where = f'path: "{table.resolve()}", ' if table else ""
    named = [(benchmark.tasks[order[i % len(order)]], i) for i in range(tasks)]
    lines = [f"  - {{name: {task}-{i}, source: table, {where}dataset: {task}}}" for task, i in named]
    text = _STREAM.format(seed=seed, space=benchmark.space.name, tasks="\n".join(lines), **settings)
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "stream.yaml"
        stream.write_text(text, encoding="utf-8")
        prepared = prepare(read_stream(stream), on_task=lambda task: None)
        with Pool(1) as pool, hold(Path(folder) / "home") as home, Ledger(home.ledger, clock=time.time) as ledger:
            life = Life(ledger, prepared, pool, home=home, device="cpu", observer=Unobserved())
            lived = life.run().tasks
            decided = [event.facts for event in life.state.policy_decisions]
            final = policy_in_force(life.state, prepared.stream).acquisition
            past = [PastTask(name=task.name, trials=tuple(task.trials)) for task in lived]
    rows: list[tuple[object, ...]] = []
    for one in decided:
        gain = ("", "") if one.evidence is None else (f"{one.evidence.mean:.3f}", f"{one.evidence.p:.3g}")
        program = one.new.get("acquisition") or "expected improvement"
        rows.append((one.after_task, one.kind.removeprefix("policy."), program, *gain, one.reason))
    return rows, final, past


def null(
    simulations: Annotated[int, typer.Option(min=1, help="Trials of a program that is no better.")] = 400,
    confirm: Annotated[int, typer.Option(min=1, help="Tasks of a trial, at most.")] = 2,
    budget: Annotated[int, typer.Option(min=20, help="Evaluations of each.")] = 60,
) -> None:
    """How often a trial confirms a bred program where scores are pure noise, so that none can be better."""
    confirmed = sum(_errs(number, confirm, budget) for number in range(simulations))
    found = binomtest(confirmed, simulations).proportion_ci(method="wilson")
    print(
        f"bred programs against expected improvement, scores pure noise: confirmed in {confirmed} of {simulations} "
        f"trials of {confirm} tasks with {budget} evaluations "
        f"(95 % interval {100 * found.low:.1f} to {100 * found.high:.1f} %)"
    )


def _errs(number: int, tasks: int, budget: int) -> bool:
    """Whether one trial, looked at after every contest, confirms a program that cannot be better."""
    benchmark, rng = benchmark_of(None), generator(number, "null program")
    (program,) = bred(starts(), rng, 1)
    batch, domain = 4, SpelledDomain(benchmark.space, Macro())
    sides = {
        PRESENT: make_strategy("surrogate"),
        PROPOSED: with_budget(make_strategy("surrogate", {"acquisition": spelled(program)}), budget),
    }
    contests = Contests()
    for task in range(tasks):
        values = rng.normal(size=benchmark.space.count())
        trials: list[Trial] = []
        best: dict[str, float] = {}
        for turn in range(budget // batch):
            _, by = on_turn(turn, seed=number, run=1, task=task)
            proposed = sides[by](trials, domain, batch, generator(number, "null round", task, turn))
            rows = benchmark.rows(np.stack([benchmark.space.encode(one) for one in proposed]))
            scores = values[rows].tolist()
            trials += [Trial(architecture=one, score=score) for one, score in zip(proposed, scores, strict=True)]
            best[by] = max(scores)
            if len(best) < 2:
                continue
            won = best[PROPOSED] > best[PRESENT]
            contests, best = Contests(won=contests.won + won, lost=contests.lost + (not won)), {}
            if contests.wealth >= 1 / ALPHA:
                return True
    return False


def search_program(table: TableFile = None, held_out: _Held = None) -> None:
    """All three, as the README reports them."""
    rules()
    evolve(table, held_out)
    null()


if __name__ == "__main__":
    run(search_program, rules, evolve, null)
