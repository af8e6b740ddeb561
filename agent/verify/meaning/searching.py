"""Whether a task was searched as its stream, its seeds and its recorded scores say: recall, proposals, finalists.

The code that lived the task is asked again for every step, each time from the recorded state before it. So one step
that is another than its inputs give is named, and no fault is carried on to the next one. Scores are taken as recorded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.gate.domain import GuardedDomain, SpelledGuardedDomain
from agent.ledger import events
from agent.ledger.home import Home
from agent.life.context import Prepared, PreparedTask, TaskContext
from agent.life.finalists import next_finalists
from agent.life.first import first_left
from agent.life.rounds import planned
from agent.life.start import recalled_for
from agent.life.task import strategy_of
from agent.life.turns import Turns
from agent.state.recorded import recorded_stream
from agent.state.state import LifeState, Motif, RunState, TaskState
from agent.verify.metrics import kind_of
from audits import Suite
from constraints import ConstraintSet, Guard
from constraints.judging.stacked import guard_for
from selfnas.data.probes import TaskDescription
from selfnas.data.tasks import TaskSpec
from selfnas.digests import canonical_json
from selfnas.spaces.architecture import Architecture, Space, TaskShape
from selfnas.spaces.named import base_name, parse_architecture, space_named
from selfnas.spaces.stacked import Choices, stacked
from selfnas.strategies.table import MOVED, RELEASES

__all__ = ["SearchChecker"]

# Strategies that compute with whole numbers and comparisons alone; those that fit a model may propose otherwise where a
# processor rounds a sum otherwise.
_EXACT = ("random", "local_search", "regularised_evolution", "adaptive_evolution", "nsga2")
_ALIKE = 1e-5  # likenesses are recorded to six digits


@dataclass(frozen=True, kw_only=True, eq=False)
class _Recorded(TaskContext):
    """What the steps of a recorded task read, as far as the ledger holds it.

    Attributes:
        prepared_task: of the task, without data or table.
        begun: what its first event says.
        at: the task's state before the step that is looked at; None before the task began.
        broken: of a table's space, which rules each cell breaks.
    """

    prepared_task: PreparedTask
    begun: events.TaskStarted
    at: list[TaskState] = field(default_factory=list)
    broken: NDArray[np.bool_] | None = None

    @property
    def own(self) -> PreparedTask:
        return self.prepared_task

    @property
    def started(self) -> bool:
        return bool(self.at)

    @property
    def task(self) -> TaskState:
        return self.at[-1]

    @property
    def before(self) -> TaskState | None:
        return self.state.before(self.begun)

    @property
    def tabular(self) -> bool:
        return self.begun.table is not events.UNSET

    def domain(self) -> GuardedDomain:
        if self.broken is None:
            return GuardedDomain(self.guard, space=self.space, macro=self.macro)
        return SpelledGuardedDomain(self.guard, space=self.space, broken=self.broken, macro=self.macro)


@dataclass(slots=True, kw_only=True)
class _Lived:
    """The task that is open.

    Attributes:
        held: its state at the end of the latest whole round; what came since is `pending`.
        due: finalists that must be scored in full next, in order.
        rounds: whether each round so far was what its strategy proposes, of strategies that fit a model.
    """

    context: _Recorded
    turns: Turns
    held: TaskState
    pending: list[events.Gated | events.Evaluated] = field(default_factory=list)
    due: list[Architecture] = field(default_factory=list)
    rounds: Counter[bool] = field(default_factory=Counter)


class SearchChecker:
    """Follows the searches of a life.

    Args:
        home: of the life.

    Attributes:
        notes: what holds and should be known all the same, one sentence each.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._prepared: Prepared | None = None
        self._lived: _Lived | None = None
        self._guards: dict[tuple[str, str, Choices, TaskShape], Guard] = {}
        self._broken: dict[Guard, NDArray[np.bool_]] = {}
        self.notes: list[str] = []
        self._files: tuple[ConstraintSet, Suite] | None = None

    def run_begins(self, set_: ConstraintSet | None, suite: Suite | None) -> None:
        """A run; without a usable set and suite nothing of it is searched again."""
        self._prepared, self._lived = None, None
        self._files = None if set_ is None or suite is None else (set_, suite)

    def task_begins(self, state: LifeState, started: events.TaskStarted, *, seq: int) -> Iterator[str]:
        """Problems of what is said of space and memory; `state` is of the events before."""
        self._lived = None
        if self._files is None or not state.runs:
            return
        run = state.runs[-1]
        prepared = self._prepared = self._prepared or _prepared(run, *self._files)
        index = len(run.tasks)
        if index >= len(prepared.stream.tasks):
            return  # the order of events says so
        own = self._task(state, run, prepared, started, prepared.stream.tasks[index])
        context = _Recorded(
            prepared=prepared,
            run=run,
            index=index,
            state=state,
            home=self._home,
            head=str,
            prepared_task=own,
            begun=started,
            broken=self._broken_cells(own) if started.table is not events.UNSET else None,
        )
        turns = Turns(context)
        yield from _wrong_counts(context, started)
        yield from _wrong_recall(recalled_for(context, turns.present), started.recalled)
        held = TaskState.begun(started, index=index, first=seq, before=state.before(started))
        context.at.append(held)
        self._lived = _Lived(context=context, turns=turns, held=held)

    def follow(self, state: LifeState, facts: events.Facts) -> Iterator[str]:
        """Problems of a step of the open task; `state` is of the events before."""
        lived = self._lived
        if lived is None:
            return
        match facts:
            case events.SupernetTrained():
                yield from _wrong_supernet(lived, facts)
                lived.held.apply(facts)
            case events.Gated() | events.Evaluated():
                lived.pending.append(facts)
                if isinstance(facts, events.Rejected):
                    yield from _not_nearest(lived.context, facts)
            case events.Filtered():
                yield from self._round(lived, facts)
            case events.Trained() | events.Tabulated():
                yield from self._finalist(state, lived, facts)
            case events.TaskFinished():
                yield from self._end(state, lived)
                self._lived = None

    # --- what a task begins with ---

    def _task(
        self, state: LifeState, run: RunState, prepared: Prepared, started: events.TaskStarted, spec: TaskSpec
    ) -> PreparedTask:
        shape = started.shape.task_shape
        space = space_named(base_name(run.started.record.space_of(started)))
        choices = run.started.record.choices_of(started)  # what a stream leaves open was chosen when it was lived
        return PreparedTask(
            spec=spec,
            shape=shape,
            digest=started.task_digest,
            description=(
                None if started.description is None else TaskDescription.from_json(canonical_json(started.description))
            ),
            space=space,
            choices=choices,
            guard=self._guard(prepared.set_, space, choices, shape),
            service=_service(state, run, started),
            kind=kind_of(started)[0],
            baselines=() if started.baselines is events.UNSET else tuple(started.baselines),
        )

    def _guard(self, set_: ConstraintSet, space: Space, choices: Choices, shape: TaskShape) -> Guard:
        key = set_.digest, space.name, choices, shape
        if key not in self._guards:
            self._guards[key] = guard_for(set_, space=stacked(space, choices), macro=choices.first, shape=shape)
        return self._guards[key]

    def _broken_cells(self, own: PreparedTask) -> NDArray[np.bool_]:
        if own.guard not in self._broken:
            self._broken[own.guard] = own.guard.violations(own.space.enumerate())
        return self._broken[own.guard]

    # --- rounds ---

    def _round(self, lived: _Lived, filtered: events.Filtered) -> Iterator[str]:
        policy = lived.turns.policy
        if not 1 <= _release(filtered) <= (there_were := RELEASES.get(policy.strategy, 1)):
            yield f"a round is of release {_release(filtered)} of {policy.strategy!r}, of which there were {there_were}"
        problems = self._problems(lived, filtered, policy.strategy)
        if policy.strategy in _EXACT:
            yield from problems
        else:
            lived.rounds[not problems] += 1
            yield from _wrong_size(lived)
        for facts in lived.pending:
            lived.held.apply(facts)
        lived.held.apply(filtered)
        lived.pending = []

    def _problems(self, lived: _Lived, filtered: events.Filtered, strategy: str) -> list[str]:
        release, present = _release(filtered), RELEASES.get(strategy, 1)
        if strategy not in MOVED and release == present:
            return _wrong_round(lived, filtered)
        why = (
            "is part of a plug-in now"
            if strategy in MOVED
            else f"was of release {release} then, and proposes otherwise now"
        )
        note = f"task {lived.held.name}: its rounds are not searched again: {strategy!r} {why}"
        self.notes += [note] if note not in self.notes else []
        return []

    # --- finalists ---

    def _finalist(self, state: LifeState, lived: _Lived, facts: events.Trained | events.Tabulated) -> Iterator[str]:
        if lived.pending:
            yield "a finalist was scored in full before the round before it had ended"
            lived.pending = []
        if not lived.due:
            lived.due = self._wanted(state, lived)
        if not lived.due:
            yield "it was scored in full, and was none of the finalists that scores and policy give"
            return
        wanted = lived.due.pop(0)
        if str(wanted) != facts.architecture:
            yield f"it was scored in full, where recorded scores and policy make {wanted} the next finalist"

    def _wanted(self, state: LifeState, lived: _Lived) -> list[Architecture]:
        lived.context.at.append(state.runs[-1].tasks.open)
        try:
            return next_finalists(lived.context, lived.turns.present)
        finally:
            lived.context.at.pop()

    def _end(self, state: LifeState, lived: _Lived) -> Iterator[str]:
        if lived.pending:
            yield "the task ended in the middle of a round"
        left = lived.due or self._wanted(state, lived)
        if left:
            yield f"the task ended, and recorded scores and policy make {left[0]} a finalist that was never scored"
        if (other := lived.rounds[False]) > lived.rounds[True]:
            yield (
                f"{other} of {lived.rounds.total()} rounds are not what strategy {lived.turns.present.strategy!r} "
                "proposes from the recorded scores under the recorded seed"
            )
        elif other:
            self.notes.append(
                f"task {lived.held.name}: {other} of {lived.rounds.total()} rounds are not what its strategy proposes "
                "here, as another processor may round the sums of its model"
            )


