"""What a run recorded of the files it was lived under, read again: stream, tasks, constraint set, audit suite."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from agent.ledger.events import LedgerError
from agent.ledger.home import Home
from agent.state.state import RunState, TaskState
from agent.stream.file import Stream
from audits import Suite, parse_suite
from constraints import ConstraintSet, parse_set
from selfnas import plugins
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.errors import InputError

__all__ = [
    "data_folder",
    "recorded_set",
    "recorded_spec",
    "recorded_stream",
    "recorded_suite",
    "recorded_task",
    "suite_of",
]

_NAME = "recorded.yaml"  # in messages


def recorded_set(text: str) -> ConstraintSet:
    """A constraint set from its recorded text.

    Raises:
        InputError: the text is not a set that this release reads.
        MissingPluginError: it uses a plug-in that is not here as it was.
    """
    return _set(text, plugins.state())


@lru_cache(maxsize=64)
def _set(text: str, plugins_in_force: tuple[object, ...]) -> ConstraintSet:
    return parse_set(text, name=_NAME)


def recorded_suite(text: str) -> Suite:
    """An audit suite from its recorded text.

    Raises:
        InputError: the text is not a suite that this release reads.
        MissingPluginError: it uses a plug-in that is not here as it was.
    """
    return _suite(text, plugins.state())


@lru_cache(maxsize=64)
def _suite(text: str, plugins_in_force: tuple[object, ...]) -> Suite:
    return parse_suite(text, name=_NAME)


def suite_of(run: RunState) -> Suite:
    """The suite that a run was lived under.

    Raises:
        InputError: as `recorded_suite`.
    """
    return recorded_suite(run.started.audit_suite.text)


def recorded_stream(run: RunState) -> Stream:
    """The stream of a run.

    Raises:
        LedgerError: it is none that this release reads.
    """
    try:
        return Stream.model_validate_json(json.dumps(run.started.stream))
    except ValidationError as error:
        raise LedgerError(f"the stream of run {run.number} cannot be read: {_first(error)}") from error


def recorded_spec(run: RunState, task: TaskState) -> TaskSpec:
    """A task as the stream of its run stated it.

    Raises:
        LedgerError: the stream has no such task, or states it in no way that this release reads.
    """
    specs = run.started.stream["tasks"]
    if task.index >= len(specs):
        raise LedgerError(f"the stream of run {run.number} has no task number {task.index + 1}, {task.name}")
    try:
        return TaskSpec.model_validate_json(json.dumps(specs[task.index]))
    except ValidationError as error:
        raise LedgerError(f"task {task.name} of run {run.number} cannot be read: {_first(error)}") from error


def recorded_task(run: RunState, task: TaskState, *, home: Home, base: Path) -> Task:
    """A task of a run with its data, which must be those that the ledger names.

    Args:
        home: of the life; data that a Python program had written there are found in any case.
        base: directory that relative paths of data start from.

    Raises:
        InputError: the data are missing, unreadable, or were changed since.
        LedgerError: as `recorded_spec`.
    """
    spec = recorded_spec(run, task)
    loaded = load_task(spec, base=data_folder(spec, home=home, base=base))
    if loaded.digest != task.started.task_digest:
        raise InputError(f"task {task.name!r}: its data are not those that the ledger records")
    return loaded


def data_folder(spec: TaskSpec, *, home: Home, base: Path) -> Path:
    """Where the path of a task starts from: in the home, if a Python program had its data written there."""
    own = home.stream
    return own if spec.path is not None and (own / spec.path).is_file() else base


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
