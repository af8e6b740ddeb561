"""What every executor promises, wherever it has jobs done, as a plain check that its tests call."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.ledger.home import StorageError, SurroundingsError
from agent.workers import interrupt
from agent.workers.executor import DIED, Executor, WorkerDied
from agent.workers.jobs import DataChangedError, PluginChangedError
from selfnas.errors import SelfnasError
from selfnas.testing.promises import promise

__all__ = ["check_executor", "practise"]

_TROUBLES: dict[str, type[SelfnasError]] = {
    kind.__name__: kind for kind in (StorageError, SurroundingsError, DataChangedError, PluginChangedError)
}
_ALWAYS = 99  # deaths; more than anybody tries a job


def practise(text: str) -> str:
    """Do one job of the check: the `work` that the executor under test must be made with.

    What it does is marked in files, so that the check sees it whatever process did it: a byte in `NAME.begun` for each
    beginning, and `NAME.done` at the end. A job may ask to wait for others, to die, or to meet trouble.

    Raises:
        StorageError: it was asked to, as with every other error of `Executor.answers`.
    """
    if not text:
        return ""
    job = json.loads(text)
    place, name = Path(job["place"]), str(job["name"])
    begun = place / f"{name}.begun"
    with begun.open("ab") as file:
        file.write(b".")
    if begun.stat().st_size <= job.get("deaths", 0):
        die()
    if trouble := job.get("trouble"):
        raise _TROUBLES[trouble](f"{name} met trouble")
    until = time.monotonic() + job.get("patience", 0.0)
    while not all((place / f"{other}.done").exists() for other in job.get("awaits", ())):
        if time.monotonic() > until:
            return json.dumps({"of": name, "in vain": True})
        time.sleep(0.01)
    (place / f"{name}.done").touch()
    return _answer(text)


def die() -> None:
    """End this process as a machine ends that loses its power."""
    os.kill(os.getpid(), signal.SIGKILL)


def check_executor(executor: Executor, place: Path, *, patience: float = 60.0) -> None:
    """Order, late, doubled, altered and missing answers, deaths, stragglers, trouble with surroundings, Ctrl-C, an end.

    Args:
        executor: made with `practise` as its work; it is closed afterwards.
        place: an empty directory that its workers can write in.
        patience: seconds that a job waits for others to be done beside it.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    promise(isinstance(executor, Executor), f"{type(executor).__name__} has not all that an executor has")
    promise(executor.capacity >= 1, f"it does {executor.capacity} jobs at a time")
    try:
        executor.warm_up()
        for check in (
            _gives_none_for_none,
            _keeps_the_order,
            _answers_equal_jobs_each,
            _leaves_nothing_for_later,
            _begins_what_is_expected_once,
            _survives_deaths,
            _raises_trouble,
            _hears_ctrl_c,
        ):
            check(executor, place, patience)
    finally:
        executor.close()
    executor.close()


def _job(place: Path, name: str, **wishes: object) -> str:
    return json.dumps({"name": name, "place": str(place), **wishes})


def _answer(text: str) -> str:
    return json.dumps({"of": json.loads(text)["name"], "sha256": hashlib.sha256(text.encode()).hexdigest()})


def _jobs(place: Path, check: str, count: int) -> list[str]:
    return [_job(place, f"{check}-{number}") for number in range(count)]


def _begun(place: Path, text: str) -> int:
    """How often a job was begun."""
    path = place / f"{json.loads(text)['name']}.begun"
    return path.stat().st_size if path.exists() else 0


def _asked(executor: Executor, jobs: Sequence[str]) -> list[str | WorkerDied]:
    """The answers, of which there is one for each job, told of once."""
    told = 0

    def on_done() -> None:
        nonlocal told
        told += 1

    answers = list(executor.answers(jobs, on_done=on_done))
    promise(len(answers) == len(jobs), f"{len(jobs)} jobs got {len(answers)} answers")
    promise(told == len(jobs), f"{len(jobs)} answers were told of {told} times")
    return answers


def _check_right(executor: Executor, jobs: Sequence[str], what: str) -> None:
    for job, answer in zip(jobs, _asked(executor, jobs), strict=True):
        promise(answer == _answer(job), f"{what}: to {json.loads(job)['name']!r} it was answered {str(answer)[:200]!r}")


