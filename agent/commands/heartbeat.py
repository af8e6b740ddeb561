"""Signs of life of `selfnas run`: lines with a time in logs, JSON for machines, and the pulse that the desk shows."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.ledger.pulse import Pulse, remove_pulse, write_pulse
from agent.report.summary import summarise
from agent.state.state import RunState, TaskState

if TYPE_CHECKING:
    from agent.workers.timing import WorkTime

__all__ = ["Heartbeat", "Told", "in_words", "json_line", "printed"]

_TOLD_EVERY = 5.0  # seconds between two writings of the pulse while nothing is done
_LEAST = 0.5  # seconds between two writings at all

Told = Callable[[str], None]


def in_words(pulse: Pulse) -> str:
    """One line of a log.

    Example:
        >>> in_words(Pulse(run=1, task="digits", place=2, tasks=5, trainings=3, of=11, left=400.0, since=0.0, at=60.0,
        ...                workers=2, busy={}))
        '1970-01-01 00:01:00 UTC task 2/5 digits: 3 of at most 11 trainings; about 7 min left'
    """
    when = f"{datetime.fromtimestamp(pulse.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    left = "" if pulse.left is None else f"; about {_duration(pulse.left)} left"
    where = f"task {pulse.place}/{pulse.tasks} {pulse.task}: {pulse.trainings} of at most {pulse.of} trainings"
    return f"{when} {where if pulse.task else 'checked and begun'}{left}"


def json_line(what: str, **facts: object) -> str:
    """One JSON object on one line: what happened, when, and what else is told of it."""
    return json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "what": what, **facts})


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Heartbeat:
    """Follows a run; use as a context manager.

    Args:
        home: of the life.
        run: number of the run.
        tasks: how many tasks it has.
        steps: trainings of a task at most.
        workers: processes.
        work: where their time goes.
        every: seconds between two lines; 0 for none.
        tell: writes a line of a log; None where a person sees bars.
        as_json: writes lines for machines; None for none.
    """

    def __init__(
        self,
        home: Path,
        *,
        run: int,
        tasks: int,
        steps: int,
        workers: int,
        work: WorkTime,
        every: float,
        tell: Told | None,
        as_json: Told | None,
    ) -> None:
        self._home, self._run, self._tasks, self._workers, self._work = home, run, tasks, workers, work
        self._every, self._tell, self._json = every, tell, as_json
        self._task, self._place, self._done, self._of = "", 0, 0, steps
        self._since, self._lived, self._steps = time.time(), 0, steps
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._written = 0.0
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._left = ExitStack()

    def __enter__(self) -> Heartbeat:
        self._left.callback(remove_pulse, self._home)
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Tell no more."""
        self._ended.set()
        self._thread.join()
        self._left.close()

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """A task starts or goes on."""
        with self._lock:
            self._task, self._place = task.name, task.index + 1
            self._done, self._of = len(task.own_evaluations) + len(task.finalists), steps
        self._write()
        if self._json is not None:
            self._json(json_line("task begins", run=self._run, task=task.name, place=task.index + 1, of=self._tasks))

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """So many trainings more are done."""
        with self._lock:
            self._done, self._lived = self._done + steps, self._lived + steps
        if time.monotonic() - self._written > _LEAST:
            self._write()

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """A task is finished and recorded."""
        self._write()
        if self._json is None:
            return
        summary = summarise(task)
        test = None
        if summary.test is not None:
            low, high = summary.test.interval
            test = {"estimate": summary.test.estimate, "low": low, "high": high, "n": summary.test.count}
        self._json(
            json_line(
                "task ends", run=run.number, task=task.name, evaluations=summary.evaluations,
                full_trainings=summary.full_trainings, admitted=summary.admitted, winner=summary.winner or None,
                metric=summary.metric, validation=summary.validation, test=test,
            )
        )  # fmt: skip

    def pulse(self) -> Pulse:
        """As it stands now."""
        now, work = time.time(), self._work
        with self._lock:
            rest = max(0, self._of - self._done) + self._steps * max(0, self._tasks - self._place)
            left = (now - self._since) / self._lived * rest if self._lived else None
            return Pulse(
                run=self._run, task=self._task, place=self._place, tasks=self._tasks, trainings=self._done, of=self._of,
                left=left, since=self._since, at=now, workers=self._workers,
                busy={"training": work.training, "audits": work.audits, "baselines": work.baselines,
                      "proxies": work.proxies},
            )  # fmt: skip

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(min(self._every or _TOLD_EVERY, _TOLD_EVERY)):
            pulse = self._write()
            if self._every and time.monotonic() - last >= self._every - _LEAST:
                last = time.monotonic()
                if self._tell is not None:
                    self._tell(in_words(pulse))
                if self._json is not None:
                    told = {name: getattr(pulse, name) for name in ("run", "task", "place", "tasks", "trainings", "of")}
                    self._json(json_line("beat", **told, left_seconds=pulse.left))

    def _write(self) -> Pulse:
        pulse, self._written = self.pulse(), time.monotonic()
        write_pulse(self._home, pulse)
        return pulse


def printed(line: str) -> None:
    """Write a line at once, so that whoever follows a log sees it."""
    sys.stdout.write(f"{line}\n")  # at once, since two threads write
    sys.stdout.flush()
