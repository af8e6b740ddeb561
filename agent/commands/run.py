"""`selfnas run`: prepare, live, tell."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from agent.commands.console import ConsoleObserver, guard_table, policy_sentence, results_table, where_next
from agent.gate.superseded import suite_sentence
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.mirror.keys import task_key, task_keys
from agent.state.state import LifeState, RunState, TaskState
from agent.stream.file import read_stream
from agent.workers import interrupt
from agent.workers.pool import Workers

if TYPE_CHECKING:
    from audits import Suite

_PATIENCE = 2  # tasks in a row that MLflow would not take; then it is left alone for the rest of the run

__all__ = ["chosen_device", "live"]


def live(
    stream: Path,
    *,
    home: Path,
    overrides: Sequence[str],
    workers: int | None,
    device: str,
    mirror: bool,
    accept_set: str,
    method: str | None = None,
) -> None:
    """Live through a stream on a home, with progress on the terminal; `method` starts workers, see `Workers`.

    Raises:
        InputError: the stream, something it names, the home or the device cannot be used.
    """
    console = Console()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    document = read_stream(stream, overrides=overrides)
    count = workers or len(os.sched_getaffinity(0))
    with interrupt.listening(), Workers(count, method=method) as pool:
        pool.warm_up()
        from agent.life.life import Life
        from agent.life.preparation import prepare

        with console.status("checking the stream") as status:

            def on_task(name: str) -> None:
                interrupt.check()
                status.update(f"checking task {name}")

            prepared = prepare(document, on_task=on_task)
            chosen = chosen_device(device)
        with (
            hold(home) as held,
            Ledger(held.ledger, clock=time.time) as ledger,
            _AfterTask(held, ledger, prepared.suite, mirror=mirror) as after,
        ):
            policy = prepared.stream.policy
            observer = ConsoleObserver(
                console,
                names=[task.spec.name for task in prepared.tasks],
                steps_per_task=prepared.stream.budget.evaluations + policy.finalists_per_task + 1,
                after_task=after,
            )
            life = Life(ledger, prepared, pool, home=held, device=chosen, observer=observer)
            life.check_resumable(accept_set=accept_set)
            resumed, known = life.state.open_run, len(life.state.library)
            if resumed:
                console.print(f"going on with run {resumed.number}, cut off in task {len(resumed.tasks)}")
            elif known:
                console.print(f"this agent remembers {known} admitted architecture(s) of {len(life.state.runs)} run(s)")
            suite = prepared.suite
            if sentence := suite_sentence(life.state, str(home), name=suite.name, digest=suite.digest):
                console.print(sentence, style="yellow", markup=False)
            began = time.monotonic()
            with observer:
                finished = life.run()
            lived = time.monotonic() - began
            with console.status("writing pictures and MLflow records"):
                after.wait(life.state)
            if life.state.quarantined:
                console.print(f"{len(life.state.quarantined)} motif(s) are quarantined by the constraint set in force")
            for change in life.state.policy_changes:
                if change.run == finished.number:
                    console.print(policy_sentence(change))
            console.print(results_table(finished), guard_table(finished))
            console.print(life.work.sentence(lived, workers=count))
            where_next(home, console=console)
            after.tell(console)


class _AfterTask:
    """Draws and mirrors finished tasks on a thread of its own, so that training goes on meanwhile.

    Use as a context manager: leaving it waits for what was begun, unless the life was interrupted.
    """

    def __init__(self, home: Home, ledger: Ledger, suite: Suite, *, mirror: bool) -> None:
        self._home, self._ledger, self._suite, self._wanted = home, ledger, suite, mirror
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mirror")
        self._written: list[Future[bool]] = []
        self._uri, self._failures = "", 0

    def __enter__(self) -> _AfterTask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def __call__(self, run: RunState, task: TaskState) -> None:
        """Begin with one finished task; its state does not change any more."""
        key = task_key(self._ledger, run, task)
        self._written.append(self._thread.submit(self._record, run, task, key))

    def _record(self, run: RunState, task: TaskState, key: str) -> bool:
        from agent.report.task_pictures import draw_task

        try:
            draw_task(task, self._home.pictures(run.number, task.name))
        except OSError as error:  # pictures can be redrawn; a life goes on without them
            logging.getLogger(__name__).warning("pictures of task %s cannot be written: %s", task.name, error)
        if not self._wanted:
            return True
        if self._failures >= _PATIENCE:
            return False
        from agent.mirror.writer import Mirror, tracking_uri

        self._uri = tracking_uri()
        try:
            written = Mirror(self._uri).write(self._home, run, task, suite=self._suite, key=key)
        except Exception as error:  # noqa: BLE001 - MLflow is a mirror; that it is down must not stop a life
            logging.getLogger(__name__).warning("MLflow cannot be reached at %s: %s", self._uri, error)
            written = False
        self._failures = 0 if written else self._failures + 1
        return written

    def wait(self, state: LifeState) -> None:
        """Until everything begun is written, and the standing of motifs with it."""
        pending: set[Future[bool]] = set(self._written)
        while pending:
            interrupt.check()
            _, pending = wait(pending, timeout=0.2)
        if self._uri and all(written.result() for written in self._written):
            from agent.mirror.writer import Mirror

            keys, done = task_keys(self._ledger, state), Future[bool]()
            times = self._ledger.times_of(state.reviews())
            done.set_result(Mirror(self._uri).write_standing(self._home, state, keys=keys, times=times))
            self._written.append(done)

    def tell(self, console: Console) -> None:
        """Say where the mirror is, or that it lacks something."""
        missing = sum(not written.result() for written in self._written)
        if missing:
            console.print(f"{missing} task(s) are not in MLflow yet; `selfnas mirror` writes them")
        elif self._uri:
            console.print(f"MLflow records: {self._uri}")


def chosen_device(name: str) -> str:
    """The torch device of a name; `auto` prefers CUDA. Raises `InputError` for one that cannot be used here."""
    import torch

    from selfnas.errors import InputError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device {name}: cannot be used here: {first}") from error
    return name
