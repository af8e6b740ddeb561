"""A run over a stream, from Python and from the command line alike: prepare, hold the home, live."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agent.api.life import Life
from agent.api.streams import Stream
from agent.cluster.choosing import executor_named
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger, reading
from agent.life.observer import Observer, Unobserved
from agent.state.plugins import of_life
from agent.state.state import LifeState, RunState, replay
from agent.stream.file import read_stream
from agent.stream.shipped import stream_folder, stream_path
from agent.workers import interrupt
from selfnas.plugins import in_force

if TYPE_CHECKING:
    from agent.life.context import Prepared
    from agent.workers.timing import WorkTime

__all__ = ["Begun", "RunObserver", "continue_task", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A run that is about to be lived.

    Attributes:
        home: held for it.
        ledger: open for writing.
        prepared: the stream and what it names.
        state: of the life so far; folded on while the run is lived.
        workers: how many worker processes there are.
        work: how long they worked.
    """

    home: Home
    ledger: Ledger
    prepared: Prepared
    state: LifeState
    workers: int
    work: WorkTime


@runtime_checkable
class RunObserver(Observer, Protocol):
    """An observer that is told of the whole run too."""

    def checks(self, task: str) -> None:
        """That task of the stream is loaded and checked next."""

    def run_begins(self, begun: Begun) -> None:
        """All is checked and the home is held; a run begins or goes on."""

    def run_ends(self, begun: Begun, run: RunState) -> None:
        """The run is finished and recorded; the home is still held."""


def run(
    stream: str | Path | Stream,
    home: str | Path,
    *,
    seed: int | None = None,
    settings: Sequence[str] = (),
    workers: int | None = 1,
    device: str = "cpu",
    executor: str = "local",
    accept_set: str = "",
    observer: Observer | None = None,
    method: str | None = None,
) -> Life:
    """Live through a stream; a life that was cut off goes on where it stopped.

    A `Stream` built in Python is written into the home first, as `stream/NAME.yaml` with its arrays and rules beside
    it. So `selfnas verify --deep --base HOME/stream` and `selfnas run HOME/stream/NAME.yaml` know all that it is
    made of.

    Args:
        stream: a stream file, the name of a shipped stream, or a `Stream`.
        home: directory of the life; made when missing.
        seed: of the run; stands in for the stream's.
        settings: `key=value` each, as `--set` of the command line.
        workers: worker processes; None takes one per core. They change no event.
        device: torch device for training: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        executor: who trains: `local` worker processes; with the extra `ray` also `ray`, a cluster that is started on
            this machine, or `ray:HOST:PORT`, one that is there. It changes no event.
        accept_set: the beginning of the digest of another constraint set that the life goes on under.
        observer: told of progress; a `RunObserver` of the whole run too.
        method: how worker processes start, as `multiprocessing` names it; None chooses.

    Returns:
        The life, for reading.

    Raises:
        InputError: the stream, something it names, the home or the device cannot be used.
        LedgerError: an event could not be written, or the ledger is damaged.
        KeyboardInterrupt: Ctrl-C was pressed; what was finished is kept.

    Example:
        >>> life = run("quickstart", "lives/first")  # doctest: +SKIP
        >>> life.tasks[["task", "test"]]  # doctest: +SKIP
    """
    place = Path(home)
    path = stream.write(Home(place).stream) if isinstance(stream, Stream) else stream_path(Path(stream))
    document = read_stream(path, overrides=[*settings, *([f"seed={seed}"] if seed is not None else [])])

    def prepared(checks: Callable[[str], None]) -> Prepared:
        from agent.life.preparation import prepare

        return prepare(document, on_task=checks)

    means = _Means(workers=workers, device=device, executor=executor, observer=observer, method=method)
    _lived(place, prepared, means, accept_set=accept_set)
    return Life(place, base=stream_folder(path))


