"""Kill short lives at random moments, again and again, and compare what they became with the uninterrupted one.

A third of the moments is uniform over a life's time; the others aim at one of its places, each as often as the next,
since writing weights takes thousandths of a second. What counts is where the life was when it died
(`tests/stress/killed_lives.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import main
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.verify.verification import verify
from agent.workers.process import HEAVY
from selfnas.benchmarks.rows import Rows
from selfnas.errors import SelfnasError
from tests.stress.killed_lives import PLACES, Attempt, Places, begin, write_stream

__all__ = ["Kill", "KilledLife", "measure_kills", "told"]

app = typer.Typer(add_completion=False)

_ANYWHERE = 1 / 3  # share of kills at a moment uniform over time
_A_LIFE = 6  # kills of one life at most; then it is lived to its end
_OUTSIDE, _UNTOLD = "starting, or telling the results", "anywhere (workers started by a server)"
_LOOK_SECONDS = 0.002  # between two looks at how far a life came


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One SIGKILL to a process group.

    Attributes:
        where: the innermost place of the life then, and the mirror beside it; empty where the life does not tell.
        events: in the ledger afterwards.
        partial: whether half-written weights were left.
    """

    where: tuple[str, ...]
    events: int
    partial: bool


@dataclass(slots=True, kw_only=True)
class KilledLife:
    """One life and its kills.

    Attributes:
        number: of the life; decides all that is random about it.
        workers: processes that trained.
        mirrored: whether MLflow was written to.
        served: whether workers were started as a user's are.
        events: that the uninterrupted life has.
        kills: in order.
        unequal: in what it differs from the uninterrupted life; empty when equal.
        failure: why it did not reach its end; empty when it did.
    """

    number: int
    workers: int
    mirrored: bool
    served: bool
    events: int
    kills: list[Kill] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """What the uninterrupted life came to, and how long it was where."""

    home: Home
    head: tuple[int, str]
    seconds: float
    entered: dict[str, int]
    mean_seconds: dict[str, float]


def measure_kills(
    place: Path, *, kills: int, seed: int, seconds: float, training: bool, keep: Path | None = None
) -> list[KilledLife]:
    """Kill lives under `place` until `kills` are reached or the time is up; every life killed is lived to its end.

    Lives alternate between one and two workers. Of lives that train, one of four is mirrored to MLflow, and one of
    nine starts its workers as a user's life does. Each must then have the uninterrupted life's chain and weights, no
    half-written file, and verify.

    Args:
        place: an empty directory.
        kills: how many SIGKILLs.
        seed: of the moments.
        seconds: after which no life is begun.
        training: two tasks whose networks are trained by workers, instead of two tasks of a table.
        keep: a .jsonl of finished lives that is gone on with.

    Raises:
        SelfnasError: the uninterrupted life fails, or the file is of other lives.
    """
    for name in (
        "agent.life.life",
        "agent.report.task_pictures",
        "agent.life.preparation",
        *(("agent.mirror.writer", *HEAVY) if training else ()),
    ):
        importlib.import_module(name)
    write_stream(place, training=training)
    deadline = time.monotonic() + seconds
    if training:
        _empty_store(place / "empty")
    whole = _uninterrupted(place, mirrored=training)
    lives = Rows(keep, of=KilledLife)
    for life in lives:
        if life.events != whole.head[0]:
            raise SelfnasError(f"{keep}: holds lives of {life.events} events, these have {whole.head[0]}")
    known = {life.number for life in lives}
    for number in (number for number in count() if number not in known):
        left = kills - sum(len(life.kills) for life in lives)
        if left <= 0 or time.monotonic() > deadline:
            break
        attempt = Attempt(
            place=place,
            home=f"life{number}",
            workers=1 + number % 2,
            mirrored=training and number % 4 == 3 - number // 4 % 2,
            served=training and number % 9 == 8,
        )
        lives.add(_killed(attempt, whole, random.Random(f"{seed} {number}"), number=number, most=left))
    return list(lives)


def _empty_store(folder: Path) -> None:
    """An MLflow store without records, to be copied: making one takes longer than a life."""
    from agent.mirror.writer import Mirror

    folder.mkdir()
    Mirror(f"sqlite:///{folder / 'mlflow.db'}").forget(())


def _uninterrupted(place: Path, *, mirrored: bool) -> _Whole:
    attempt, places = Attempt(place=place, home="whole", workers=1, mirrored=mirrored), Places()
    _give_store(attempt)
    begun = time.monotonic()
    process = begin(attempt, places)
    process.join()
    if process.exitcode != 0:
        raise SelfnasError(f"the uninterrupted life failed: exit {process.exitcode}: {_said(attempt)}")
    home = Home(place / "whole")
    return _Whole(
        home=home,
        head=_head(home),
        seconds=time.monotonic() - begun,
        entered=places.counts(),
        mean_seconds=places.mean_seconds(),
    )


