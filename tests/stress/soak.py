"""Many short lives, killed, starved of disk, refused, under a broken clock at random, and edited by hand at last.

Every attempt is a process forked from this one, on lives on made-up tables that need no workers. After its disturbances
a life is lived to its end; it must then verify and have the chain of an undisturbed one. A copy is edited: verification
must notice, or nothing that was recorded may have changed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import main
from agent.ledger.events import Event, Facts
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.life.context import Prepared
from agent.life.life import Life
from agent.life.observer import Unobserved
from agent.life.preparation import prepare
from agent.stream.file import read_stream
from agent.verify.verification import verify
from selfnas.errors import InputError, SelfnasError
from tests.stress.forgeries import change_bytes, forge_once
from tests.stress.forgery_edits import FORGERIES

__all__ = ["DISTURBANCES", "Soak", "soak"]

app = typer.Typer(add_completion=False)

_STREAM = """\
stream: soak
format: 1
seed: {seed}
budget: {{evaluations: {evaluations}, full_trainings: 2}}
policy: {{strategy: {strategy}, population: 4, sample: 2, batch: {batch}, recall: 2}}
tasks:
  - {{name: one, source: table, dataset: a}}
  - {{name: two, source: table, dataset: {second}}}
"""
_VARIANTS: tuple[dict[str, Any], ...] = (
    {"seed": 0, "evaluations": 8, "strategy": "regularised_evolution", "batch": 4, "second": "b"},
    {"seed": 1, "evaluations": 10, "strategy": "random", "batch": 1, "second": "a"},
    {"seed": 2, "evaluations": 12, "strategy": "local_search", "batch": 3, "second": "c"},
)
DISTURBANCES = ("killed in a write", "killed between steps", "disk full", "clock set back", "held by another")
_CUTS = ("last event cut off", "last five events cut off")  # no different from a kill: the life goes on


@dataclass(slots=True)
class Soak:
    """What came of it.

    Attributes:
        lives: lived to their end.
        disturbed: attempts by disturbance.
        took: of these, how many were cut short or refused by it.
        edits: copies edited by hand.
        noticed: of these, how many verification named.
        harmless: how many others left every recorded event as it was.
        failures: whatever else happened, in sentences.
    """

    lives: int = 0
    disturbed: Counter[str] = field(default_factory=Counter)
    took: Counter[str] = field(default_factory=Counter)
    edits: int = 0
    noticed: int = 0
    harmless: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A stream, and what an undisturbed life on it came to."""

    prepared: Prepared
    head: tuple[int, str]
    steps: int  # transactions
    work: int  # instructions of the database


class _Disturbed(Ledger):
    """A ledger that ends its process by SIGKILL at a moment chosen beforehand.

    Args:
        path: the file.
        clock: gives Unix seconds.
        steps: after so many written steps; None never.
        work: after so many instructions of the database, in steps of `_GRAIN`; None never.
    """

    def __init__(self, path: Path, *, clock: Any, steps: int | None = None, work: int | None = None) -> None:
        super().__init__(path, clock=clock)
        self.steps, self.work = 0, 0
        self._last, self._end = steps, work
        self._db.set_progress_handler(self._worked, _GRAIN)

    def append(self, entries: Sequence[Facts]) -> tuple[Event[Facts], ...]:
        """As always; then perhaps the end."""
        events = super().append(entries)
        self.steps += 1
        if self.steps == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        return events

    def _worked(self) -> int:
        self.work += 1
        if self.work == self._end:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


_GRAIN = 5


def soak(place: Path, *, lives: int, seed: int) -> Soak:
    """Live so many lives under `place`, one after the other; the same seed gives the same disturbances."""
    result = Soak()
    wholes = [_undisturbed(place / f"whole{index}", variant) for index, variant in enumerate(_VARIANTS)]
    for number in range(lives):
        chance = random.Random(f"{seed} {number}")
        whole, home = chance.choice(wholes), Home(place / f"life{number}")
        found = [_disturb(home, whole, chance, result) for _ in range(chance.randrange(1, 5))]
        code, said = _attempt(home, whole)
        if code != 0:
            found.append(f"the undisturbed end failed: exit {code}: {said}")
        found += _faults(home, whole)
        found.append(_edit(home, place / f"edited{number}", chance, result))
        result.failures += [f"life {number}: {problem}" for problem in found if problem]
        result.lives += 1
        shutil.rmtree(home.root)
    return result


def _undisturbed(place: Path, variant: dict[str, Any]) -> _Whole:
    home = Home(place)
    place.mkdir(parents=True)
    (place / "soak.yaml").write_text(_STREAM.format(**variant), encoding="utf-8")
    prepared = prepare(read_stream(place / "soak.yaml", overrides=[]))
    ledger = _Disturbed(home.ledger, clock=time.time)
    with hold(home.root), ledger:
        _live(ledger, prepared, home)
        return _Whole(prepared=prepared, head=ledger.head(), steps=ledger.steps, work=ledger.work)


