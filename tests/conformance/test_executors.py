"""What every executor must do, wherever it has jobs done; and that each way to fail at it is noticed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from agent import testing
from agent.ledger.home import SurroundingsError
from agent.testing import check_executor, practise
from agent.workers import interrupt
from agent.workers.executor import DIED, WorkerDied, untold
from agent.workers.jobs import DataChangedError
from agent.workers.pool import Workers
from selfnas.errors import SelfnasError
from selfnas.testing.promises import ConformanceError

PATIENCE = 1.0  # of jobs that wait in vain, in this process


class Dead(BaseException):
    """Ends the thread that stands for a worker."""


class Threads:
    """Has jobs done by threads of this process; breaks one promise, or none."""

    def __init__(self, how: str = "") -> None:
        self.how = how
        self._threads = ThreadPoolExecutor(1 if how == "one after the other" else 2)
        self._expected: dict[str, Future[str]] = {}
        self._late: list[str | WorkerDied] = []

    @property
    def capacity(self) -> int:
        """Of the threads, or what it boasts of."""
        return 0 if self.how == "idle" else 2

    def warm_up(self) -> None:
        """Threads are warm."""

    def expect(self, jobs: Sequence[str]) -> None:
        """Begun, or forgotten."""
        for job in jobs:
            begun = self._threads.submit(practise, job)
            if self.how != "forgetful":
                self._expected[job] = begun

    def answers(self, jobs: Sequence[str], *, on_done: Callable[[], None] = untold) -> list[str | WorkerDied]:
        """Each tried twice."""
        begun = [self._expected.pop(job, None) or self._threads.submit(practise, job) for job in jobs]
        finished: list[str | WorkerDied] = []
        told: list[str | WorkerDied] = []
        for job, future in zip(jobs, begun, strict=True):
            told.append(self._answer(job, future))
            if self.how != "silent":
                on_done()
            if self.how == "talkative":
                on_done()
        finished = told
        match self.how:
            case "late" if len(told) > 2:
                finished, self._late = [*self._late, *told][: len(told)], told[-1:]
            case "doubled" if len(told) > 2:
                finished = [told[0], *told[:-1]]
            case "altered" if told:
                finished = [str(told[0]).replace("a", "b"), *told[1:]]
            case "missing":
                finished = told[1:]
            case "sorted":
                finished = sorted(told, key=str)
            case "once for equal ones":
                finished = [told[jobs.index(job)] for job in dict.fromkeys(jobs)]
        return finished

    def _answer(self, job: str, future: Future[str]) -> str | WorkerDied:
        tries = 1 if self.how == "impatient" else 2
        for attempt in range(tries):
            try:
                return self._patiently(future)
            except Dead:
                if self.how == "spoilt by a death":
                    self.how = "spoiling"
                future = self._threads.submit(practise, job) if attempt + 1 < tries else future
            except SelfnasError as error:
                if self.how == "answers for its surroundings":
                    return json.dumps({"reason": str(error)})
                if self.how == "confuses errors":
                    other = DataChangedError if isinstance(error, SurroundingsError) else SurroundingsError
                    raise other(str(error)) from error
                if self.how == "ends in trouble":
                    self.how = "missing"
                raise
        return "" if self.how == "hides deaths" else WorkerDied("it died" if self.how == "own words" else DIED)

    def _patiently(self, future: Future[str]) -> str:
        if self.how == "spoiling":
            raise Dead
        while not future.done():
            if self.how != "deaf":
                interrupt.check()
            threading.Event().wait(0.01)
        return future.result()

    def close(self) -> None:
        """What is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that dies takes nothing with it."""

    def die() -> None:
        raise Dead

    monkeypatch.setattr(testing, "die", die)


def test_an_executor_that_keeps_every_promise_passes(mortal: None, tmp_path: Path) -> None:
    """The one whose bad relatives follow."""
    check_executor(Threads(), tmp_path, patience=20)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_processes_of_this_machine_keep_every_promise(count: int, tmp_path: Path) -> None:
    """One of them and two."""
    check_executor(Workers(count, work=practise), tmp_path)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("idle", "0 jobs at a time"),
        ("late", "to 'order-"),
        ("doubled", "answers come in the order"),
        ("altered", "answers come in the order"),
        ("missing", "jobs got"),
        ("sorted", "order"),
        ("once for equal ones", "4 jobs got 2 answers"),
        ("silent", "told of 0 times"),
        ("talkative", "were told of"),
        ("forgetful", "computed once"),
        ("one after the other", "a straggler holds nobody back"),
        ("impatient", "costs another job its answer"),
        ("hides deaths", "always die has an answer: ''"),
        ("own words", "not 'it died'"),
        ("spoilt by a death", "a death costs another job"),
        ("answers for its surroundings", "a StorageError was given as an answer"),
        ("ends in trouble", "jobs got"),
        ("deaf", "Ctrl-C"),
    ],
)
def test_a_broken_executor_is_found_out(how: str, message: str, mortal: None, tmp_path: Path) -> None:
    """Whatever promise it breaks."""
    with pytest.raises(ConformanceError, match=message):
        check_executor(Threads(how), tmp_path, patience=PATIENCE)


def test_one_error_taken_for_another_is_found_out(mortal: None, tmp_path: Path) -> None:
    """A full disk is not a missing library: the error itself comes through."""
    with pytest.raises(SelfnasError, match="met trouble"):
        check_executor(Threads("confuses errors"), tmp_path, patience=PATIENCE)


def test_what_lacks_a_method_is_no_executor(tmp_path: Path) -> None:
    """It is told so before anything is asked."""
    with pytest.raises(ConformanceError, match="has not all that an executor has"):
        check_executor(object(), tmp_path)  # type: ignore[arg-type]
