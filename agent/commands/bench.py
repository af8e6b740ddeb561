"""`selfnas bench …`: every figure that the guides quote can be measured again with one of these commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selfnas.figures import picture_file

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure again what the guides claim; figures of a machine under load are worse than of an idle one."""


@app.command()
def constraints(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work, for a first look.")] = False,
) -> None:
    """Speed of the constraint engines, each figure beside what it should reach; exit 1 if one is missed."""
    from rich.console import Console
    from rich.table import Table

    from constraints.bench import measure

    rows = measure(quick=quick)
    table = Table("what", "measured", "should be", "met", title="constraint engines, one core, processor time")
    for row in rows:
        goal = "" if row.at_least is None else f"≥ {row.at_least:,g}"
        goal = f"≤ {row.at_most:,g}" if row.at_most is not None else goal
        met = "" if not goal else ("yes" if row.is_met else "NO")
        table.add_row(row.what, f"{row.value:,.1f} {row.unit}", goal, met)
    Console().print(table)
    raise typer.Exit(0 if all(row.is_met for row in rows) else 1)


@app.command()
def lifelong(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a made-up one.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Random stream orders.")] = 40,
    first: Annotated[int, typer.Option(min=0, help="Number of the first order; orders are seeds.")] = 0,
    methods: Annotated[list[str] | None, typer.Option("--method", help="Only this one; repeatable.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
    plot: Annotated[Path | None, typer.Option(help="A .png to draw.", callback=picture_file)] = None,
    rows: Annotated[
        Path | None, typer.Option(help="Finished orders as lines of JSON; what it holds is not measured again.")
    ] = None,
    informed: Annotated[bool, typer.Option("--informed", help="Also a model told every other cell of a task.")] = False,
) -> None:
    """What memory of earlier tasks saves on later ones, against replay of past winners and against none."""
    from agent.commands.bench_lifelong import measure_lifelong
    from selfnas.benchmarks.lifelong import METHODS, WELL_READ
    from selfnas.errors import InputError, suggestion

    for method in methods or []:
        if method not in (*METHODS, WELL_READ):
            raise InputError(f"unknown method {method!r}{suggestion(method, sorted([*METHODS, WELL_READ]))}")
    measure_lifelong(
        table, orders=orders, first=first, methods=methods or [], workers=workers, plot=plot, rows_file=rows,
        informed=informed,
    )  # fmt: skip


@app.command()
def motifs(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a made-up one.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Random stream orders.")] = 40,
    first: Annotated[int, typer.Option(min=0, help="Number of the first order; orders are seeds.")] = 0,
    percent: Annotated[int, typer.Option(min=0, max=100, help="How often evolution lays a sub-cell in.")] = 50,
    replay: Annotated[bool, typer.Option("--replay", help="Begin searches with the best of earlier tasks.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
) -> None:
    """What sub-cells mined from earlier tasks are worth on a new one: as parts of cells, as edits, and to a search."""
    from agent.commands.bench_motifs import measure_motifs

    measure_motifs(table, orders=orders, first=first, percent=percent, replay=replay, workers=workers)


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
    from agent.commands.bench_tuning import measure_null, measure_operators, measure_tuning
    from selfnas.errors import InputError, suggestion

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


@app.command()
def search(
    table: Annotated[
        Path | None, typer.Option(help="A table of NAS-Bench-201 or TransNAS-Bench-101 micro; none: a made-up one.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Searches of each strategy on each task.")] = 40,
    strategies: Annotated[list[str] | None, typer.Option("--strategy", help="Only this one; repeatable.")] = None,
    longest: Annotated[int, typer.Option(min=100, help="Evaluations after which a search is given up.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Proposals between two looks at the results.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="4 seeds of 100 evaluations, for a first look.")] = False,
    plot: Annotated[Path | None, typer.Option(help="A .png to draw.", callback=picture_file)] = None,
    keep: Annotated[Path | None, typer.Option(help="A .jsonl that finished searches are kept in.")] = None,
) -> None:
    """Every strategy on every task of a table, from nothing, at the same evaluations.

    `--strategy progressive:NAME` searches a space that starts with few operations and widens.
    """
    from agent.commands.bench_search import COMPARED, measure_search
    from selfnas.errors import InputError, suggestion

    for name in strategies or []:
        if name.removeprefix("progressive:") not in COMPARED:
            raise InputError(f"not compared here: {name!r}{suggestion(name, COMPARED)}")
    measure_search(
        table, strategies=strategies or [], seeds=seeds, longest=longest, batch=batch, workers=workers, quick=quick,
        plot=plot, keep=keep,
    )  # fmt: skip


@app.command()
def device(
    out: Annotated[Path, typer.Option(help="The device file to write, a .yaml.")] = Path("this-machine.yaml"),
    name: Annotated[str, typer.Option(help="What to call the device.")] = "this-machine",
    settings: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="SPACE/MACRO@SHAPE", help="Networks to predict; repeatable."),
    ] = None,
    like: Annotated[str, typer.Option(help="Device whose energies and heat are taken over.")] = "server-cpu",
    networks: Annotated[int, typer.Option(min=10, max=10_000, help="Unseen networks to check, per setting.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Looks at everything that is timed.")] = 75,
    plot: Annotated[
        Path | None, typer.Option(help="A .png of predicted against measured.", callback=picture_file)
    ] = None,
) -> None:
    """Time the parts of networks on this machine and check that they predict whole ones; exit 1 if they do not."""
    from agent.commands.bench_device import DEFAULT_SETTINGS, build_device

    good = build_device(
        settings or DEFAULT_SETTINGS, name=name, like=like, networks=networks, rounds=rounds, out=out, plot=plot
    )
    raise typer.Exit(0 if good else 1)


@app.command()
def roofline(
    table: Annotated[Path, typer.Option(help="NAS-Bench-201's accuracy table, with nb201_hardware.npz beside it.")],
) -> None:
    """Shipped device descriptions against latencies measured on such devices."""
    from agent.commands.bench_roofline import compare_devices

    compare_devices(table)


@app.command()
def estimators(
    stream: Annotated[Path, typer.Argument(metavar="STREAM.yaml", help="Space, fidelities and tasks are its.")],
    task: Annotated[str, typer.Option(help="Which of its tasks.")],
    networks: Annotated[int, typer.Option(min=4, max=100_000, help="Random networks to score and train.")] = 48,
    seed: Annotated[int, typer.Option(help="Decides which networks.")] = 0,
    keep: Annotated[Path, typer.Option(help="A .json that keeps finished networks.")] = Path("estimators.json"),
    twice: Annotated[int, typer.Option(min=0, help="So many are trained again, for the noise of training.")] = 0,
) -> None:
    """Rank correlation of every cheap score with full training, on networks that are built and trained."""
    from agent.commands.bench_estimators import measure_estimators

    measure_estimators(stream, task_name=task, networks=networks, seed=seed, keep=keep, twice=twice)


@app.command()
def ranker(
    table: Annotated[Path, typer.Option(help="Proxy scores: columns task, val and one for each proxy.")],
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Random choices of trials and tested ones.")] = 40,
) -> None:
    """The learned combination of proxies against each proxy alone, by rank correlation with final scores."""
    from agent.commands.bench_ranker import compare_ranker

    compare_ranker(table, seeds=seeds)


@app.command()
def inheritance(
    stream: Annotated[Path, typer.Argument(metavar="STREAM.yaml", help="Space, fidelities and tasks are its.")],
    task: Annotated[str, typer.Option(help="Which of its tasks.")],
    seed: Annotated[int, typer.Option(help="Of parents and trainings.")] = 0,
    keep: Annotated[Path, typer.Option(help="What `bench estimators` kept.")] = Path("estimators.json"),
) -> None:
    """Whether one epoch with a parent's weights tells more than one epoch from scratch."""
    from agent.commands.bench_estimators import measure_inheritance

    measure_inheritance(stream, task_name=task, seed=seed, keep=keep)


@app.command()
def supernets(
    stream: Annotated[Path, typer.Argument(metavar="STREAM.yaml", help="Space, fidelities and tasks are its.")],
    task: Annotated[str, typer.Option(help="Which of its tasks.")],
    methods: Annotated[list[str] | None, typer.Option("--method", help="Only this one; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of supernet and search.")] = 0,
    keep: Annotated[Path, typer.Option(help="What `bench estimators` kept.")] = Path("estimators.json"),
) -> None:
    """Time of each search on a supernet, and its cell among random networks after full training."""
    from agent.commands.bench_estimators import measure_supernets

    measure_supernets(stream, task_name=task, methods=methods or [], seed=seed, keep=keep)


@app.command()
def audits(
    suite: Annotated[str, typer.Option(help="Name of a shipped suite, or a YAML file.")] = "baseline",
    repeats: Annotated[int, typer.Option(min=1, help="Times each figure is measured; the median is shown.")] = 5,
    each: Annotated[bool, typer.Option("--each", help="Also every audit alone.")] = False,
) -> None:
    """Processor time of gate audits and whole suite on trained networks, 8x8 to 28x28; exit 1 if a goal is missed."""
    from agent.commands.bench_audits import measure_audits

    raise typer.Exit(0 if measure_audits(suite, repeats=repeats, each=each) else 1)


@app.command()
def mirror(
    home: Annotated[Path, typer.Option(help="A life whose finalists are repeated; it is only read.")] = Path(
        ".selfnas"
    ),
    count: Annotated[int, typer.Option(min=1, help="Finalists to mirror.")] = 1000,
) -> None:
    """Wall-clock time to mirror many finalists into a new MLflow store; exit 1 if it misses 4 minutes for 1,000."""
    from agent.commands.bench_mirror import GOAL_S, measure_mirror

    seconds, worked, written = measure_mirror(home, count=count)
    if not written:
        typer.echo("MLflow did not take all of it")
        raise typer.Exit(1)
    goal = GOAL_S * count / 1000
    typer.echo(f"{count} finalists in {seconds:.1f} s, {worked:.1f} s of them processor time; goal {goal:.1f} s")
    raise typer.Exit(0 if seconds <= goal else 1)
