"""`selfnas watch`: follow a past task on new data, and tell."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agent.commands.inspect import held_life, mirror_life
from agent.life.drift import Watcher
from agent.life.observer import Unobserved
from agent.life.successor import Outcome
from agent.workers import interrupt
from agent.workers.device import chosen_device
from agent.workers.pool import Workers, cores

__all__ = ["watch_task"]


def watch_task(
    home: Path,
    task: str,
    data: Sequence[Path],
    *,
    base: Path,
    least: int,
    workers: int | None,
    device: str,
    mirror: bool,
) -> None:
    """Take in files in their order; search for a successor as soon as a drift is confirmed and data suffice.

    Raises:
        InputError: no such life or task, or a file that cannot be used; nothing was recorded then.
    """
    console = Console()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    searched = False
    with interrupt.listening(), held_life(home) as (held, ledger):
        watcher = Watcher(ledger, held, task, base=base, least=least)
        chosen = chosen_device(device)

        def search() -> None:
            nonlocal searched
            searched = True
            with Workers(workers or cores()) as pool:
                _tell(console, task, watcher.search(pool, device=chosen, observer=Unobserved()))

        batches = watcher.follow(data)
        if watcher.unfinished:
            console.print("going on with the search that was cut off")
            search()
        elif watcher.wants_search:
            search()
        for path in (batch.path for batch in batches):
            interrupt.check()
            [batch] = watcher.follow([path])  # by what is in service now
            seen = watcher.take_in(batch)
            if seen.known:
                console.print(f"{escape(str(path))}: taken in before")
                continue
            wanted = f"; {seen.missing} more new examples are needed for a search" if seen.missing else ""
            console.print(
                f"{escape(str(path))}: {seen.examples} examples, accuracy {100 * seen.accuracy:.1f} %, "
                f"{seen.verdict}{wanted}"
            )
            if watcher.wants_search:
                search()
    if searched and mirror:
        mirror_life(home)


def _tell(console: Console, task: str, outcome: Outcome) -> None:
    if not outcome.successor:
        console.print(f"{escape(task)}: no successor was admitted in {outcome.evaluations} evaluations")
        return
    console.print(
        f"{escape(task)}: successor {outcome.successor[:12]} admitted, test {100 * outcome.test:.1f} %, after "
        f"{outcome.evaluations} evaluations on {outcome.examples} new examples; its best score was seen at number "
        f"{outcome.to_best}"
    )
