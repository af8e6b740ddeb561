"""What a person sees of `selfnas run`, and what is written beside the life: pictures and MLflow records."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from agent.commands.console import (
    ConsoleObserver,
    guard_table,
    policy_sentence,
    results_table,
    show_limits,
    show_rivals,
    show_robustness,
    show_shortfalls,
    show_spent,
    where_next,
)
from agent.commands.heartbeat import Heartbeat, json_line, printed
from agent.gate.superseded import suite_sentence
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.mirror.keys import task_key, task_keys
from agent.state.agreement import ENOUGH, agreement_sentence
from agent.state.saturation import saturation_sentence
from agent.state.state import LifeState, RunState, TaskState
from agent.workers import interrupt

if TYPE_CHECKING:
    from rich.status import Status

    from agent.api.running import Begun
    from agent.life.context import PreparedTask
    from agent.life.observer import Observer
    from audits import Suite

_MOST_READINGS = 20
_PATIENCE = 2  # tasks in a row that MLflow would not take; then it is left alone for the rest of the run

__all__ = ["Terminal", "readings"]


def readings(tasks: Sequence[PreparedTask]) -> Iterator[str]:
    """A line for each task that says how its data were read; of many tasks the first ones."""
    told = [task for task in tasks if task.reading]
    yield from (f"task {task.spec.name}: {task.reading}" for task in told[:_MOST_READINGS])
    if len(told) > _MOST_READINGS:
        yield f"… and {len(told) - _MOST_READINGS:,} tasks more"


class Terminal:
    """Tells a person about a run; an `agent.api.running.RunObserver`. Use as a context manager around the run.

    Args:
        home: as the person named it.
        mirror: whether finished tasks go to MLflow.
        heartbeat: seconds between two lines of a log that say where the run is; 0 for none.
        as_json: whether lines for machines are printed, and what is for people goes to the error stream.
    """

    def __init__(self, home: Path, *, mirror: bool, heartbeat: float = 0.0, as_json: bool = False) -> None:
        self._home, self._mirror, self._every, self._as_json = home, mirror, heartbeat, as_json
        self._console = Console(stderr=as_json)
        self._left = ExitStack()  # what is to be stopped when the run is left, however that comes
        self._status: Status | None = None
        self._after: _AfterTask | None = None
        self._progress: ConsoleObserver | None = None
        self._heart: Heartbeat | None = None
        self._began = 0.0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.__exit__(kind, error, trace)

    def checks(self, task: str) -> None:
        """Show which task is checked."""
        if self._status is None:
            self._status = self._left.enter_context(self._console.status("checking the stream"))
        self._status.update(f"checking task {task}")

    def run_begins(self, begun: Begun) -> None:
        """Say what the agent knows already, and begin with the bars."""
        if self._status is not None:
            self._status.stop()
        state, prepared = begun.state, begun.prepared
        if resumed := state.open_run:
            self._console.print(f"going on with run {resumed.number}, cut off in task {len(resumed.tasks)}")
        elif known := len(state.library):
            told = f"this agent remembers {known} admitted architecture(s) of {len(state.runs)} run(s)"
            self._console.print(told)
        suite, policy = prepared.suite, prepared.stream.policy
        for line in readings(prepared.tasks):
            self._console.print(line, markup=False, highlight=False)
        from agent.life.estimate import estimates  # loaded with the life, once the run is prepared

        for estimate in estimates(prepared):
            self._console.print(str(estimate), markup=False, highlight=False)
        for notice in prepared.notices:
            self._console.print(notice, style="yellow", markup=False, highlight=False)
        if sentence := suite_sentence(state, str(self._home), name=suite.name, digest=suite.digest):
            self._console.print(sentence, style="yellow", markup=False)
        self._after = self._left.enter_context(_AfterTask(begun.home, begun.ledger, suite, mirror=self._mirror))
        progress = ConsoleObserver(
            self._console,
            names=[task.spec.name for task in prepared.tasks],
            steps_per_task=prepared.stream.budget.evaluations + policy.finalists_per_task + 1,
            after_task=self._after,
        )
        self._began, self._progress = time.monotonic(), self._left.enter_context(progress)
        self._heart = self._left.enter_context(self._heartbeat(begun))

    def _heartbeat(self, begun: Begun) -> Heartbeat:
        stream, state = begun.prepared.stream, begun.state
        number = state.open_run.number if state.open_run else len(state.runs) + 1
        if self._as_json:
            printed(json_line("run begins", run=number, tasks=[task.spec.name for task in begun.prepared.tasks]))
        return Heartbeat(
            begun.home.root,
            run=number,
            tasks=len(begun.prepared.tasks),
            steps=stream.budget.evaluations + stream.policy.finalists_per_task + 1,
            workers=begun.workers,
            work=begun.work,
            every=self._every,
            tell=None if self._console.is_terminal else self._tell,
            as_json=printed if self._as_json else None,
        )

    def _tell(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _followers(self) -> Iterator[Observer]:
        """Who is told of progress, once the run has begun."""
        if self._progress is not None:
            yield self._progress
        if self._heart is not None:
            yield self._heart

    def task_begins(self, task: TaskState, *, steps: int) -> None:
        """Show its bar."""
        for one in self._followers():
            one.task_begins(task, steps=steps)

    def advanced(self, task: TaskState, *, steps: int) -> None:
        """Move the bars."""
        for one in self._followers():
            one.advanced(task, steps=steps)

    def task_ends(self, run: RunState, task: TaskState) -> None:
        """Print its line; pictures and MLflow records follow on a thread of their own."""
        for one in self._followers():
            one.task_ends(run, task)
        most = run.started.record.budget.evaluations
        if len(task.trials) < most and not (task.exhausted or task.tabular):
            told = saturation_sentence(task.evaluations, most)
            self._console.print(f"{task.name}: {told}", markup=False, highlight=False)
        for found in task.agreements:
            if found.correlation < ENOUGH:
                self._console.print(f"{task.name}: {agreement_sentence(found)}", markup=False, highlight=False)

    def run_ends(self, begun: Begun, run: RunState) -> None:
        """Print what was found, and where to look on."""
        lived, console, state = time.monotonic() - self._began, self._console, begun.state
        assert self._progress is not None and self._after is not None  # noqa: S101, PT018 - the run began
        self._progress.stop()
        if self._heart is not None:
            self._heart.stop()
        with console.status("writing pictures and MLflow records"):
            self._after.wait(state)
        if state.quarantined:
            console.print(f"{len(state.quarantined)} motif(s) are quarantined by the constraint set in force")
        for change in state.policy_changes:
            if change.run == run.number:
                console.print(policy_sentence(change))
        console.print(results_table(run), guard_table(run))
        show_rivals(run, console=console)
        show_limits(run, console=console)
        show_robustness(run, console=console)
        show_spent(run, console=console)
        show_shortfalls(run, console=console)
        console.print(begun.work.sentence(lived, workers=begun.workers))
        where_next(self._home, console=console)
        self._after.tell(console)
        if self._as_json:
            printed(json_line("run ends", run=run.number, seconds=round(lived, 1), admitted=len(state.library)))


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
        from agent.mirror.writer import Mirror, tracking_uri, without_password

        self._uri = tracking_uri()
        try:
            written = Mirror(self._uri).write(self._home, run, task, suite=self._suite, key=key)
        except Exception as error:  # noqa: BLE001 - MLflow is a mirror; that it is down must not stop a life
            logging.getLogger(__name__).warning(
                "%s", without_password(f"MLflow cannot be reached at {self._uri}: {error}")
            )
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
            from agent.mirror.writer import without_password

            console.print(f"MLflow records: {without_password(self._uri)}")
