"""The thread of a server that has designs answered: each by a worker process, a few at once, the oldest first."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.orders.place import Place
from agent.orders.queue import Queue, Row
from agent.orders.working import steps_of

__all__ = ["Supervisor"]

_POLL = 0.2  # seconds between two looks
_PATIENCE = 30.0  # seconds after which a worker that was asked to end is asked again, then killed
_GRACE = 10.0  # the same where the server itself ends
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # also where memory is short
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    attempt: int
    since: float | None = None  # when it should have begun to end
    signals: int = 0


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Starts workers, sees how they end, and ends those whose design was cancelled.

    Attributes:
        place: of the service.
        queue: of the service.
        at_once: designs that are answered at the same time.
        workers: processes that train, for each.
        device: that they train on.
    """

    place: Place
    queue: Queue
    at_once: int
    workers: int
    device: str
    _held: dict[str, _Worker] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Do so on a thread until the block ends; workers end with it, and their designs go on at the next start."""
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(ended,), name="designs", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(_POLL):
            try:
                self.step()
            except (OSError, sqlite3.Error) as error:  # a full disk passes
                logging.getLogger(__name__).warning("designs wait: %s", error)
                ended.wait(5.0)
        self._end_all()

    def step(self) -> None:
        """Look once: what ended, what is cancelled, what may begin."""
        running = {row.id: row for row in self.queue.running()}
        for design, worker in list(self._held.items()):
            if worker.process.poll() is not None:
                _end_group(worker.process)
                steps, killed = steps_of(self.place.home(design)), -worker.process.returncode in _FROM_OUTSIDE
                self.queue.died(design, worker.attempt, steps=steps, killed=killed)  # unless it told
                del self._held[design]
            elif (row := running.get(design)) is None or row.attempt != worker.attempt:
                self._ask(worker, now=False)  # it has told what came of it, and is on its way out
            elif row.cancel:
                self._ask(worker, now=True)
        while len(self._held) < self.at_once and (row := self.queue.claim(without=self._held)) is not None:
            self._start(row)

    def _start(self, row: Row) -> None:
        command = [sys.executable, "-P", "-m", "agent.orders.working", str(self.place.root), row.id, str(row.attempt)]
        command += ["--workers", str(self.workers), "--device", self.device]
        try:
            with self.place.log(row.id).open("ab") as log:
                process = _started(command, log.fileno())
        except FileNotFoundError:
            self.queue.finish(row.id, row.attempt, "failed", "its folder is not there any more", None)
            return
        except OSError as error:
            self.queue.postpone(row.id, row.attempt, f"no worker can be started: {error.strerror}", seconds=30.0)
            return
        self._held[row.id] = _Worker(process, row.attempt)

    def _ask(self, worker: _Worker, *, now: bool) -> None:
        """To end, as Ctrl-C does, now or after a while; then once more, then without asking."""
        worker.since = worker.since or time.monotonic()
        if time.monotonic() - worker.since < _PATIENCE * (worker.signals + (not now)):
            return
        worker.signals += 1
        if worker.signals > 2:
            _end_group(worker.process)
        else:
            worker.process.send_signal(signal.SIGINT)

    def _end_all(self) -> None:
        for worker in self._held.values():
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGINT)
        until = time.monotonic() + _GRACE
        for worker in self._held.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, until - time.monotonic()))
            _end_group(worker.process)
            worker.process.wait()
        self._held.clear()


def _started(command: Sequence[str], log: int) -> subprocess.Popen[bytes]:
    """A process with the code of this one; on Linux it ends with its server, however that ends."""
    own = str(Path(__file__).parents[2])
    others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each and each != own]
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([own, *others])},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform.startswith("linux") else None,
    )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """What a worker started ends with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