def _live(ledger: Ledger, prepared: Prepared, home: Home) -> None:
    life = Life(ledger, prepared, workers=None, home=home, device="cpu", observer=Unobserved())  # type: ignore[arg-type]
    life.check_resumable()
    if not life.state.runs or life.state.open_run:
        life.run()


def _disturb(home: Home, whole: _Whole, chance: random.Random, result: Soak) -> str:
    """One disturbed attempt; what was wrong with how it ended, if anything."""
    kind = chance.choice(DISTURBANCES)
    result.disturbed[kind] += 1
    if kind == "held by another":
        with hold(home.root):
            code, said = _attempt(home, whole)
        result.took[kind] += 1
        return "" if code == 2 and f"process {os.getpid()}" in said else f"{kind}: exit {code}: {said}"
    steps = chance.randrange(1, whole.steps + 1) if kind in ("killed between steps", "clock set back") else None
    work = chance.randrange(1, whole.work + 1) if kind == "killed in a write" else None
    room = chance.randrange(1, 120_000) if kind == "disk full" else None
    code, said = _attempt(home, whole, steps=steps, work=work, room=room, backwards=kind == "clock set back")
    result.took[kind] += code != 0
    allowed = (0, 1, 2) if kind == "disk full" else (0, -signal.SIGKILL)
    return "" if code in allowed and "Traceback" not in said else f"{kind}: exit {code}: {said}"


def _attempt(
    home: Home,
    whole: _Whole,
    *,
    steps: int | None = None,
    work: int | None = None,
    room: int | None = None,
    backwards: bool = False,
) -> tuple[int, str]:
    """Go on with a life in a forked process: its exit code (minus the signal that ended it) and what it said."""
    said = home.root.with_suffix(".txt")
    said.write_text("", encoding="utf-8")
    arguments = (home, whole, said, steps, work, room, backwards)
    process = multiprocessing.get_context("fork").Process(target=_in_child, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    code, text = process.exitcode, said.read_text(encoding="utf-8")
    process.close()
    said.unlink()
    return code, text


def _in_child(
    home: Home, whole: _Whole, said: Path, steps: int | None, work: int | None, room: int | None, backwards: bool
) -> None:
    """As the command line does: 2 for what the user must change, 1 for what failed."""
    output = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, sys.stderr.fileno())
    clock = (lambda: 1e9 - time.monotonic()) if backwards else time.time
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    code = 0
    try:
        with hold(home.root), _Disturbed(home.ledger, clock=clock, steps=steps, work=work) as ledger:
            _live(ledger, whole.prepared, home)
    except SelfnasError as error:
        os.write(output, str(error).encode())
        code = 2 if isinstance(error, InputError) else 1
    os._exit(code)


def _faults(home: Home, whole: _Whole) -> list[str]:
    """What is wrong with a life that was lived to its end."""
    with Ledger(home.ledger, clock=time.time, read_only=True) as ledger:
        found = [f"does not verify: {problem}" for problem in verify(ledger, home).problems]
        if ledger.head() != whole.head:
            found.append("its chain is not that of an undisturbed life")
    if [*home.weights.glob("*.partial"), *home.root.glob("step-*")]:
        found.append("half-written files are left")
    return found


def _edit(home: Home, scratch: Path, chance: random.Random, result: Soak) -> str:
    """Edit a copy: one byte, or one thing that a forger would; what went unnoticed, if anything."""
    result.edits += 1
    if chance.random() < 0.5:
        (found,) = change_bytes(home.root, scratch, changes=1, seed=chance.randrange(2**32))
    else:
        names = [name for name in FORGERIES if name not in _CUTS]
        found = forge_once(home.root, scratch, chance.choice(names))
    shutil.rmtree(scratch, ignore_errors=True)
    if found.problems:
        result.noticed += 1
    elif found.same_content:
        result.harmless += 1
    else:
        return f"an edit went unnoticed: {found.what}"
    return ""


@app.command()
def live_them(
    lives: Annotated[int, typer.Option(min=1, help="Lives to live.")] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the disturbances.")] = 0,
) -> None:
    """Short lives with random kills, faults and edits, invariants checked after each; exit 1 if one does not hold."""
    with tempfile.TemporaryDirectory() as place:
        result = soak(Path(place), lives=lives, seed=seed)
    for kind, count in sorted(result.disturbed.items()):
        typer.echo(f"{kind}: {count} attempts, {result.took[kind]} of them ended by it")
    typer.echo(
        f"{result.edits} copies edited by hand: {result.noticed} noticed, {result.harmless} left every event as it was"
    )
    typer.echo(f"{result.lives} lives lived to their end, {len(result.failures)} failures")
    for failure in result.failures:
        typer.echo(failure)
    raise typer.Exit(1 if result.failures else 0)


if __name__ == "__main__":
    main(commands=app)
