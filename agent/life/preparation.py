"""Everything that can be wrong is found here, before a life begins or goes on: files, data, and clashing rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from agent.life.baselines import announced
from agent.life.context import Prepared, PreparedTask
from agent.stream.file import Stream, StreamFile, load_plugins
from agent.stream.shipped import stream_folder
from audits import AuditData, Suite, load_suite, undecidable, unproven_gates
from audits.contract.data import FEWEST_ALONE
from audits.contract.plants import unplanted
from constraints import ConstraintSet, Guard, load_set, speaks_of_programs
from constraints.judging.stacked import guard_for
from selfnas import plugins
from selfnas.data.probes import describe
from selfnas.data.splits.duplicates import Prints
from selfnas.data.tasks import SPLITS, Task, TaskSpec, load_task
from selfnas.devices.devices import Device, load_device
from selfnas.documents import Place
from selfnas.errors import InputError, Problem
from selfnas.networks.defaults import default_space
from selfnas.spaces.architecture import Macro, Space, TaskShape
from selfnas.spaces.named import SPACES, space_named
from selfnas.spaces.operation import kinds_of_input
from selfnas.spaces.stacked import Choices, stacked
from selfnas.tables.tabular import (
    MADE_UP,
    TabularBenchmark,
    TabularEvaluator,
    read_benchmark,
    synthetic_benchmark,
    table_digest,
)
from selfnas.training.metrics import default_metric, metric_for

__all__ = ["prepare", "reference", "table_shape"]

Scope = Literal["cell", "network", "policy"]


def reference(name: str, base: Path) -> str:
    """A shipped name as it is; a file relative to the stream file.

    Example:
        >>> reference("baseline", Path("/streams")), reference("mine.yaml", Path("/streams"))
        ('baseline', '/streams/mine.yaml')
    """
    return str(base / name) if "/" in name or name.endswith((".yaml", ".yml")) else name


def prepare(
    document: StreamFile,
    *,
    on_task: Callable[[str], None] = lambda name: None,
    lived: Collection[str] = (),
    recorded: tuple[ConstraintSet, Suite] | None = None,
) -> Prepared:
    """Load and check what a stream names.

    Args:
        document: the stream.
        on_task: told the name of each task before it is loaded.
        lived: names of further tasks that the suite may plant for.
        recorded: the set and the suite in force, as a ledger holds them; None reads those that the stream names. The
            gates of a recorded suite were shown to be proven when it was recorded.

    Raises:
        InputError: every problem found in the constraint set, the suite and the tasks, each with its place.
    """
    loaded = load_plugins(document)
    with plugins.in_force(*loaded):
        found = _prepare(document, on_task, lived, recorded)
    files = [*found.set_.plugins, *found.suite.plugins, *(found.envelope.plugins if found.envelope else ())]
    return replace(found, plugins=(*loaded, *files))


def _prepare(
    document: StreamFile,
    on_task: Callable[[str], None],
    lived: Collection[str],
    recorded: tuple[ConstraintSet, Suite] | None,
) -> Prepared:
    stream, base, problems = document.value, stream_folder(Path(document.path)), _Problems(document)
    set_ = recorded[0] if recorded else _set(problems, stream, base)
    suite = _suite(problems, stream, base, lived, recorded=recorded[1] if recorded else None)
    envelope, device = _envelope(problems, stream, base), _device(problems, stream, base)
    loader = _Loader(problems=problems, stream=stream, base=base, set_=set_, suite=suite, device=device)
    tasks: list[PreparedTask] = []
    for index, spec in enumerate(stream.tasks):
        on_task(spec.name)
        tasks += loader.prepared(index, spec)
    if problems.found or set_ is None or suite is None:
        raise InputError(problems.found)
    return Prepared(
        stream=stream,
        base=base,
        set_=set_,
        envelope=envelope,
        device=device,
        suite=suite,
        tasks=tuple(tasks),
        notices=tuple(loader.notices),
    )


class _Problems:
    """What was found wrong in a stream and what it names, each with its place."""

    def __init__(self, document: StreamFile) -> None:
        self._document = document
        self.found: list[Problem] = []

    def placed(self, place: Place, message: str) -> Problem:
        """One of the stream file."""
        return self._document.problem(place, message)

    def add(self, place: Place, *messages: str) -> None:
        """Note some of the stream file."""
        self.found += [self.placed(place, message) for message in messages]

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Errors within it are noted; one without a line belongs to this place of the stream file, if it is given."""
        try:
            yield
        except InputError as error:
            self.found += [p if p.line or not place else self.placed(place, p.message) for p in error.problems]


def _rules(problems: _Problems, file: str, place: Place, *, scopes: Sequence[Scope], so: str) -> ConstraintSet | None:
    """A constraint set with rules of one of these scopes; None where it cannot be read."""
    with problems.at(*place):
        set_ = load_set(file)
        if not set_.of_scope(*scopes):
            problems.add(place, f"set {set_.name!r} has no rules of scope {' or '.join(scopes)}, so {so}")
        return set_
    return None


