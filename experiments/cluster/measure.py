"""Whether a life on a Ray cluster is the life of one machine, event for event, and what a job costs more there.

Run it from the root of the repository, in an environment with the extra `ray`:

    python -m experiments.cluster.measure same       # each stream on processes, then on a cluster of this machine
    python -m experiments.cluster.measure killed     # workers of the cluster are killed at random moments meanwhile
    python -m experiments.cluster.measure overhead   # milliseconds a job
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from agent.cluster.choosing import executor_named
from agent.ledger.events import Event, Facts
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.workers.jobs import ProxyJob
from experiments.harness import run
from selfnas.data.tasks import TaskSpec, load_task

STREAMS = ("table", "rows", "trained")
_HERE = Path(__file__).parent
_Place = Annotated[Path, typer.Option("--place", help="Where the lives are kept; local ones are lived once.")]
_Workers = Annotated[int, typer.Option("--workers", min=1, help="Worker processes, and actors.")]
_DEFAULT = Path("cluster-lives")
_ROUND = 8  # jobs that a life asks for together
_ACTOR = "ray::Node"  # what Ray calls the processes of our actors


def same(place: _Place = _DEFAULT, workers: _Workers = 2) -> None:
    """Live each stream on processes and on a cluster, and count events that differ."""
    for stream in STREAMS:
        local = lived(place, stream, workers)
        home = fresh(place / f"{stream}-ray")
        begun = time.monotonic()
        finished(command(place, stream, home, workers, "ray"))
        tell(stream, events(local), events(home), f"{time.monotonic() - begun:.0f} s")


def killed(
    place: _Place = _DEFAULT,
    workers: _Workers = 2,
    stream: Annotated[str, typer.Option(help="The stream.")] = "trained",
    kills: Annotated[int, typer.Option(help="So many in all, in as many lives as that takes.")] = 10,
    pause: Annotated[float, typer.Option(help="Seconds between two kills, on average.")] = 15.0,
    seed: Annotated[int, typer.Option(help="Of moments and victims.")] = 0,
) -> None:
    """Live a stream on a cluster whose workers are killed, busy or not, and count events that differ."""
    whole, draw, done, lives = events(lived(place, stream, workers)), random.Random(seed), 0, 0
    while done < kills:
        home, lives, restarts = fresh(place / f"{stream}-killed-{lives + 1}"), lives + 1, 0
        process = started(command(place, stream, home, workers, "ray"))
        now = 0
        while True:
            next_kill = time.monotonic() + draw.uniform(0.5, 1.5) * pause
            while process.poll() is None and (time.monotonic() < next_kill or done >= kills):
                time.sleep(0.1)
            if process.poll() == 0:
                break
            if process.poll() is not None:  # a life that stopped goes on with the same command
                restarts += 1
                process = started(command(place, stream, home, workers, "ray"))
                continue
            if victims := actors(process.pid):
                os.kill(draw.choice(victims), signal.SIGKILL)
                done, now = done + 1, now + 1
        tell(f"{stream}, life {lives}", whole, events(home), f"{now} workers killed, started again {restarts} times")
        if not now:
            print("this life ended before a worker was killed: choose a shorter --pause")
            return


def overhead(
    workers: _Workers = 2, rounds: Annotated[int, typer.Option(help="Of eight jobs, for each executor in turn.")] = 40
) -> None:
    """What a job takes on processes and on a cluster: networks are built and their parameters counted."""
    asked = [proxies(_ROUND, first=_ROUND * number) for number in range(rounds)]
    took: dict[str, list[float]] = {"local": [], "ray": []}
    with ExitStack() as opened:
        executors = {name: opened.enter_context(closing(executor_named(name, workers=workers))) for name in took}
        for executor in executors.values():
            executor.answers(proxies(_ROUND, first=10**6))  # all are up
        for jobs in asked:
            for name, executor in executors.items():
                begun = time.perf_counter()
                executor.answers(jobs)
                took[name].append(1000 * (time.perf_counter() - begun) / len(jobs))
    more = [ray - local for ray, local in zip(took["ray"], took["local"], strict=True)]
    for name, found in [*took.items(), ("more", more)]:
        low, middle, high = np.percentile(found, [25, 50, 75])
        print(f"{name}: {middle:.1f} ms a job, half of the rounds between {low:.1f} and {high:.1f}")


def proxies(count: int, *, first: int) -> list[str]:
    """Jobs that build a network and count its parameters; the first has that seed, and no two are equal."""
    task = TaskSpec(name="digits", source="digits", limit=300)
    digest = load_task(task, base=Path()).digest
    architecture = "nb201/c4n1r8:|conv3x3~0|+|conv1x1~0|avg3~1|+|skip~0|conv3x3~1|conv3x3~2|"

    def job(seed: int) -> str:
        found = ProxyJob(
            task=task,
            task_digest=digest,
            base=str(Path.cwd()),
            device="cpu",
            seed=seed,
            architecture=architecture,
            proxy="params",
        )
        return found.model_dump_json(exclude_none=True)

    return [job(seed) for seed in range(first, first + count)]


def lived(place: Path, stream: str, workers: int) -> Path:
    """The home of a stream's life on processes, which is lived where it was not yet."""
    place.mkdir(exist_ok=True)
    for name in STREAMS:
        shutil.copy(_HERE / f"{name}.yaml", place)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 6))
    np.savez(place / "rows.npz", x=x, y=(x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(np.int64))
    home = place / f"{stream}-local"
    if not home.exists():
        finished(command(place, stream, home, workers, "local"))
    return home


def fresh(home: Path) -> Path:
    """A home in which nothing was lived."""
    if home.exists():
        shutil.rmtree(home)
    return home


def command(place: Path, stream: str, home: Path, workers: int, executor: str) -> list[str]:
    """That lives it."""
    words = ["--workers", str(workers), "--executor", executor, "--device", "cpu", "--no-mirror"]
    return [sys.executable, "-m", "agent", "run", str(place / f"{stream}.yaml"), "--home", str(home), *words]


def started(words: list[str]) -> subprocess.Popen[bytes]:
    """The process of a command, quiet but for what goes wrong."""
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603 - of this experiment


def finished(words: list[str]) -> None:
    """Run it to its end; raises `RuntimeError` where that is none."""
    if code := started(words).wait():
        raise RuntimeError(f"exit code {code}: {' '.join(words)}")


def events(home: Path) -> list[Event[Facts]]:
    """All of a life; equal where number, hash and content are."""
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return list(ledger.events())


def tell(name: str, whole: list[Event[Facts]], other: list[Event[Facts]], how: str) -> None:
    """How many events differ, and how many are lost."""
    differing = sum(one != two for one, two in zip(whole, other, strict=False))
    told = {"life": name, "events": len(whole), "differing": differing, "lost": len(whole) - len(other), "how": how}
    print(json.dumps(told), flush=True)


def actors(root: int) -> list[int]:
    """Processes of our actors that a process started, through however many others."""
    parents: dict[int, int] = {}
    named: set[int] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            _read(folder, parents, named)
    return sorted(pid for pid in named if _descends(pid, root, parents.get))


def _read(folder: Path, parents: dict[int, int], named: set[int]) -> None:
    pid = int(folder.name)
    try:
        parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        if (folder / "cmdline").read_bytes().decode(errors="replace").startswith(_ACTOR):
            named.add(pid)
    except OSError:
        return  # it ended meanwhile


def _descends(pid: int, root: int, parent: Callable[[int], int | None]) -> bool:
    above: int | None = pid
    while above:
        above = parent(above)
        if above == root:
            return True
    return False


if __name__ == "__main__":
    run(same, killed, overhead)
