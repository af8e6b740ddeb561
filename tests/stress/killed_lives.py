"""The lives that `tests.stress.kills` kills: tiny streams, and a memory shared with their processes that tells where.

Each attempt is a process group of its own, forked from this process after the imports, so that the moments fall into
the life rather than into the loading of packages. Functions are wrapped in the child alone, to tell when they begin
and end; what they do is not touched.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.workers.lifetime import follow_parent

__all__ = ["PLACES", "Attempt", "Places", "begin", "write_stream"]

# Where a life can be; a process is in the latest of these that it entered and has not left.
PLACES = (
    "checking the stream", "searching", "scoring by proxy", "training shortly", "training fully", "auditing",
    "writing weights", "writing a step", "drawing or mirroring",
)  # fmt: skip
_BESIDE = PLACES[-1]  # on a thread of its own
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
baselines: none
space: nb201
macro: {channels: 4, depth: 1, resolution: 6}
budget: {evaluations: 4, full_trainings: 2}
low: {epochs: 1, steps: 0}
full: {epochs: 4, steps: 0}
training: {batch_size: 32, recipe: plain}
policy: {population: 3, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1, recall: 1}
tasks:
  - {name: bars, source: npz, path: bars.npz}
  - {name: corners, source: npz, path: corners.npz}
"""
_EXAMPLES, _SIDE = 400, 6


def write_stream(place: Path, *, training: bool) -> None:
    """Write `kills.yaml` and what it names: two tables, or two tasks of 400 pictures of 6 by 6 pixels to train on."""
    (place / "kills.yaml").write_text(_TRAINING if training else _TABLES, encoding="utf-8")
    if training:
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, _EXAMPLES)
        for name, rows in (("bars", slice(None)), ("corners", slice(0, 3))):
            x = rng.normal(0, 0.6, (_EXAMPLES, _SIDE, _SIDE)).astype(np.float32)
            for label, columns in enumerate((slice(0, 2), slice(4, 6))):
                x[y == label, rows, columns] += 1.5
            np.savez(place / f"{name}.npz", x=x, y=y)


class Places:
    """How often each place was entered and left, and for how long; shared with a child and its children."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._lock = context.Lock()
        self._entered, self._left = context.RawArray("q", len(PLACES)), context.RawArray("q", len(PLACES))
        self._seconds = context.RawArray("d", len(PLACES))

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Within it, this process is there."""
        index, begun = PLACES.index(place), time.perf_counter()
        with self._lock:
            self._entered[index] += 1
        try:
            yield
        finally:
            with self._lock:
                self._left[index] += 1
                self._seconds[index] += time.perf_counter() - begun

    def wrap(self, owner: object, name: str, place: str) -> None:
        """Tell of every call of a function or method."""
        inner: Callable[..., Any] = getattr(owner, name)

        def told(*args: Any, **kwargs: Any) -> Any:
            with self.at(place):
                return inner(*args, **kwargs)

        setattr(owner, name, told)

    def entered(self, place: str) -> int:
        """How often."""
        return int(self._entered[PLACES.index(place)])

    def counts(self) -> dict[str, int]:
        """How often each was entered."""
        return {place: self.entered(place) for place in PLACES}

    def mean_seconds(self) -> dict[str, float]:
        """How long each took on average; 0.0 for one that was never left."""
        return {
            place: self._seconds[index] / self._left[index] if self._left[index] else 0.0
            for index, place in enumerate(PLACES)
        }

    def present(self) -> tuple[str, ...]:
        """Where the life is: the innermost place of it and its workers, and the thread of the mirror beside it."""
        inside = [place for index, place in enumerate(PLACES) if self._entered[index] > self._left[index]]
        inner, beside = [place for place in inside if place != _BESIDE], [place for place in inside if place == _BESIDE]
        return (*inner[-1:], *beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How a life is gone on with.

    Attributes:
        place: directory of the stream.
        home: its name there.
        workers: processes that train.
        mirrored: whether finished tasks go to an MLflow store beside the home.
        served: whether workers start as a user's do, forked from a server that does the imports anew; such a life does
            not tell where it is.
    """

    place: Path
    home: str
    workers: int
    mirrored: bool = False
    served: bool = False

    @property
    def store(self) -> str:
        """Address of its MLflow store."""
        return f"sqlite:///{self.place / f'{self.home}-mlflow' / 'mlflow.db'}"


def begin(attempt: Attempt, places: Places) -> multiprocessing.process.BaseProcess:
    """A process, started, that goes on with the life to its end and exits as the command line does."""
    process = multiprocessing.get_context("fork").Process(target=_live, args=(attempt, places))
    process.start()
    return process


def _live(attempt: Attempt, places: Places) -> None:
    follow_parent()  # a bench that is stopped leaves no life behind
    os.setsid()
    output = os.open(attempt.place / f"{attempt.home}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    os.environ["MLFLOW_TRACKING_URI"] = attempt.store
    from agent.api.running import run
    from agent.commands.run import Terminal

    if not attempt.served:
        _tell(places)
    home = attempt.place / attempt.home
    with Terminal(home, mirror=attempt.mirrored) as terminal:
        run(
            attempt.place / "kills.yaml",
            home,
            workers=attempt.workers,
            observer=terminal,
            # Forked workers find the imports done, as they do when the server of a real life starts them.
            method=None if attempt.served else "fork",
        )


def _tell(places: Places) -> None:
    """Wrap what the places are named after, in this process and those it starts."""
    from agent.commands.run import _AfterTask
    from agent.ledger.store import Ledger
    from agent.life import life, preparation
    from agent.workers import process as worker

    owners: Mapping[str, tuple[object, str]] = {
        "checking the stream": (preparation, "prepare"),
        "searching": (life.Life, "run"),
        "scoring by proxy": (worker, "_proxy"),
        "training shortly": (worker, "_low"),
        "training fully": (worker, "_full"),
        "auditing": (worker, "_audit"),
        "writing weights": (worker, "_keep"),
        "writing a step": (Ledger, "append"),
        _BESIDE: (_AfterTask, "_record"),
    }
    for place, (owner, name) in owners.items():
        places.wrap(owner, name, place)