def _prepared(run: RunState, set_: ConstraintSet, suite: Suite) -> Prepared:
    """The stream as recorded, without the tasks' data."""
    told = run.started.continues
    return Prepared(
        stream=recorded_stream(run),
        base=Path(),
        set_=set_,
        suite=suite,
        envelope=None,
        device=None,
        tasks=(),
        continues=None if told is events.UNSET else told,
    )


def _service(state: LifeState, run: RunState, started: events.TaskStarted) -> Motif | None:
    """The motif that a task is searched a successor for."""
    for event in state.watched:
        facts = event.facts
        if isinstance(facts, events.WatchSearch) and (facts.run, facts.successor_task) == (run.number, started.task):
            return state.library.by_seq(facts.in_service)
    return None


def _not_nearest(context: _Recorded, rejected: events.Rejected) -> Iterator[str]:
    """What a refusal calls near must be all that the guard finds, at that distance."""
    architecture = parse_architecture(rejected.architecture)
    vector = context.space.encode(architecture)
    distance, rows = context.guard.nearest(vector)
    near = [str(context.space.decode(row, macro=context.macro)) for row in rows]
    if sorted(near) != sorted(rejected.nearest) or (near and distance != rejected.distance):
        yield f"nearest to it are {', '.join(near) or 'none'}, {distance} edges away, not what it says"