def _killed(attempt: Attempt, whole: _Whole, chance: random.Random, *, number: int, most: int) -> KilledLife:
    """Kill one life a few times, live it to its end, and compare."""
    life = KilledLife(
        number=number,
        workers=attempt.workers,
        mirrored=attempt.mirrored,
        served=attempt.served,
        events=whole.head[0],
    )
    home = Home(attempt.place / attempt.home)
    _give_store(attempt)
    allowed = min(most, chance.randrange(1, _A_LIFE + 1))
    while True:
        places = Places()
        process = begin(attempt, places)
        if len(life.kills) < allowed:
            _wait(process, places, whole, chance, done=_count(home) / whole.head[0], aims=not attempt.served)
        else:
            process.join()
        if process.exitcode is not None:
            break
        with contextlib.suppress(ProcessLookupError):  # it has no group of its own yet
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.kill()
        process.join()
        partial = any(home.weights.glob("*.partial"))
        life.kills.append(Kill(where=places.present(), events=_count(home), partial=partial))
        if life.kills[-1].events >= whole.head[0]:
            break  # its run was over, and only pictures and MLflow records were not: the same command begins another
    if process.exitcode not in (0, -signal.SIGKILL):
        life.failure = f"exit {process.exitcode}: {_said(attempt)}"
    else:
        life.unequal = _differences(home, whole)
    return life


def _wait(
    process: BaseProcess, places: Places, whole: _Whole, chance: random.Random, *, done: float, aims: bool
) -> None:
    """Until the moment at which to kill, or the life's end.

    Args:
        done: share of the life's events that it had when this attempt began.
        aims: whether it tells where it is, so that a place can be aimed at.
    """
    reachable = [place for place in PLACES if whole.entered[place]]
    aim = chance.choice(reachable)
    if not aims or chance.random() < _ANYWHERE:
        checking = whole.mean_seconds["checking the stream"]
        process.join(chance.uniform(0, checking + (whole.seconds - checking) * (1 - done)))
        return
    wanted = chance.randint(1, max(1, round(whole.entered[aim] * (1 - done))))
    while process.exitcode is None and places.entered(aim) < wanted:
        process.join(_LOOK_SECONDS)
    process.join(chance.uniform(0, whole.mean_seconds[aim]))


def _give_store(attempt: Attempt) -> None:
    if attempt.mirrored:
        shutil.copytree(attempt.place / "empty", attempt.place / f"{attempt.home}-mlflow")


def _differences(home: Home, whole: _Whole) -> list[str]:
    """In what a life that reached its end differs from the uninterrupted one."""
    found = []
    if _head(home) != whole.head:
        found.append("its chain is another")
    weights, wanted = _weights(home), _weights(whole.home)
    if weights != wanted:
        found.append(f"weights: {len(weights - wanted)} files too many, {len(wanted - weights)} missing or changed")
    if [*home.weights.glob("*.partial"), *home.root.glob("step-*")]:
        found.append("half-written files are left")
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        found += verify(ledger, home).problems
    return found


def _weights(home: Home) -> set[tuple[str, str]]:
    """Names of weights files with the SHA-256 of what they hold."""
    return {(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in home.weights.iterdir()}


def _said(attempt: Attempt) -> str:
    """The last line that a life printed."""
    text = (attempt.place / f"{attempt.home}.txt").read_text(errors="replace")
    return (text.strip().splitlines() or [""])[-1]


def _count(home: Home) -> int:
    if not home.ledger.is_file():
        return 0
    with contextlib.suppress(SelfnasError), Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        return ledger.head()[0]
    return 0


def _head(home: Home) -> tuple[int, str]:
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        if problem := next(ledger.broken_links(), None):
            return 0, problem
        return ledger.head()


def told(lives: Sequence[KilledLife]) -> Iterator[str]:
    """What came of it, in lines."""
    kills = [kill for life in lives for kill in life.kills]
    by_workers = Counter(life.workers for life in lives for _ in life.kills)
    inside = sum(0 < kill.events < life.events for life in lives for kill in life.kills)
    yield (
        f"{len(kills)} kills ({by_workers[1]} with one worker, {by_workers[2]} with two), {inside} of them between two "
        f"events, {sum(kill.partial for kill in kills)} with half-written weights"
    )
    places = Counter(
        place
        for life in lives
        for kill in life.kills
        for place in kill.where or (_UNTOLD if life.served else _OUTSIDE,)
    )
    yield "while " + ", ".join(f"{place}: {places[place]}" for place in (*PLACES, _OUTSIDE, _UNTOLD) if places[place])
    ended = [life for life in lives if life.kills and not life.failure]
    mirrored, served = sum(life.mirrored for life in ended), sum(life.served for life in ended)
    yield f"{len(ended)} lives resumed to their end ({mirrored} mirrored, {served} whose workers a server started)"
    yield f"{sum(bool(life.unequal) for life in ended)} of them differ from the uninterrupted one"
    yield f"{sum(bool(life.failure) for life in lives)} lives failed"
    for life in lives:
        yield from (f"life {life.number}: {problem}" for problem in (*life.unequal, life.failure) if problem)


@app.command()
def kills(
    count: Annotated[int, typer.Option(min=1, help="SIGKILLs to deal out.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 0,
    minutes: Annotated[float, typer.Option(min=0.1, help="Stop killing after so long.")] = 120.0,
    training: Annotated[bool, typer.Option("--training", help="Networks trained by workers, not a table.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="A file of finished lives; a bench that was cut off goes on with it.")
    ] = None,
) -> None:
    """Kill short lives at random moments and resume them; exit 1 if one differs from the uninterrupted life."""
    with tempfile.TemporaryDirectory() as place:
        lives = measure_kills(
            Path(place), kills=count, seed=seed, seconds=60 * minutes, training=training, keep=keep
        )  # fmt: skip
    for line in told(lives):
        typer.echo(line)
    raise typer.Exit(1 if any(life.unequal or life.failure for life in lives) else 0)


if __name__ == "__main__":
    main(commands=app)
