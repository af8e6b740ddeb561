"""Everything that can be wrong is found here, before a life begins or goes on: files, data, and clashing rules."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.state.state import Motif
from agent.stream.file import Stream, StreamFile
from audits import AuditData, Suite, load_suite, unproven_gates
from audits.contract.plants import unplanted, with_plants
from constraints import ConstraintSet, Guard, load_set
from selfnas.data.probes import TaskDescription, describe
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.devices.devices import Device, load_device
from selfnas.errors import InputError, Problem
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import space_named
from selfnas.tables.tabular import (
    MADE_UP,
    TabularBenchmark,
    TabularEvaluator,
    read_benchmark,
    synthetic_benchmark,
    table_digest,
)

__all__ = ["Prepared", "PreparedTask", "prepare", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTask:
    """One task of a stream, loaded once and described; workers load the arrays again.

    A task that is looked up has a `table` and no description, for there are no examples to describe. A task that
    succeeds another has its motif in `service`, which is tried first.
    """

    spec: TaskSpec
    shape: TaskShape
    digest: str
    description: TaskDescription | None
    guard: Guard
    table: TabularEvaluator | None = None
    service: Motif | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A stream whose every part was found usable.

    Attributes:
        base: directory of the stream file, where relative paths start.
        suite_reference: what workers load the suite by.
        envelope: what changes of the search policy must pass; None where the stream does not tune.
        device: whose latencies and energies the objective counts; None where it counts none.
    """

    stream: Stream
    base: Path
    set_: ConstraintSet
    suite: Suite
    suite_reference: str
    envelope: ConstraintSet | None
    device: Device | None
    tasks: tuple[PreparedTask, ...]


def reference(name: str, base: Path) -> str:
    """A shipped name as it is; a file relative to the stream file.

    Example:
        >>> reference("baseline", Path("/streams")), reference("mine.yaml", Path("/streams"))
        ('baseline', '/streams/mine.yaml')
    """
    return str(base / name) if "/" in name or name.endswith((".yaml", ".yml")) else name


def prepare(
    document: StreamFile, *, on_task: Callable[[str], None] = lambda name: None, lived: Collection[str] = ()
) -> Prepared:
    """Load and check what a stream names.

    Args:
        document: the stream.
        on_task: told the name of each task before it is loaded.
        lived: names of further tasks that the suite may plant for.

    Raises:
        InputError: every problem found in the constraint set, the suite and the tasks, each with its place.
    """
    stream, base = document.value, Path(document.path).resolve().parent
    problems: list[Problem] = []

    def collect(place: str, error: InputError) -> None:
        # A file of its own has its own places; a name that is not found belongs to the stream file.
        problems.extend(p if p.line else document.problem((place,), p.message) for p in error.problems)

    set_ = suite = None
    try:
        set_ = load_set(reference(stream.constraints, base))
        if not set_.of_scope("cell", "network"):
            message = f"set {set_.name!r} has no rules of scope cell or network, so it would admit everything"
            problems.append(document.problem(("constraints",), message))
    except InputError as error:
        collect("constraints", error)
    envelope = None
    if stream.tuning is not None:
        try:
            envelope = load_set(reference(stream.tuning.envelope, base))
            if not envelope.of_scope("policy"):
                message = f"set {envelope.name!r} has no rules of scope policy, so no change could be admitted"
                problems.append(document.problem(("tuning", "envelope"), message))
        except InputError as error:
            problems.extend(
                p if p.line else document.problem(("tuning", "envelope"), p.message) for p in error.problems
            )
    device = None
    if stream.objective is not None and stream.objective.device is not None:
        try:
            device = load_device(reference(stream.objective.device, base))
        except InputError as error:
            collect("objective", error)
    suite_reference = reference(stream.audits, base)
    try:
        suite = load_suite(suite_reference)
        problems += [document.problem(("audits",), text) for text in unproven_gates(suite)]
        problems += unplanted(
            suite.plants, {name for spec in stream.tasks for name in (spec.name, spec.succeeds) if name} | {*lived}
        )
    except InputError as error:
        collect("audits", error)
    tasks = []
    guards: dict[TaskShape, Guard] = {}
    tables: dict[str, TabularBenchmark] = {}
    for index, spec in enumerate(stream.tasks):
        on_task(spec.name)
        at = ("tasks", index)
        table: TabularEvaluator | None = None
        description: TaskDescription | None = None
        try:
            if spec.source == "table":
                table = _table(spec, base, stream.space, tables)
                shape, digest = _table_shape(table), table_digest(table)
        except InputError as error:
            problems.extend(p if p.line else document.problem(at, p.message) for p in error.problems)
            continue
        try:
            if table is None:
                task = load_task(
                    spec,
                    base=base,
                    report=lambda place, text, at=at: document.problem((*at, *place), text),  # type: ignore[misc]
                )
                shape, digest = task.shape, task.digest
                if suite is not None:
                    with_plants(AuditData.of(task), suite.plants)  # what does not fit is told now, not after training
                description = describe(task, seed=stream.seed)
        except InputError as error:
            problems.extend(error.problems)
            continue
        if set_ is None:
            continue
        problems += [document.problem(("objective",), text) for text in _uncosted(stream, shape, device)]
        if shape not in guards:
            guards[shape] = guard = Guard(
                set_, space=space_named(stream.space), macro=stream.macro.macro(), shape=shape
            )
            if guard.count().high == 0:
                clash = ", ".join(guard.clash())
                text = (
                    f"constraint set {set_.name!r} admits nothing in space {stream.space!r} for task {spec.name!r}: "
                    f"these rules clash: {clash}"
                )
                problems.append(document.problem(("constraints",), text))
        tasks.append(
            PreparedTask(
                spec=spec, shape=shape, digest=digest, description=description, guard=guards[shape], table=table
            )
        )
    if problems or set_ is None or suite is None:
        raise InputError(problems)
    return Prepared(
        stream=stream,
        base=base,
        set_=set_,
        envelope=envelope,
        device=device,
        suite=suite,
        suite_reference=suite_reference,
        tasks=tuple(tasks),
    )


def _uncosted(stream: Stream, shape: TaskShape, device: Device | None) -> list[str]:
    """Why the objective's costs of networks for such a task cannot be told; found on two hundred networks."""
    if stream.objective is None or (stream.objective.device is not None and device is None):
        return []
    space = space_named(stream.space)
    for vector in space.draw(np.random.default_rng(0), 200):
        try:
            stream.objective.costs(space.decode(vector, macro=stream.macro.macro()), shape, device)
        except InputError as error:
            return [str(error)]
    return []


def _table(spec: TaskSpec, base: Path, space: str, known: dict[str, TabularBenchmark]) -> TabularEvaluator:
    """The table of a task; each file is read once."""
    path = spec.path or ""
    if path not in known:
        known[path] = read_benchmark(base / path) if path else synthetic_benchmark(tasks=MADE_UP)
    table = known[path]
    if table.space.name != space:
        raise InputError(f"task {spec.name!r}: table {table.name} is of space {table.space.name!r}, not {space!r}")
    return TabularEvaluator(benchmark=table, task=str(spec.dataset))


def _table_shape(table: TabularEvaluator) -> TaskShape:
    """What rules on costs assume: the data set's own shape where the table is NAS-Bench-201's, else CIFAR-10's."""
    size, classes = {"cifar100": (32, 100), "imagenet16": (16, 120)}.get(table.task, (32, 10))
    return TaskShape(channels=3, size=(size, size), classes=classes)