def _set(problems: _Problems, stream: Stream, base: Path) -> ConstraintSet | None:
    file, so = reference(stream.constraints, base), "it would admit everything"
    return _rules(problems, file, ("constraints",), scopes=("cell", "network"), so=so)


def _envelope(problems: _Problems, stream: Stream, base: Path) -> ConstraintSet | None:
    """The rules for changes of the policy, where the stream tunes."""
    if stream.tuning is None:
        return None
    file, so = reference(stream.tuning.envelope, base), "no change could be admitted"
    set_ = _rules(problems, file, ("tuning", "envelope"), scopes=("policy",), so=so)
    if set_ is not None and stream.tuning.programs is not None and not speaks_of_programs(set_.of_scope("policy")):
        problems.add(
            ("tuning", "programs"), f"set {set_.name!r} has no rule about acquisition, so none could be admitted"
        )
    return set_


def _device(problems: _Problems, stream: Stream, base: Path) -> Device | None:
    """The device of the objective, where it names one."""
    if stream.objective is None or stream.objective.device is None:
        return None
    with problems.at("objective"):
        return load_device(reference(stream.objective.device, base))
    return None


def _suite(
    problems: _Problems, stream: Stream, base: Path, lived: Collection[str], *, recorded: Suite | None
) -> Suite | None:
    """The audit suite: every gate of it proven, and what it plants for a task of this life."""
    with problems.at("audits"):
        suite = recorded or load_suite(reference(stream.audits, base))
        if recorded is None:
            problems.add(("audits",), *unproven_gates(suite))
        problems.add(("audits",), *_people(suite, stream.run_by))
        names = {name for spec in stream.tasks for name in (spec.name, spec.succeeds) if name}
        problems.found += unplanted(suite.plants, names | {*lived})
        return suite
    return None


