"""A home whose latest run left many finalists, made of the events of a recorded life; for what handles many at once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from agent.gate.review import finalists
from agent.ledger.events import (
    UNSET,
    Admitted,
    Certified,
    Facts,
    Refused,
    RunFinished,
    TaskFinished,
    TaskStarted,
)
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger
from agent.state.state import Finalist, LifeState, RunState, TaskState, replay
from selfnas.errors import InputError
from selfnas.spaces.named import parse_architecture

__all__ = ["crowd"]

_TASKS = 4
_SHARED = 10  # of so many finalists two have the same weights


def crowd(home: Path, count: int) -> None:
    """Append a run of four tasks with `count` finalists in all, every fourth of them refused.

    Verdicts, findings and figures are those of recorded finalists; architectures are the first ones of the space, and
    weights are files that hold no network.

    Raises:
        InputError: the life has no finalist of a run that is neither a table's nor a continued one.
    """
    with hold(home) as held, Ledger(held.ledger, clock=time.time) as ledger:
        state = replay(ledger)
        ledger.append(list(_run(held, state, _models(state), count)))


def _models(state: LifeState) -> list[tuple[RunState, TaskState, Finalist]]:
    found = [
        (run, task, one)
        for run, task, one in finalists(state)
        if one.audited and one.trained.weights_sha256 and run.started.continues is UNSET
    ]
    if not found:
        raise InputError("the life has no finalist that could be repeated")
    return found


def _run(
    home: Home, state: LifeState, models: list[tuple[RunState, TaskState, Finalist]], count: int
) -> Iterator[Facts]:
    run, model, _ = models[0]
    number = len(state.runs) + 1
    in_force = state.runs[-1].started
    yield structs.replace(
        run.started, run=number, constraint_set=in_force.constraint_set,
        constraint_set_digest=in_force.constraint_set_digest,
    )  # fmt: skip
    space = parse_architecture(models[0][2].architecture).space
    macro = parse_architecture(models[0][2].architecture).macro
    drawn = iter(space.enumerate())
    known: set[str] = set()
    for task in range(_TASKS):
        name = f"crowd-{task + 1}"
        begun = structs.replace(model.started, run=number, task=name, recalled=[], continues=UNSET, space=UNSET)
        yield begun
        for place in range(task, count, _TASKS):
            architecture = space.decode(next(drawn), macro=macro)
            while architecture.digest in known:
                architecture = space.decode(next(drawn), macro=macro)
            known.add(architecture.digest)
            yield from _finalist(
                home, models[place % len(models)], begun, str(architecture), architecture.digest, place
            )
        yield TaskFinished(run=number, task=name, winner=None, evaluations=0, full_trainings=0)
    yield RunFinished(tasks=_TASKS)


def _finalist(
    home: Home,
    model: tuple[RunState, TaskState, Finalist],
    begun: TaskStarted,
    architecture: str,
    digest: str,
    place: int,
) -> Iterator[Facts]:
    _, held, original = model
    weights = f"weights of finalist {place // _SHARED * _SHARED if place % _SHARED == 1 else place}".encode()
    sha256 = hashlib.sha256(weights).hexdigest()
    home.weights_file(sha256).write_bytes(weights)
    certificate = held.certificates[original.architecture]
    named = {"architecture": architecture, "digest": digest}
    yield Certified(**named, certificate=certificate)
    yield structs.replace(original.trained, task=begun.task, weights_sha256=sha256, **named)
    assert original.audited is not None  # noqa: S101 - only audited ones are models
    yield structs.replace(original.audited, task=begun.task, **named)
    if place % _TASKS == _TASKS - 1:
        yield Refused(task=begun.task, **named, decision="reject", reasons=["made up: refused"])
        return
    trained = original.trained
    yield Admitted(
        task=begun.task, task_digest=begun.task_digest, **named, validation=trained.validation, test=trained.test,
        params=trained.params, certificate=certificate, weights_sha256=sha256, metric=trained.metric,
    )  # fmt: skip
