"""How long MLflow takes for many finalists with findings, certificate, card and pictures."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from agent.gate.review import finalists
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.mirror.writer import Mirror
from agent.state.recorded import suite_of
from agent.state.state import Finalist, RunState, TaskState, replay
from experiments.harness import run
from selfnas.errors import InputError

GOAL_S = 240.0  # for 1,000 candidates


def measure_mirror(home: Path, *, count: int) -> tuple[float, float, bool]:
    """Seconds of wall clock and of processor to mirror a task of `count` finalists into a new store; whether all were.

    Args:
        home: a life; its finalists, with their pictures, are repeated under synthetic digests.
        count: finalists.

    Raises:
        InputError: there is no life, or it has no finalist.
    """
    with reading(home) as ledger:
        state = replay(ledger)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        run, task = multiplied(Home(home), list(finalists(state)), Home(place / "home"), count)
        mirror = Mirror(f"sqlite:///{place}/mlflow.db")
        mirror.write(
            Home(place / "home"),
            run,
            replace(task, name="warm up", finalists=[]),
            suite=suite_of(run),
            key="warm-up",
        )
        begun, worked = time.perf_counter(), time.process_time()
        written = mirror.write(Home(place / "home"), run, task, suite=suite_of(run), key="bench")
        return time.perf_counter() - begun, time.process_time() - worked, written


def multiplied(
    home: Home, found: list[tuple[RunState, TaskState, Finalist]], copy: Home, count: int
) -> tuple[RunState, TaskState]:
    """The task of the latest finalist with `count` finalists, and a home that shows each with its original's pictures.

    Raises:
        InputError: no finalist.
    """
    if not found:
        raise InputError(f"--home {home.root}: no finalist to repeat")
    run, task, _ = found[-1]
    originals = [finalist for of, held, finalist in found if held is task]
    folder = copy.pictures(run.number, task.name)
    folder.mkdir(parents=True)
    copy.weights.symlink_to(home.weights.resolve())
    repeated = []
    for index in range(count):
        original = originals[index % len(originals)]
        digest = hashlib.sha256(f"{original.digest} {index}".encode()).hexdigest()
        pictures = home.pictures(run.number, task.name) / original.digest[:12]
        (folder / digest[:12]).symlink_to(pictures.resolve())
        repeated.append(replace(original, trained=structs.replace(original.trained, digest=digest)))
    return run, replace(task, finalists=repeated)


def mirror(
    home: Annotated[Path, typer.Option(help="A life whose finalists are repeated; it is only read.")] = Path(
        ".selfnas"
    ),
    count: Annotated[int, typer.Option(min=1, help="Finalists to mirror.")] = 1000,
) -> None:
    """Wall-clock time to mirror many finalists into a new MLflow store; exit 1 if it misses 4 minutes for 1,000."""
    seconds, worked, written = measure_mirror(home, count=count)
    if not written:
        typer.echo("MLflow did not take all of it")
        raise typer.Exit(1)
    goal = GOAL_S * count / 1000
    typer.echo(f"{count} finalists in {seconds:.1f} s, {worked:.1f} s of them processor time; goal {goal:.1f} s")
    raise typer.Exit(0 if seconds <= goal else 1)


if __name__ == "__main__":
    run(mirror)