def _wrong_supernet(lived: _Lived, supernet: events.SupernetTrained) -> Iterator[str]:
    """A supernet is of the policy's strategy; its logits are of the space, its ranking the best first."""
    strategy, space = lived.turns.policy.strategy, lived.context.space
    if supernet.strategy != strategy:
        yield f"a supernet of strategy {supernet.strategy!r}, where the policy's is {strategy!r}"
    if supernet.logits is not None:
        wanted = [(len(template.slots), len(template.names) + 1) for template in space.templates]
        found = [(len(own), width) for own in supernet.logits for width in {len(row) for row in own}]
        if found != wanted:
            yield f"its logits are {found}, those of the space {wanted}"
    section = lived.context.stream.supernet
    if section is not None and section.epochs is not None and supernet.epochs > section.epochs:
        yield f"it was trained for {supernet.epochs} epochs, the stream allows {section.epochs}"
    scores = [] if supernet.ranking is events.UNSET else [score for _, score in supernet.ranking]
    if scores != sorted(scores, reverse=True):
        yield "its ranking is not the best first"


def _release(filtered: events.Filtered) -> int:
    """Of the strategy that proposed a round."""
    return 1 if filtered.release is events.UNSET else filtered.release


def _wrong_counts(context: _Recorded, started: events.TaskStarted) -> Iterator[str]:
    if started.space_count != (counted := str(context.space.count())):
        yield f"it says that the space has {started.space_count} architectures, it has {counted}"
    told = started.admitted_count
    if not told.low.isdecimal() or not told.high.isdecimal() or (told.exact and told.low != told.high):
        yield f"it says that {told.low} to {told.high} architectures are admitted, which is no count"
        return
    admitted = context.guard.count()
    if told.exact != admitted.exact or (told.exact and admitted.low != int(told.low)):
        yield f"it says that {told.low} to {told.high} architectures are admitted, counted are {admitted.low}"
    elif not int(told.low) <= int(told.high) <= context.space.count():
        yield f"it says that up to {told.high} architectures are admitted, of {counted}"


