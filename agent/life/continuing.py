"""More budget for a finished task: a run of that task alone, under the rules it was lived under, with all it knows.

Such a run says whose task it goes on with. What was certified and scored there counts here, and nothing is computed a
second time; finalists are drawn from both. Everything else is what the ledger records of the earlier run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.ledger.events import UNSET
from agent.ledger.home import Home
from agent.life.context import Prepared
from agent.life.preparation import prepare
from agent.state.plugins import changed
from agent.state.recorded import data_folder, recorded_set, recorded_spec, recorded_stream, recorded_suite
from agent.state.saturation import saturation_sentence
from agent.state.state import LifeState, RunState, TaskState
from agent.stream.file import Stream
from selfnas.documents import Document
from selfnas.errors import InputError, suggestion

__all__ = ["More", "prepared_continuation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """What a finished task gets on top.

    Attributes:
        evaluations: further trainings at low fidelity.
        full_trainings: further full trainings; None takes as many as the task had.
    """

    evaluations: int = 0
    full_trainings: int | None = None

    def __post_init__(self) -> None:
        if self.evaluations < 0 or (self.full_trainings or 0) < 0:
            raise InputError("a budget can only grow: say how much is added, such as --evaluations +16")

    @property
    def anything(self) -> bool:
        """Whether something was asked for."""
        return bool(self.evaluations or self.full_trainings)


def prepared_continuation(
    state: LifeState,
    home: Home,
    task: str,
    more: More,
    *,
    base: Path,
    on_task: Callable[[str], None] = lambda name: None,
) -> Prepared:
    """The stream of one task as it was recorded, with a larger budget; or of the continuation that was cut off.

    Args:
        state: of the life.
        home: of the life.
        task: name of a finished task; its latest run counts.
        more: what is added; where a continuation was cut off, either the same or nothing.
        base: directory that relative paths of data start from.
        on_task: told its name before its data are loaded.

    Raises:
        InputError: there is no such finished task, or it cannot go on: another constraint set or suite is in force, its
            data or its device were changed, it is a table, or nothing was left to propose.
    """
    cut_off = state.open_run
    if cut_off is not None:
        number, stream = _cut_off(state, cut_off, task, more)
    else:
        run, held = _latest(state, task)
        number, stream = run.number, _extended(run, held, more)
        _check_in_force(state, run)
    run = state.runs[number - 1]
    folder = data_folder(stream.tasks[0], home=home, base=base)
    document = Document(stream, str(folder / "continued.yaml"), {})
    recorded = recorded_set(run.started.constraint_set.text), recorded_suite(run.started.audit_suite.text)
    known = {name for each in state.runs for name in each.tasks.names}
    prepared = replace(prepare(document, on_task=on_task, lived=known, recorded=recorded), continues=number)
    _check_unchanged(run, prepared)
    return prepared


def _cut_off(state: LifeState, run: RunState, task: str, more: More) -> tuple[int, Stream]:
    """Which run an unfinished continuation goes on with, and its stream."""
    number = run.started.continues
    if number is UNSET or [each.name for each in run.started.record.tasks] != [task]:
        raise InputError(f"run {run.number} in this home was cut off: finish it first, with what began it")
    stream = recorded_stream(run)
    earlier = state.runs[number - 1]
    if more.anything and _extended(earlier, earlier.tasks.named(task), more).budget != stream.budget:
        raise InputError(
            f"run {run.number} was cut off while it gave task {task!r} more budget, {stream.budget.evaluations} "
            f"evaluations and {stream.budget.full_trainings} full trainings in all: finish it first, with --continue "
            f"{task} alone"
        )
    return number, stream


def _latest(state: LifeState, name: str) -> tuple[RunState, TaskState]:
    for run in reversed(state.runs):
        if name in run.tasks.names:
            return run, run.tasks.named(name)
    names = sorted({name for run in state.runs for name in run.tasks.names})
    raise InputError(f"--continue: no task {name!r} was lived here{suggestion(name, names)}")


def _extended(run: RunState, task: TaskState, more: More) -> Stream:
    """The recorded stream with that task alone and the larger budget."""
    if not more.anything:
        raise InputError(
            f"--continue {task.name}: say how much is added, with --evaluations +16 or --full-trainings +2"
        )
    if task.tabular:
        raise InputError(f"--continue: task {task.name!r} is a table; search it again in a new run")
    if more.evaluations and task.exhausted:
        raise InputError(
            f"--continue: nothing was left to propose for task {task.name!r}; --full-trainings can be more"
        )
    stream = recorded_stream(run)
    own = stream.budget
    if more.evaluations and len(task.trials) < own.evaluations and not task.exhausted:
        told = saturation_sentence(task.evaluations, own.evaluations)
        raise InputError(f"--continue: task {task.name!r} needs no more, {told}; --full-trainings can be more")
    trainings = own.full_trainings if more.full_trainings is None else more.full_trainings
    budget = own.model_copy(
        update={
            "evaluations": own.evaluations + more.evaluations,
            "full_trainings": own.full_trainings + trainings,
        }
    )
    return stream.model_copy(update={"tasks": [recorded_spec(run, task)], "tuning": None, "budget": budget})


def _check_in_force(state: LifeState, run: RunState) -> None:
    """A task goes on under its own rules, and only while they are those of the life."""
    latest = state.runs[-1].started
    for what, digest in (("constraint set", "constraint_set_digest"), ("audit suite", "audit_suite_digest")):
        if getattr(latest, digest) != getattr(run.started, digest):
            raise InputError(
                f"--continue: run {run.number} was lived under another {what} than the one in force; begin a new run"
            )


def _check_unchanged(run: RunState, prepared: Prepared) -> None:
    """Data, device and plug-ins must be those of the earlier run."""
    (own,) = prepared.tasks
    before = run.tasks.named(own.spec.name)
    if own.digest != before.started.task_digest:
        raise InputError(f"task {own.spec.name!r}: its data are not those that the ledger records")
    if how := changed(run.started, prepared.identities):
        raise InputError(f"--continue: in run {run.number} {how}")
    digest = UNSET if prepared.device is None else prepared.device.digest
    if digest != run.started.device_digest:
        raise InputError(f"--continue: the device of run {run.number} was another; put its file back")
