"""A pool of worker processes that answers jobs in the order they were asked, whatever the number of workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from types import ModuleType, TracebackType

from agent.workers import interrupt
from agent.workers import process as worker
from agent.workers.executor import DIED, Work, WorkerDied, untold

__all__ = ["Workers", "cores"]


def cores() -> int:
    """How many processor cores this process may use; all that there are where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_LOOK_SECONDS = 0.2  # between two looks whether Ctrl-C was pressed


def _context(method: str | None) -> BaseContext:
    """How processes start: where it is safe, forked from one server that has done the heavy imports for all of them."""
    if method is not None:
        return multiprocessing.get_context(method)
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["agent.workers.process", *worker.HEAVY])
    return context


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started here do not see Ctrl-C, for their parent decides what to do.

    They inherit the mask, which unlike a handler holds from their first instruction on.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_script() -> Iterator[None]:
    """Processes started here do not import the program's own script, as Python would have them do.

    Their jobs are functions of ours. A script without `if __name__ == "__main__"` would begin its run once more.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _kill_server() -> None:
    """End the server that is still importing; the next pool starts another."""
    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)  # it has no public way to be ended
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # who starts the next one looks for its end, and reaps it


def _patiently(future: Future[str]) -> str:
    while not future.done():
        interrupt.check()
        wait([future], timeout=_LOOK_SECONDS)
    return future.result()


class Workers:
    """The executor of one machine. Use as a context manager; leaving it ends the processes at once.

    Args:
        count: number of processes.
        method: how they start, as `multiprocessing` names it; None chooses.
        work: what they do with a job.
    """

    def __init__(self, count: int, *, method: str | None = None, work: Work = worker.run_job) -> None:
        self._count, self._method, self._work = count, method, work
        self._starting: threading.Thread | None = None  # asks the first question of the present pool
        self._waits_for_server = False
        self._expected: dict[str, Future[str]] = {}  # by job what was begun before it is asked for
        self._pool = self._fresh_pool()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def capacity(self) -> int:
        """How many processes there are."""
        return self._count

    def warm_up(self) -> None:
        """Have the heavy imports begin now in another process, while the caller goes on with its own."""
        context = _context(self._method)
        if context.get_start_method() == "forkserver":
            # Asking for a worker would wait here until the server has imported everything.
            with _deaf(), _without_script():
                forkserver.ensure_running()
            return
        for _ in range(self._count):
            self._submit("")

    def expect(self, jobs: Sequence[str]) -> None:
        """Begin jobs whose answers will be asked for, in this order, while others are still waited for.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile.
        """
        for job in jobs:
            try:
                self._expected[job] = self._submit(job)
            except BrokenProcessPool:
                return  # who asks for them has the pool replaced

    def answers(self, jobs: Sequence[str], *, on_done: Callable[[], None] = untold) -> tuple[str | WorkerDied, ...]:
        """Answers to jobs, in the order of the jobs.

        A job whose process dies is tried once more on its own; a second death is its answer. Processes that died while
        nobody asked are replaced.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile.
        """
        answers: list[str | WorkerDied | None] = [None] * len(jobs)
        alone: list[int] = []
        futures: dict[Future[str], int] = {}
        for index, job in enumerate(jobs):
            try:
                begun = self._expected.pop(job) if job in self._expected else self._submit(job)
                futures[begun] = index
            except BrokenProcessPool:
                if futures:  # one of them broke it just now
                    alone.append(index)
                    continue
                self._replace_pool()
                futures[self._submit(job)] = index
        pending: set[Future[str]] = set(futures)
        while pending:
            interrupt.check()
            done, pending = wait(pending, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    answers[futures[future]] = future.result()
                    on_done()
                except BrokenProcessPool:
                    alone.append(futures[future])
        for index in sorted(alone):
            self._replace_pool()
            try:
                answers[index] = _patiently(self._submit(jobs[index]))
            except BrokenProcessPool:
                answers[index] = WorkerDied(DIED)
                self._replace_pool()
            on_done()
        return tuple(answer for answer in answers if answer is not None)

    def _submit(self, job: str) -> Future[str]:
        """Ask for an answer. The first one of a pool waits for a server's imports, and Ctrl-C ends that wait."""
        if self._starting is None and self._waits_for_server:
            asked: Future[Future[str]] = Future()

            def ask() -> None:
                try:
                    asked.set_result(self._ask(job))
                except BaseException as error:  # noqa: BLE001 - it is the asker's
                    asked.set_exception(error)

            self._starting = threading.Thread(target=ask, daemon=True)
            self._starting.start()
            while not asked.done():
                interrupt.check()
                wait([asked], timeout=_LOOK_SECONDS)
            self._starting.join()
            return asked.result()
        return self._ask(job)

    def _ask(self, job: str) -> Future[str]:
        with _deaf(), _without_script():
            return self._pool.submit(self._work, job)

    def _fresh_pool(self) -> ProcessPoolExecutor:
        context = _context(self._method)
        # Elsewhere the kernel would end workers together with the thread that started them (`agent.workers.lifetime`).
        self._waits_for_server = context.get_start_method() == "forkserver"
        self._starting = None
        return ProcessPoolExecutor(self._count, mp_context=context, initializer=worker.start)

    def _replace_pool(self) -> None:
        self._expected.clear()
        self.close()
        self._pool = self._fresh_pool()

    def close(self) -> None:
        """End the processes at once."""
        if self._starting is not None and self._starting.is_alive():
            _kill_server()  # nothing works yet: whoever waits for it is told, and asks no more
            self._starting.join()
        processes = list((self._pool._processes or {}).values())
        for process in processes:
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