def _gives_none_for_none(executor: Executor, place: Path, patience: float) -> None:
    promise(not list(executor.answers([])), "no job got an answer")


def _keeps_the_order(executor: Executor, place: Path, patience: float) -> None:
    jobs = _jobs(place, "order", 2 * executor.capacity + 3)
    if executor.capacity > 1:  # the first asked is the last done
        jobs[0] = _job(place, "order-0", awaits=[f"order-{n}" for n in range(1, len(jobs))], patience=patience)
    _check_right(executor, jobs, "answers come in the order of the jobs, and a straggler holds nobody back")
    _check_right(executor, jobs[::-1], "asked the other way round, they come that way round")
    for job in jobs[1:3]:
        _check_right(executor, [job], "asked alone, a job is answered as among others")


def _answers_equal_jobs_each(executor: Executor, place: Path, patience: float) -> None:
    one, other = _jobs(place, "equal", 2)
    _check_right(executor, [one, other, one, one], "equal jobs have an answer each")


def _leaves_nothing_for_later(executor: Executor, place: Path, patience: float) -> None:
    first, second = _jobs(place, "early", 3), _jobs(place, "late", 3)
    _check_right(executor, first, "a question is answered")
    _check_right(executor, second, "no answer of an earlier question is taken for one of this")


def _begins_what_is_expected_once(executor: Executor, place: Path, patience: float) -> None:
    expected, others = _jobs(place, "expected", 3), _jobs(place, "unexpected", 2)
    executor.expect(expected)
    _check_right(executor, [others[0], expected[2], expected[0]], "what was expected is answered when it is asked for")
    for job in (expected[0], expected[2]):
        times = _begun(place, job)
        promise(times == 1, f"what is expected is computed once: a job was begun {times} times")
    _check_right(executor, [others[1]], "what was expected and never asked for is nobody else's answer")
    _check_right(executor, [expected[0]], "what was asked for once can be asked for again")


def _survives_deaths(executor: Executor, place: Path, patience: float) -> None:
    good = _jobs(place, "beside", 3)
    once, always = _job(place, "dies-once", deaths=1), _job(place, "dies-always", deaths=_ALWAYS)
    jobs = [good[0], once, good[1], always, good[2]]
    answers = _asked(executor, jobs)
    for job, answer in zip(jobs, answers, strict=True):
        if job == always:
            promise(isinstance(answer, WorkerDied), f"a job on which workers always die has an answer: {answer!r}")
            promise(str(answer) == DIED, f"what stands in the ledger of a death is {DIED!r}, not {str(answer)!r}")
            promise(_begun(place, job) < _ALWAYS, "a job on which workers always die is tried without end")
        else:
            promise(answer == _answer(job), f"a death costs another job its answer: {str(answer)[:200]!r}")
    _check_right(executor, _jobs(place, "after-deaths", 3), "workers that died are replaced")
    executor.expect([_job(place, "dies-unasked", deaths=1)])
    _check_right(executor, [_job(place, "dies-unasked", deaths=1)], "a death while nobody asks costs nothing")


def _raises_trouble(executor: Executor, place: Path, patience: float) -> None:
    for name, kind in _TROUBLES.items():
        good = _jobs(place, f"beside-{name}", 1)
        try:
            answers: object = executor.answers([*good, _job(place, f"meets-{name}", trouble=name)])
        except kind as error:
            promise(f"meets-{name} met trouble" in str(error), f"the {name} does not say what was met: {error}")
        else:
            promise(False, f"a {name} was given as an answer: {answers!r}")
        _check_right(executor, _jobs(place, f"after-{name}", 2), f"after a {name} it answers again")


def _hears_ctrl_c(executor: Executor, place: Path, patience: float) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # no other thread hears it
    endless = _job(place, "endless", awaits=["never"], patience=patience)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    heard = _interrupted(lambda: executor.answers([endless]), timer)
    promise(heard, "Ctrl-C did not end the wait for an answer")


def _interrupted(wait: Callable[[], object], timer: threading.Timer) -> bool:
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # as shells start what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupt.listening():
            timer.start()
            wait()
    except KeyboardInterrupt:
        return True
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    return False
