"""Kill a short life at random moments, again and again, and compare what it became with the uninterrupted one.

Each attempt is a process group of its own, forked from this process after the imports, so that the moments fall into
the life rather than into the loading of packages; worker processes are started by it as always, and die with it.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from agent.commands.run import live
from agent.home import Home
from agent.ledger import Ledger
from agent.worker import HEAVY
from selfnas.errors import SelfnasError

__all__ = ["Kills", "measure_kills"]

_TABLES = """\
stream: kills
format: 1
budget: {evaluations: 40, full_trainings: 2}
policy: {population: 6, sample: 3, batch: 4, recall: 2}
tasks:
  - {name: one, source: table, dataset: a}
  - {name: two, source: table, dataset: b}
"""
_TRAINING = """\
stream: kills
format: 1
macro: {channels: 4, depth: 1, resolution: 8}
budget: {evaluations: 4, full_trainings: 2}
low: {epochs: 1, fraction: 0.5}
full: {epochs: 2}
policy: {population: 3, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1, recall: 1}
tasks:
  - {name: first, source: digits, limit: 900}
"""
_EARLY = 0.2  # share of kills before the attempt added an event
_LOOK_SECONDS = 0.005  # between two looks at how far a life came


@dataclass(slots=True)
class Kills:
    """What came of it.

    Attributes:
        kills: process groups ended by SIGKILL, by worker count.
        inside: kills after which the ledger held events, but not yet all.
        lives: lives that reached their end after at least one kill.
        unequal: those whose chain differs from the uninterrupted one.
        failures: attempts that ended by themselves with an error: exit code and message.
    """

    kills: dict[int, int] = field(default_factory=dict)
    inside: int = 0
    lives: int = 0
    unequal: int = 0
    failures: list[str] = field(default_factory=list)


def measure_kills(place: Path, *, kills: int, seed: int, seconds: float, training: bool) -> Kills:
    """Kill lives under `place` until `kills` are reached or the time is up, each at a random moment.

    Most moments are uniform over the rest of the events that the uninterrupted life spent its time on; one in five is
    uniform over the time before the first of them. Lives alternate between one and two workers; each is resumed until
    its run is over.

    Args:
        training: a task whose networks are trained by workers, instead of two tasks of a table.

    Raises:
        SelfnasError: the uninterrupted life fails.
    """
    for name in ("agent.life", "agent.prepare", "agent.pictures", *(HEAVY if training else ())):
        importlib.import_module(name)
    chance, result = random.Random(seed), Kills(kills={1: 0, 2: 0})
    (place / "kills.yaml").write_text(_TRAINING if training else _TABLES, encoding="utf-8")
    deadline = time.monotonic() + seconds
    began = time.time()
    if (code := _attempt(place, "whole", 1, moment=None)) != 0:
        raise SelfnasError(f"the uninterrupted life failed: exit {code}: {_said(place, 'whole')}")
    wanted, number = _head(place / "whole"), 0
    with Ledger(Home(place / "whole").ledger, clock=time.time, read_only=True) as ledger:
        times = ledger.times()
    start, span = times[0] - began, times[wanted[0] - 1] - times[0]
    while sum(result.kills.values()) < kills and time.monotonic() < deadline:
        workers, name, killed = 1 + number % 2, f"life{number}", 0
        number += 1
        while (count := _count(place / name)) < wanted[0]:
            if sum(result.kills.values()) >= kills or time.monotonic() > deadline:
                moment = None
            elif chance.random() < _EARLY:
                moment = _Moment(from_event=False, seconds=chance.uniform(0, start))
            else:
                moment = _Moment(from_event=True, seconds=chance.uniform(0, span * (1 - count / wanted[0])))
            code = _attempt(place, name, workers, moment=moment)
            if code is not None:
                break
            killed += 1
            result.kills[workers] += 1
            result.inside += 0 < _count(place / name) < wanted[0]
        if code != 0 and code is not None:
            result.failures.append(f"{name}: exit {code}: {_said(place, name)}")
        elif killed:
            result.lives += 1
            result.unequal += _head(place / name) != wanted
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """When to kill: so many seconds after the start, or after the first event that this attempt added."""

    from_event: bool
    seconds: float


def _attempt(place: Path, home: str, workers: int, *, moment: _Moment | None) -> int | None:
    """Go on with a life; its exit code, or None when it was killed."""
    process = multiprocessing.get_context("fork").Process(target=_live, args=(place, home, workers))
    process.start()
    assert process.pid is not None  # noqa: S101 - it was started
    if moment is None:
        process.join()
    else:
        before = _count(place / home)
        while moment.from_event and process.exitcode is None and _count(place / home) == before:
            process.join(_LOOK_SECONDS)
        process.join(moment.seconds)
    if process.exitcode is not None:
        return process.exitcode
    with contextlib.suppress(ProcessLookupError):  # it has no group of its own yet
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    return None


def _live(place: Path, home: str, workers: int) -> None:
    os.setsid()
    output = os.open(place / f"{home}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    live(
        place / "kills.yaml",
        home=place / home,
        overrides=(),
        workers=workers,
        device="cpu",
        mirror=False,
        accept_set="",
        method="fork",  # workers find the imports done, as they do when the server of a real life starts them
    )


def _said(place: Path, home: str) -> str:
    """The last line that a life printed."""
    return ((place / f"{home}.txt").read_text(errors="replace").strip().splitlines() or [""])[-1]


def _count(home: Path) -> int:
    if not Home(home).ledger.is_file():
        return 0
    with contextlib.suppress(SelfnasError), Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        return ledger.head()[0]
    return 0


def _head(home: Path) -> tuple[int, str]:
    with Ledger(Home(home).ledger, clock=time.time, read_only=True) as ledger:
        if problem := next(ledger.broken_links(), None):
            return 0, problem
        return ledger.head()
