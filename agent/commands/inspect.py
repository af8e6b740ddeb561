"""`selfnas status`, `verify` and `mirror`: looking at a life without changing it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agent.commands.console import guard_table, results_table
from agent.gate.superseded import admitted_otherwise, suite_sentence
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.mirror.keys import task_key, task_keys
from agent.state.state import replay

__all__ = ["Depth", "mirror_life", "open_life", "show_status", "show_verification"]

_NAMED = 20  # motifs of another suite that `status` lists


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
        name, end = escape(run.started.record.stream), "finished" if run.finished else "cut off"
        console.print(f"run {run.number} of stream {name}: {end}")
        console.print(results_table(run), guard_table(run))
    if sentence := suite_sentence(state, str(home)):
        console.print(escape(sentence), style="yellow")
        for motif in islice(admitted_otherwise(state), _NAMED):
            console.print(f"  {motif.digest[:12]}  {escape(motif.task)}, run {motif.run}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How far to compute again.

    Attributes:
        sample: networks to audit again.
        seed: of their draw.
        base: directory of the stream file, where relative paths of data start.
    """

    sample: int
    seed: int
    base: Path


def show_verification(home: Path, *, key: Path | None = None, mlflow: bool = False, depth: Depth | None = None) -> bool:
    """Print what was checked and what failed; True when everything holds.

    Args:
        home: directory of the life.
        key: public key that the head of the chain must be signed with; None asks for no signature.
        mlflow: compare the MLflow records too.
        depth: what to compute again; None computes no solver's answer and no audit.
    """
    from agent.verify.verification import verify

    console = Console()
    with open_life(home) as ledger, console.status("verifying") as status:
        result = verify(ledger, Home(home))
        state = replay(ledger) if mlflow or depth is not None else None
        if state is not None and mlflow:
            from agent.mirror.writer import Mirror, tracking_uri

            status.update("comparing MLflow records")
            keys = task_keys(ledger, state)
            checked, problems = Mirror(tracking_uri()).check(Home(home), state, keys=keys, times=ledger.times())
            result.checked += checked
            result.problems += problems
        if state is not None and depth is not None:
            from agent.verify.recomputation import audit_again, solve_again

            for further in (
                solve_again(ledger, progress=lambda count: status.update(f"{count} certificates solved again")),
                audit_again(
                    Home(home), state, count=depth.sample, seed=depth.seed, base=depth.base,
                    progress=lambda name: status.update(f"auditing {name}"),
                ),
            ):  # fmt: skip
                result.checked += further.checked
                result.problems += further.problems
                result.notes += further.notes
        if key is not None:
            from agent.ledger.signature import check_signature

            signed, problems = check_signature(ledger, Home(home), key)
            result.checked["signed events"] = signed
            result.problems += problems
    counts = ", ".join(f"{count} {name}" for name, count in result.checked.items())
    for note in result.notes:
        console.print(escape(note), style="yellow")
    for problem in result.problems:
        console.print(escape(problem), style="red")
    console.print(f"checked {counts}: " + (f"{len(result.problems)} problem(s)" if result.problems else "all hold"))
    return not result.problems


def mirror_life(home: Path, *, rebuild: bool = False) -> bool:
    """Write every finished task that MLflow lacks, or rewrite all of them; True when all are there."""
    from agent.mirror.writer import Mirror, tracking_uri
    from agent.state.recorded import suite_of

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
            suite = suite_of(run)
            for task in run.tasks:
                if task.finished is not None:
                    key = task_key(ledger, run, task)
                    missing += not mirror.write(Home(home), run, task, suite=suite, key=key)
        missing += not mirror.write_standing(Home(home), state, keys=task_keys(ledger, state), times=ledger.times())
    console.print(f"{missing} task(s) could not be written" if missing else f"MLflow records: {uri}")
    return not missing