def _wrong_recall(wanted: Sequence[events.Recalled], found: Sequence[events.Recalled]) -> Iterator[str]:
    """What was recalled must be what library, likeness and policy give; models of past tasks may order it."""
    if (mine := _recalled(wanted)) != (told := _recalled(found)):
        yield f"it recalls {_listed(told)}; library, likeness and policy give {_listed(mine)}"


def _listed(found: Mapping[tuple[str, str, int], float]) -> str:
    named = (f"{text} of {task}, run {run} ({like:g})" for (text, task, run), like in sorted(found.items()))
    return ", ".join(named) or "nothing"


def _recalled(found: Sequence[events.Recalled]) -> dict[tuple[str, str, int], float]:
    return {
        (one.architecture, one.from_task, one.from_run): 0.0 if one.likeness is events.UNSET else round(one.likeness, 4)
        for one in found
    }


def _wrong_size(lived: _Lived) -> Iterator[str]:
    """How many a round scored, which no rounding of a model changes: the batch, or all that it certified."""
    policy, budget = lived.turns.policy, lived.context.stream.budget.evaluations
    wanted = min(policy.batch, budget - len(lived.held.trials))
    scored = {one.architecture for one in lived.pending if isinstance(one, events.Evaluated)}
    certified = {one.architecture for one in lived.pending if isinstance(one, events.Certified)}
    if len(scored) > wanted or (len(scored) < wanted and certified - scored):
        yield (
            f"a round scored {len(scored)} architectures and certified {len(certified)} anew, where batch and budget "
            f"ask for {wanted}"
        )


def _wrong_round(lived: _Lived, filtered: events.Filtered) -> list[str]:
    """What a round holds that its strategy does not give; release 0.1.0 tried first what was recalled, and no more."""
    warm = first_left(lived.context, lived.turns.policy)
    problems = list(_differences(lived, filtered, warm))
    if problems and set(warm.values()) - {"recalled"}:
        recalled = {one: origin for one, origin in warm.items() if origin == "recalled"}
        before = list(_differences(lived, filtered, recalled))
        return before if not before or problems[0].startswith("strategy") else problems
    return problems


