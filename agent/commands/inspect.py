"""`selfnas status`, `verify` and `mirror`: looking at a life without changing it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from agent.commands.console import guard_table, results_table
from agent.gate.superseded import admitted_otherwise, suite_sentence
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger, reading
from agent.mirror.keys import task_key, task_keys
from agent.state.plugins import of_life
from agent.state.state import replay
from selfnas.plugins import Identity

if TYPE_CHECKING:
    from agent.verify.verification import Verification

__all__ = ["held_life", "mirror_life", "opened_life", "print_verification", "show_status", "without"]

_NAMED = 20  # motifs of another suite that `status` lists


@contextmanager
def opened_life(home: Path) -> Iterator[Ledger]:
    """The ledger of a home, for reading, with the plug-ins of the life in force; says which are not here.

    Raises:
        InputError: there is no life in this home.
    """
    with reading(home) as ledger, of_life(ledger) as missing:
        for one in missing:
            Console(stderr=True).print(escape(without(one)), style="yellow", highlight=False)
        yield ledger


@contextmanager
def held_life(home: Path) -> Iterator[tuple[Home, Ledger]]:
    """A home held for this command, and its ledger for writing, with the plug-ins of the life in force.

    Raises:
        InputError: there is no life in this home, or another agent holds it.
    """
    with reading(home):
        pass  # a home without a life is refused, not made
    with hold(home) as held, Ledger(held.ledger, clock=time.time) as ledger, of_life(ledger):
        yield held, ledger


def without(plugin: Identity) -> str:
    """What it means that a plug-in of a life is not here."""
    return (
        f"plug-in {plugin} of this life is not installed, or with other content: what is made of its parts is not shown"
    )


def show_status(home: Path) -> None:
    """Print the runs of a life and where the open one stands."""
    console = Console()
    with opened_life(home) as ledger:
        state = replay(ledger)
        events, head = ledger.head()
    console.print(f"{events} events, head {head[:16]}; {len(state.library)} admitted architecture(s)")
    for run in state.runs:
        name, end = escape(run.started.record.stream), "finished" if run.finished else "cut off"
        console.print(f"run {run.number} of stream {name}: {end}")
        console.print(results_table(run), guard_table(run))
    if sentence := suite_sentence(state, str(home)):
        console.print(escape(sentence), style="yellow")
        for motif in islice(admitted_otherwise(state), _NAMED):
            console.print(f"  {motif.digest[:12]}  {escape(motif.task)}, run {motif.run}")


def print_verification(result: Verification) -> bool:
    """Print what was checked and what failed; True when everything holds."""
    console = Console()
    counts = ", ".join(f"{count} {name}" for name, count in result.checked.items())
    for note in result.notes:
        console.print(escape(note), style="yellow")
    for problem in result.problems:
        console.print(escape(problem), style="red")
    console.print(f"checked {counts}: " + (f"{len(result.problems)} problem(s)" if result.problems else "all hold"))
    return not result.problems


def mirror_life(home: Path, *, rebuild: bool = False) -> bool:
    """Write every finished task that MLflow lacks, or rewrite all of them; True when all are there."""
    from agent.mirror.writer import Mirror, tracking_uri, without_password
    from agent.state.recorded import suite_of

    console = Console()
    uri = tracking_uri()
    mirror = Mirror(uri)
    missing = 0
    with opened_life(home) as ledger:
        if told := mirror.foreign(Home(home)):
            console.print(escape(told), highlight=False)
            return False
        state = replay(ledger)
        streams = sorted({run.started.record.stream for run in state.runs})
        if rebuild and not mirror.forget(task_keys(ledger, state).values(), home=Home(home), streams=streams):
            console.print(f"MLflow records could not be deleted: {without_password(uri)}")
            return False
        for run in state.runs:
            suite = suite_of(run)
            for task in run.tasks:
                if task.finished is not None:
                    key = task_key(ledger, run, task)
                    missing += not mirror.write(Home(home), run, task, suite=suite, key=key)
        missing += not mirror.write_standing(Home(home), state, keys=task_keys(ledger, state), times=ledger.times())
    console.print(f"{missing} task(s) could not be written" if missing else f"MLflow records: {without_password(uri)}")
    return not missing
