"""What a life is prepared with, and what the steps of one of its tasks may read; they change nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.gate.admission import decide
from agent.gate.domain import GuardedDomain, SpelledGuardedDomain
from agent.ledger.events import Evaluated, Gated, Recalled
from agent.ledger.home import Home
from agent.memory.operators import space_in_force
from agent.memory.recall import past_tasks
from agent.state.state import LifeState, Motif, RunState, TaskState
from agent.stream.file import Stream
from audits import Suite
from constraints import ConstraintSet, Guard
from constraints.judging.stacked import guard_for
from selfnas import seeding
from selfnas.data.probes import TaskDescription
from selfnas.data.splits.duplicates import Prints
from selfnas.data.targets import TargetKind
from selfnas.data.tasks import TaskSpec
from selfnas.devices.devices import Device
from selfnas.plugins import Identity, Plugin
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.named import space_named
from selfnas.spaces.stacked import Choices, stacked
from selfnas.strategies.transfer import PastTask
from selfnas.tables.tabular import TabularEvaluator
from selfnas.training.metrics import COUNTED

__all__ = ["Prepared", "PreparedTask", "TaskContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTask:
    """One task of a stream, loaded once and described; workers load the arrays again.

    A task that is looked up has a `table`, no `sizes` of splits and no description, for there are no examples to count
    and describe. A task that succeeds another has its motif in `service`, which is tried first. `guard` is for `space`,
    without composed operators, stacked in all ways that the `choices` leave open. What is asked of its examples is of a
    `kind`, and a `metric` makes scores of answers. `baselines` are the names of those that it is compared with. The
    `reading` says in one line how its data were read. `prints` number the content of examples by split, where that is
    known.
    """

    spec: TaskSpec
    shape: TaskShape
    digest: str
    description: TaskDescription | None
    space: Space
    choices: Choices
    guard: Guard
    table: TabularEvaluator | None = None
    service: Motif | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    kind: TargetKind = "classification"
    metric: str = COUNTED
    baselines: tuple[str, ...] = ()
    reading: str = ""
    prints: Mapping[str, Prints] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A stream whose every part was found usable.

    Attributes:
        base: where relative paths start, see `stream_folder`.
        envelope: what changes of the search policy must pass; None where the stream does not tune.
        device: whose latencies and energies the objective counts; None where it counts none.
        notices: what a person should know before anything is trained, a sentence each.
        plugins: that stream, sets and suite name, with the parts that each can use; they must be in force while it is
            lived.
        continues: number of the run whose task, the only one of the stream, gets more budget; None begins tasks.
    """

    stream: Stream
    base: Path
    set_: ConstraintSet
    suite: Suite
    envelope: ConstraintSet | None
    device: Device | None
    tasks: tuple[PreparedTask, ...]
    notices: tuple[str, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    continues: int | None = None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Of its plug-ins, each once, by name."""
        return tuple(sorted({plugin.identity for plugin in self.plugins}, key=lambda one: one.name))


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskContext:
    """One task of a run, as its steps see it; made when the task begins or goes on, and dropped at its end.

    Attributes:
        prepared: the stream and what it names.
        run: the run that the task belongs to.
        index: of the task in its run.
        state: what the ledger says of the whole life.
        home: where weights lie.
        head: gives the hash of the latest event.
    """

    prepared: Prepared
    run: RunState
    index: int
    state: LifeState
    home: Home
    head: Callable[[], str]

    @property
    def stream(self) -> Stream:
        """Which the run is a pass over."""
        return self.prepared.stream

    @property
    def own(self) -> PreparedTask:
        """What was prepared for this task."""
        return self.prepared.tasks[self.index]

    @property
    def started(self) -> bool:
        """Whether the ledger has its first event."""
        return self.index < len(self.run.tasks)

    @property
    def task(self) -> TaskState:
        """Where the task stands, once it started."""
        return self.run.tasks[self.index]

    @property
    def before(self) -> TaskState | None:
        """The same task in the run that this one goes on with, if it does."""
        number = self.prepared.continues
        return None if number is None else self.state.runs[number - 1].tasks.named(self.own.spec.name)

    @property
    def tabular(self) -> bool:
        """Whether its scores are looked up in a table."""
        return self.own.table is not None

    @property
    def choices(self) -> Choices:
        """How cells may be stacked; a task that is gone on with keeps what it began with."""
        known = self.task if self.started else self.before
        return self.own.choices if known is None else self.run.started.record.choices_of(known.started)

    @property
    def macro(self) -> Macro:
        """How cells are stacked where nothing is chosen."""
        return self.choices.first

    def rng(self, purpose: str, number: int) -> np.random.Generator:
        """Chance of one step of this task in this run."""
        return seeding.generator(self.stream.seed, purpose, self.run.number, self.index, number)

    def seed(self, purpose: str, architecture: Architecture) -> int:
        """Of work on an architecture: equal in every run, so that a network remembered scores as it did."""
        return seeding.derive(self.stream.seed, purpose, self.own.digest, architecture.digest)

    def known_by(self, found: Evaluated | Gated | Recalled | Architecture) -> str:
        """What tells architectures, or records of them, apart: the network, but in a table the spelling."""
        if not self.tabular:
            return found.digest
        return str(found) if isinstance(found, Architecture) else found.architecture

    @cached_property
    def cells(self) -> Space:
        """The space of the cells: with the operators in force when the task began."""
        base = self.own.space
        if self.tabular:
            return base
        if self.started:
            return space_named(self.run.started.record.space_of(self.task.started))
        if self.before is not None:
            return space_named(self.run.started.record.space_of(self.before.started))
        most, set_digest = self.stream.operators or 0, self.prepared.set_.digest
        return space_in_force(self.state, space=base.name, most=most, set_digest=set_digest)

    @cached_property
    def space(self) -> Space:
        """Searched here: of cells, and of ways to stack them where there is a choice."""
        return stacked(self.cells, self.choices)

    @cached_property
    def guard(self) -> Guard:
        """The constraint set compiled for that space."""
        if (self.cells, self.choices) == (self.own.space, self.own.choices):
            return self.own.guard
        return guard_for(self.prepared.set_, space=self.space, macro=self.macro, shape=self.own.shape)

    @cached_property
    def past(self) -> tuple[PastTask, ...]:
        """What earlier tasks taught; models are kept while this task is lived."""
        return past_tasks(
            self.state,
            before=self.task if self.started else None,
            space=self.cells.name,
            choices=self.choices,
            tabular=self.tabular,
            description=self.own.description,
        )

    @cached_property
    def _broken(self) -> NDArray[np.bool_]:
        """`(count, rules)` which rules each cell of the table breaks; certificates are issued all the same."""
        return self.guard.violations(self.space.enumerate())

    def domain(self) -> GuardedDomain:
        """The admitted part of the space, with a fresh tally."""
        if self.own.table is None:
            return GuardedDomain(self.guard, space=self.space, macro=self.macro)
        table = self.own.table.benchmark
        return SpelledGuardedDomain(self.guard, space=table.space, broken=self._broken, macro=self.macro)

    def admits(self, architecture: Architecture) -> bool:
        """Whether the constraint set lets it in; nothing is certified or tallied."""
        return not self.guard.violations(self.space.encode(architecture)[None]).any()

    def gate(self, architecture: Architecture) -> Gated:
        """What the constraint gate decides of an architecture now."""
        return decide(self.guard, architecture, previous=self.head())