def _differences(lived: _Lived, filtered: events.Filtered, warm: Mapping[Architecture, str]) -> Iterator[str]:
    """The same where these are tried first, in the order in which a round is made."""
    context, policy = lived.context, lived.turns.policy
    task, domain, name = lived.held, context.domain(), policy.strategy
    fidelity, known, promoted, wanted = planned(context, policy)
    oversample = 1 if context.tabular else policy.oversample
    proposed = strategy_of(context, policy)(
        known, domain, wanted * oversample, context.rng("round", task.rounds), warm=list(warm)
    )
    gated = {one.architecture: one for one in lived.pending if isinstance(one, events.Gated)}
    expected = [str(one) for one in proposed if str(one) not in task.certificates]
    expected += _examples(context, domain, gated)
    if expected != list(gated):
        place = next(
            (i for i, (a, b) in enumerate(zip(expected, gated, strict=False)) if a != b), min(len(expected), len(gated))
        )
        told, meant = [*gated, "none"][place], [*expected, "none"][place]
        yield f"strategy {name!r} proposes {meant} under the recorded seed, where {told} is recorded"
        return
    rules = dict(sorted(domain.filtered.items()))
    if rules != filtered.rules:
        yield f"its rules kept out {rules or 'nothing'} of what was considered, not {filtered.rules or 'nothing'}"
    evaluated = [one for one in lived.pending if isinstance(one, events.Evaluated)]
    certified = [
        one for one in proposed if str(one) in task.certificates or isinstance(gated.get(str(one)), events.Certified)
    ]
    ups = [(str(up.architecture), up.fidelity.name) for up in promoted]
    if [(one.architecture, one.fidelity) for one in evaluated[: len(ups)]] != ups:
        yield "what was scored again at a higher fidelity is not what recorded scores give"
        return
    first = {context.known_by(one): origin for one, origin in warm.items()}
    yield from _wrong_choice(context, certified, evaluated[len(ups) :], first, wanted, fidelity.name)
    if filtered.exhausted != (not evaluated and not warm):
        yield f"it is called {'' if filtered.exhausted else 'not '}exhausted, which it was not"


def _examples(context: _Recorded, domain: GuardedDomain, gated: Mapping[str, events.Gated]) -> list[str]:
    """For each rule that kept something out for the first time on the task, the architecture that shows it."""
    told = {rule for rejection in context.task.rejected for rule in rejection.failed}
    shown = []
    for rule, vector in domain.examples.items():
        if rule not in told:
            shown.append(str(context.space.decode(vector, macro=context.macro)))
            made = gated.get(shown[-1])
            told.update(made.failed if isinstance(made, events.Rejected | events.Quarantined) else [])
    return shown


def _wrong_choice(
    context: _Recorded,
    certified: Sequence[Architecture],
    evaluated: Sequence[events.Evaluated],
    first: Mapping[str, str],
    wanted: int,
    fidelity: str,
) -> Iterator[str]:
    """What was scored anew must be all that was certified, or of more than was wanted the best by recorded proxy."""
    names = {str(one): place for place, one in enumerate(certified)}
    if any(one.architecture not in names or one.fidelity != fidelity for one in evaluated):
        yield f"scored is what its round did not certify, or at another fidelity than {fidelity}"
        return
    if len(evaluated) != min(wanted, len(certified)):
        yield f"it scored {len(evaluated)} of {len(certified)} certified architectures, where {wanted} were wanted"
    ahead = [str(one) for one in certified if context.known_by(one) in first]
    found = [one.architecture for one in evaluated]
    if len(certified) <= wanted:
        right = found == list(names)
    else:
        others = [(-_or_lowest(one.proxy), names[one.architecture]) for one in evaluated[len(ahead) :]]
        right = found[: len(ahead)] == ahead[:wanted] and others == sorted(others)
    if not right:
        yield "it scored its certified architectures in another order than proposals and recorded proxies give"
    for one in evaluated:
        origin = first.get(context.known_by(one), "searched")
        if one.origin != origin:
            yield f"{one.architecture} is called {one.origin}, and is {origin}"


def _or_lowest(score: float | None) -> float:
    return -math.inf if score is None else score