def _people(suite: Suite, run_by: str | None) -> Iterator[str]:
    """Why nobody could ever approve what this run finds, as its suite counts persons."""
    terms = suite.review
    if terms.runner != "excluded":
        return
    if run_by is None:
        yield f"suite {suite.name!r} leaves whoever runs the life out of review: say who does with `run_by`"
        return
    left = [one.name for one in terms.reviewers if one.name.casefold() != run_by.casefold()]
    most = max(terms.approvals, terms.overrules)
    if terms.reviewers and len(left) < most:
        yield f"suite {suite.name!r} wants {most} of its reviewers, and without {run_by} there are {len(left)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loader:
    """Loads the tasks of a stream; each table is read once, and one guard compiled for all tasks of a shape."""

    problems: _Problems
    stream: Stream
    base: Path
    set_: ConstraintSet | None
    suite: Suite | None
    device: Device | None
    tables: dict[str, TabularBenchmark] = field(default_factory=dict)
    guards: dict[tuple[str, Choices, TaskShape], Guard] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    taught: dict[str, Prints] = field(default_factory=dict)  # by task, the examples it trains and validates on

    def prepared(self, index: int, spec: TaskSpec) -> list[PreparedTask]:
        """The task, or nothing where it cannot be used."""
        if spec.source == "table":
            with self.problems.at("tasks", index):
                return [self._tabular(spec)]
        with self.problems.at():  # these have their places already
            return [self._described(index, spec)]
        return []

    def _tabular(self, spec: TaskSpec) -> PreparedTask:
        table = self._table(spec)
        shape, digest, space = table_shape(table), table_digest(table), table.benchmark.space
        choices = self.stream.macro.choices(shape)
        guard = self._guard(spec, space, choices, shape)
        return PreparedTask(
            spec=spec,
            shape=shape,
            digest=digest,
            description=None,
            space=space,
            choices=choices,
            guard=guard,
            table=table,
        )

    def _described(self, index: int, spec: TaskSpec) -> PreparedTask:
        """A task with examples; what the suite plants in them is tried now, not after training."""

        def report(place: Place, message: str) -> Problem:
            return self.problems.placed(("tasks", index, *place), message)

        task = load_task(spec, base=self.base, report=report)
        if self.suite is not None:
            data = AuditData.of(task)
            crossed = len(task.train) + len(task.validation) if len(task.audit) < FEWEST_ALONE else 0
            missed = undecidable(data, self.suite, cross=crossed)
            self.notices.extend(f"task {spec.name}: {sentence}" for sentence in missed)
        self._compare(index, task)
        self._harden(task)
        description = describe(task, seed=self.stream.seed)
        space, choices = self._space(spec, task.shape), self.stream.macro.choices(task.shape)
        return PreparedTask(
            spec=spec,
            shape=task.shape,
            digest=task.digest,
            description=description,
            space=space,
            choices=choices,
            guard=self._guard(spec, space, choices, task.shape),
            sizes={name: len(task.split(name)) for name in SPLITS},
            kind=task.target.kind,
            metric=self._metric(index, spec, task),
            baselines=announced(self.stream, task.inputs, task.target),
            reading=task.reading,
            prints=task.prints,
        )

    def _harden(self, task: Task) -> None:
        """Report why networks of a task cannot be hardened, where the stream asks for it."""
        section = self.stream.training.robustness
        if section is not None:
            from selfnas.training.plans import hardening_for

            with self.problems.at("training", "robustness"):
                hardening_for(task, section.radius, section.method, section.proved)

    def _compare(self, index: int, task: Task) -> None:
        """A notice where an earlier task of the stream was taught examples that this one audits or tests on.

        Where the stream refuses such audit examples, a problem.
        """
        if not task.prints:
            return
        for name, taught in self.taught.items():
            for part in ("test", "audit"):
                count = int(np.isin(task.prints[part], taught).sum())
                told = (
                    f"task {task.name}: {count:,} of its {len(task.split(part)):,} {part} examples are training or "
                    f"validation examples of task {name}"
                )
                if count and part == "audit" and self.stream.taught_before == "refuse":
                    self.problems.add(("tasks", index), f"{told}: the stream refuses that")
                elif count:
                    left_out = part == "audit" and self.stream.taught_before == "leave_out"
                    self.notices.append(f"{told}{', and are left out' if left_out else ''}")
        self.taught[task.name] = np.concatenate([task.prints["train"], task.prints["validation"]])

    def _metric(self, index: int, spec: TaskSpec, task: Task) -> str:
        """What scores of a task are made of; a metric that is named and that its target cannot have is reported."""
        try:
            return metric_for(task.target, self.stream.metrics_of(spec))
        except ValueError as error:
            place = ("metric", task.target.kind) if spec.metric is None else ("tasks", index, "metric")
            self.problems.add(place, f"task {task.name!r}: {error}")
            return default_metric(task.target)

    def _space(self, spec: TaskSpec, shape: TaskShape) -> Space:
        """The stream's, or the one that fits the task's inputs best of those that the constraint set is for."""
        inputs, here = kinds_of_input([shape.dimensions]), self.stream.space
        if here is None:
            permitted = self.set_.spaces if self.set_ is not None else tuple(SPACES)
            found = default_space(shape.dimensions, permitted)
            if found is None:
                message = f"none of the spaces it is for ({', '.join(permitted)}) fits {inputs}: task {spec.name!r}"
                raise InputError([self.problems.placed(("constraints",), message)])
            return found
        space = space_named(here)
        if shape.dimensions not in space.dimensions:
            message = (
                f"space {space.name} is for {kinds_of_input(space.dimensions)}, and task {spec.name!r} has {inputs}: "
                "leave `space` out, so that each task takes one that fits it"
            )
            raise InputError([self.problems.placed(("space",), message)])
        return space

    def _table(self, spec: TaskSpec) -> TabularEvaluator:
        path, space = spec.path or "", self.stream.space
        if path not in self.tables:
            self.tables[path] = read_benchmark(self.base / path) if path else synthetic_benchmark(tasks=MADE_UP)
        table = self.tables[path]
        if space is not None and table.space.name != space:
            raise InputError(f"task {spec.name!r}: table {table.name} is of space {table.space.name!r}, not {space!r}")
        return TabularEvaluator(benchmark=table, task=str(spec.dataset))

    def _guard(self, spec: TaskSpec, space: Space, choices: Choices, shape: TaskShape) -> Guard:
        """The set compiled for a shape; what it or the objective makes impossible is reported."""
        if self.set_ is None:
            raise InputError([])  # its own problems are reported already
        searched = stacked(space, choices)
        self.problems.add(("objective",), *_uncosted(self.stream, searched, choices.first, shape, self.device))
        key = space.name, choices, shape
        if key not in self.guards:
            self.guards[key] = guard = guard_for(self.set_, space=searched, macro=choices.first, shape=shape)
            if guard.count().high == 0:
                message = (
                    f"constraint set {self.set_.name!r} admits nothing in space {space.name!r} for task {spec.name!r}: "
                    f"these rules clash: {', '.join(guard.clash())}"
                )
                self.problems.add(("constraints",), message)
            elif guard.is_idle():
                message = (
                    f"no rule of constraint set {self.set_.name!r} applies to task {spec.name!r} in space "
                    f"{space.name!r}: it would admit everything; `selfnas constraints lint` says where rules apply"
                )
                self.problems.add(("constraints",), message)
        return self.guards[key]


def _uncosted(stream: Stream, space: Space, macro: Macro, shape: TaskShape, device: Device | None) -> list[str]:
    """Why the objective's costs of networks for such a task cannot be computed; found on two hundred networks."""
    if stream.objective is None or (stream.objective.device is not None and device is None):
        return []
    for vector in space.draw(np.random.default_rng(0), 200):
        try:
            stream.objective.costs(space.decode(vector, macro=macro), shape, device)
        except InputError as error:
            return [str(error)]
    return []


def table_shape(table: TabularEvaluator) -> TaskShape:
    """What rules on costs assume: the data set's own shape where the table is NAS-Bench-201's, else CIFAR-10's."""
    size, classes = {"cifar100": (32, 100), "imagenet16": (16, 120)}.get(table.task, (32, 10))
    return TaskShape(channels=3, size=(size, size), classes=classes)
