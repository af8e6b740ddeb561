"""`selfnas status`, `verify` and `mirror`: looking at a life without changing it."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agent.commands.run import task_key, task_keys
from agent.console import guard_table, results_table
from agent.home import Home
from agent.ledger import Ledger
from agent.state import mapping, replay
from agent.verify import verify

__all__ = ["mirror_life", "open_life", "show_status", "show_verification"]


def open_life(home: Path) -> Ledger:
    """The ledger of a home, for reading.

    Raises:
        InputError: there is no life in this home.
    """
    return Ledger(Home(home).ledger, clock=time.time, read_only=True)


def show_status(home: Path) -> None:
    """Print the runs of a life and where the open one stands."""
    console = Console()
    with open_life(home) as ledger:
        state = replay(ledger)
        events, head = ledger.head()
    console.print(f"{events} events, head {head[:16]}; {len(state.library)} admitted architecture(s)")
    for run in state.runs:
        stream = mapping(run.started["stream"])["stream"]
        console.print(f"run {run.number} of stream {escape(str(stream))}: {'finished' if run.finished else 'cut off'}")
        console.print(results_table(run), guard_table(run))


def show_verification(home: Path, *, key: Path | None = None) -> bool:
    """Print what was checked and what failed; True when everything holds.

    Args:
        home: directory of the life.
        key: public key that the head of the chain must be signed with; None asks for no signature.
    """
    console = Console()
    with open_life(home) as ledger, console.status("verifying"):
        result = verify(ledger, Home(home))
        if key is not None:
            from agent.signing import check_signature

            signed, problems = check_signature(ledger, Home(home), key)
            result.checked["signed events"] = signed
            result.problems += problems
    counts = ", ".join(f"{count} {name}" for name, count in result.checked.items())
    for problem in result.problems:
        console.print(escape(problem), style="red")
    console.print(f"checked {counts}: " + (f"{len(result.problems)} problem(s)" if result.problems else "all hold"))
    return not result.problems


def mirror_life(home: Path, *, rebuild: bool = False) -> bool:
    """Write every finished task that MLflow lacks, or all of them anew; True when all are there."""
    from agent.reaudit import recorded_suite
    from agent.tracking import Mirror, tracking_uri

    console = Console()
    uri = tracking_uri()
    mirror = Mirror(uri)
    missing = 0
    with open_life(home) as ledger:
        state = replay(ledger)
        if rebuild and not mirror.forget(task_keys(ledger, state).values()):
            console.print(f"MLflow records could not be deleted: {uri}")
            return False
        for run in state.runs:
            suite = recorded_suite(run)
            for task in run.tasks:
                if task.finished is not None:
                    key = task_key(ledger, run, task)
                    missing += not mirror.write(Home(home), run, task, suite=suite, key=key)
        missing += not mirror.write_standing(Home(home), state, keys=task_keys(ledger, state), times=ledger.times())
    console.print(f"{missing} task(s) could not be written" if missing else f"MLflow records: {uri}")
    return not missing
