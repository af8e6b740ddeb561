"""What a worker process does: `python -m agent.orders.working FOLDER DESIGN ATTEMPT` answers one design.

It runs what `selfnas design` runs, in the folder of the design. SIGINT ends it after the present step. It tells the
queue what comes of it; where it dies without a word, its server sees that.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.api.designing import Answer, design
from agent.designing.lines import recorded_line
from agent.designing.telling import told_lines
from agent.ledger.home import Home, HomeHeldError, StorageError, SurroundingsError
from agent.ledger.store import reading
from agent.orders.accepting import content_digest
from agent.orders.full_disk import is_full
from agent.orders.place import Place
from agent.orders.queue import Queue
from selfnas.errors import InputError, SelfnasError

if TYPE_CHECKING:
    from agent.life.observer import Observer
    from agent.state.state import RunState, TaskState

__all__ = ["main", "outcome", "steps_of", "work"]

_REST = 30.0  # seconds before a design is tried again that the surroundings stopped
_SOON = 2.0  # the same where another process still holds its life
_LONGEST = 4000  # characters of what is told


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One attempt at a design, and how its queue is told."""

    queue: Queue
    design: str
    attempt: int

    def say(self, kind: str, text: str) -> None:
        """Tell it; that it cannot be told stops nothing."""
        try:
            self.queue.say(self.design, self.attempt, kind, text[:_LONGEST])
        except sqlite3.Error as error:
            logging.getLogger(__name__).warning("%s is not told: %s", kind, error)


@dataclass(slots=True)
class _Steps:
    """Tells a queue of each round of a search; an `Observer`."""

    task: _Task
    _said: str = ""

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """That it begins or goes on."""
        self._say(task, f", at most {steps} steps")

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """How far it is."""
        self._say(task)

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """That networks were audited."""
        admitted = sum(1 for _ in task.admitted())
        self._say(task, f", the search has ended, {admitted} admitted")

    def _say(self, task: TaskState, more: str = "") -> None:
        text = f"task {task.name}: {len(task.trials)} scored, {len(task.finalists)} trained fully{more}"
        if text != self._said:
            self._said = text
            self.task.say("step", text)


def work(place: Place, queue: Queue, design_id: str, attempt: int, *, workers: int, device: str) -> None:
    """Answer a design, or go on with it.

    Args:
        place: of the service.
        queue: of the service.
        design_id: of the design.
        attempt: that the queue gave it out as.
        workers: processes that train.
        device: that they train on.

    Raises:
        KeyboardInterrupt: SIGINT came; the queue was told.
        sqlite3.Error: the queue cannot be told.
    """
    task = _Task(queue=queue, design=design_id, attempt=attempt)
    row = queue.find(design_id)
    if row is None:
        return
    try:
        if content_digest(place.folder(design_id)) != row.sha256:
            edited = "its specification or its data were changed after they were accepted"
            queue.finish(design_id, attempt, "unusable", edited, None)
            return
        answer = design(
            place.specification(design_id),
            place.made(design_id).root,
            workers=workers,
            device=device,
            say=lambda sentence: task.say("said", sentence),
            observer=_watching(task),
        )
    except KeyboardInterrupt:
        queue.postpone(design_id, attempt, "its worker was asked to end", seconds=0.0)
        raise
    except HomeHeldError:
        queue.postpone(design_id, attempt, "an earlier worker has not ended yet", seconds=_SOON)
    except (StorageError, SurroundingsError) as error:
        queue.postpone(design_id, attempt, _own(place, design_id, error), seconds=_REST)
    except (SelfnasError, OSError, sqlite3.Error) as error:
        if is_full(error):
            queue.postpone(
                design_id, attempt, f"the disk takes no more: {_own(place, design_id, error)}", seconds=_REST
            )
        elif isinstance(error, InputError):
            queue.finish(design_id, attempt, "unusable", _own(place, design_id, error), None)
        else:
            raise
    else:
        state, told, record = outcome(answer)
        queue.finish(design_id, attempt, state, told, record)


def _watching(task: _Task) -> Callable[[Path], Observer]:
    return lambda home: _Steps(task)


def outcome(answer: Answer) -> tuple[str, str, dict[str, object] | None]:
    """State of an answered design, why it stands so, and what is kept of the answer."""
    if not answer.lines:
        return ("possible" if answer.possible else "impossible"), "", None
    stands = answer.binding
    lines = [recorded_line(line) for line in answer.lines]
    sentences = told_lines(
        answer.spec, answer.lines, answer.files, digest=answer.digest, precision=answer.precision
    )  # fmt: skip
    record: dict[str, object] = {
        "digest": answer.digest,
        "precision": answer.precision,
        "lines": [
            {"name": each.name, "asked": each.text, "verdict": each.verdict, "estimate": each.estimate,
             "low": each.low, "high": each.high, "n": each.n} for each in lines
        ],
        "sentences": sentences,
    }  # fmt: skip
    if stands is None:
        return "met", "", record
    why = f"{stands.target} is {stands.verdict}" if answer.digest else "no network was admitted by the audits"
    return "not_met", why, record


def steps_of(home: Home) -> int:
    """How many events the life of a design has; 0 where it cannot be told."""
    try:
        with reading(home.root) as ledger:
            return ledger.head()[0]
    except (SelfnasError, sqlite3.Error):
        return 0


def _own(place: Place, design_id: str, error: BaseException) -> str:
    """What an error says, without the names of folders of this machine."""
    folder = str(place.folder(design_id))
    return str(error).replace(f"{folder}/", "").replace(folder, "the design")[:_LONGEST]


def main(arguments: list[str]) -> int:
    """Entry point of a worker process; its exit code."""
    parser = argparse.ArgumentParser(prog="agent.orders.working")
    parser.add_argument("folder", type=Path)
    parser.add_argument("design")
    parser.add_argument("attempt", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    place = Place(told.folder)
    try:
        work(
            place, Queue(place.queue, time.time), told.design, told.attempt, workers=told.workers, device=told.device
        )  # fmt: skip
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