def continue_task(
    home: str | Path,
    task: str,
    *,
    evaluations: int = 0,
    full_trainings: int | None = None,
    base: str | Path = "",
    workers: int | None = 1,
    device: str = "cpu",
    executor: str = "local",
    observer: Observer | None = None,
    method: str | None = None,
) -> Life:
    """Give a finished task more budget: a run of its own that goes on with all that was certified and scored.

    Under the constraint set, the suite and the settings that it was lived under. One that was cut off goes on where it
    stopped, whether the budget is named again or not.

    Args:
        home: directory of the life.
        task: name of a finished task; its latest run counts.
        evaluations: further trainings at low fidelity.
        full_trainings: further full trainings; None takes as many as the task had.
        base: directory that relative paths of data start from, that of the stream file.
        workers: worker processes; None takes one per core. They change no event.
        device: torch device for training: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        executor: who trains: `local` worker processes; with the extra `ray` also `ray`, a cluster that is started on
            this machine, or `ray:HOST:PORT`, one that is there. It changes no event.
        observer: told of progress; a `RunObserver` of the whole run too.
        method: how worker processes start, as `multiprocessing` names it; None chooses.

    Returns:
        The life, for reading.

    Raises:
        InputError: there is no such finished task, or it cannot go on (`agent.life.continuing`).
        LedgerError: an event could not be written, or the ledger is damaged.
        KeyboardInterrupt: Ctrl-C was pressed; what was finished is kept.

    Example:
        >>> continue_task("lives/first", "digits", evaluations=16).tasks  # doctest: +SKIP
    """
    place, folder = Path(home), Path(base)

    def prepared(checks: Callable[[str], None]) -> Prepared:
        from agent.life.continuing import More, prepared_continuation

        more = More(evaluations=evaluations, full_trainings=full_trainings)
        with reading(place) as ledger, of_life(ledger):
            return prepared_continuation(replay(ledger), Home(place), task, more, base=folder, on_task=checks)

    _lived(place, prepared, _Means(workers=workers, device=device, executor=executor, observer=observer, method=method))
    return Life(place, base=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """With what a run is lived; see `run`."""

    workers: int | None
    device: str
    executor: str
    observer: Observer | None
    method: str | None


def _lived(
    home: Path, make: Callable[[Callable[[str], None]], Prepared], means: _Means, *, accept_set: str = ""
) -> None:
    """Prepare while the workers warm up, hold the home, live; `make` is handed what is told each task to be checked."""
    observer = means.observer or Unobserved()
    watching = observer if isinstance(observer, RunObserver) else _Partly(observer)
    with ExitStack() as opened:
        opened.enter_context(interrupt.listening())
        named = executor_named(means.executor, workers=means.workers, device=means.device, method=means.method)
        executor = opened.enter_context(closing(named))
        executor.warm_up()
        # Imported while the workers import the same.
        from agent.life.life import Life as Living
        from agent.workers.device import chosen_device

        def checks(task: str) -> None:
            interrupt.check()
            watching.checks(task)

        prepared, chosen = make(checks), chosen_device(means.device)
        opened.enter_context(in_force(*prepared.plugins))
        held = opened.enter_context(hold(home))
        ledger = opened.enter_context(Ledger(held.ledger, clock=time.time))
        living = Living(ledger, prepared, executor, home=held, device=chosen, observer=watching)
        opened.callback(living.state.close)
        living.check_resumable(accept_set=accept_set)
        begun = Begun(
            home=held, ledger=ledger, prepared=prepared, state=living.state, workers=executor.capacity, work=living.work
        )
        watching.run_begins(begun)
        watching.run_ends(begun, living.run())


class _Partly:
    """Makes a `RunObserver` of an `Observer`, which hears nothing of what surrounds the tasks."""

    def __init__(self, observer: Observer) -> None:
        self.task_begins, self.advanced, self.task_ends = observer.task_begins, observer.advanced, observer.task_ends

    def checks(self, task: str) -> None:
        """Nothing."""

    def run_begins(self, begun: Begun) -> None:
        """Nothing."""

    def run_ends(self, begun: Begun, run: RunState) -> None:
        """Nothing."""
