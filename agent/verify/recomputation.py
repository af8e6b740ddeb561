"""Verification that computes again: Z3 over every certificate, audits over a sample of trained networks, counts.

`verify` believes three things that this does not: that Z3 once agreed with the referee, that the recorded findings
are what the recorded weights give, and how much of each space was admitted. All are found out again here, from the
ledger's sets, suites and seeds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import numpy as np

from agent.gate.admission import findings_of
from agent.gate.review import finalists
from agent.ledger import events
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.memory.taught import PARTS, read_prints
from agent.state.plugins import of_runs
from agent.state.recorded import data_folder, recorded_set, recorded_spec
from agent.state.state import Finalist, LifeState, RunState, TaskState
from agent.verify.reaudit import reaudit
from agent.verify.verification import Verification
from agent.workers.jobs import RobustAnswer
from audits import Finding
from constraints import Certificate, ConstraintSet, Context, Guard, decide_policy
from constraints.judging.stacked import guard_for
from constraints.language.examples import parse_shape
from selfnas import seeding
from selfnas.data.splits.duplicates import Prints
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.errors import SelfnasError
from selfnas.spaces.named import parse_architecture, space_named
from selfnas.spaces.stacked import stacked
from selfnas.tables.tabular import TabularEvaluator, read_benchmark, table_digest

__all__ = ["audit_again", "read_again", "solve_again"]

_ROUNDING = 1e-6
_TURNED = 1  # test examples on the edge, that another order of the same sums may turn
_Place: TypeAlias = tuple[RunState, TaskState, Finalist, events.Audited]


def solve_again(ledger: Ledger, *, progress: Callable[[int], None] = lambda count: None) -> Verification:
    """Ask Z3 and the referee again about the subject of every certificate.

    Args:
        progress: told the number of certificates after each.

    Returns:
        How many were asked, and a problem for each whose answer is another now.
    """
    checked, problems = Counter[str](), list[str]()
    with ExitStack() as plugins:
        solver = _Again(plugins)
        for event in ledger.events(unreadable=True):
            named = f"event {event.seq} ({event.kind})"
            try:
                match event.facts:
                    case events.RunStarted() as started:
                        solver.begin(started)
                    case events.TaskStarted() as started:
                        checked["spaces counted again"] += 1
                        problems += [f"{named}: {problem}" for problem in solver.recount(started)]
                    case (
                        events.Gated() | events.MotifRevised() | events.PolicyDecided() | events.OperatorDecided()
                    ) as judged if judged.certificate:
                        checked["certificates solved again"] += 1
                        progress(checked.total())
                        certificate = Certificate.from_json(judged.certificate)
                        problems += [f"{named}: {problem}" for problem in solver.differences(certificate)]
                    case events.Unreadable() as other:
                        problems.append(f"{named} cannot be solved again: {other.fault}")
            except (SelfnasError, LookupError, TypeError, ValueError, ArithmeticError) as error:
                problems.append(f"{named} cannot be solved again: {type(error).__name__}: {error}")
    return Verification(checked=checked, problems=problems)


class _Again:
    """The guards of the run at hand.

    Args:
        plugins: holds those of the run in force.
    """

    def __init__(self, plugins: ExitStack) -> None:
        self._plugins = plugins
        self._runs: list[events.RunStarted] = []
        self._set: ConstraintSet | None = None
        self._policy: ConstraintSet | None = None
        self._stream: events.StreamRecord | None = None
        self._guards: dict[Context, Guard] = {}

    def begin(self, started: events.RunStarted) -> None:
        """A run starts under its own set."""
        self._set = self._policy = None
        self._plugins.close()
        self._runs.append(started)
        self._plugins.enter_context(of_runs(*self._runs))
        self._guards, self._stream = {}, started.record
        self._set = recorded_set(started.constraint_set.text)
        if started.policy_set is not events.UNSET:
            self._policy = recorded_set(started.policy_set.text)

    def recount(self, started: events.TaskStarted) -> Iterator[str]:
        """How many architectures a task admits; estimates are not compared."""
        if self._set is None or self._stream is None:
            yield "there is no usable constraint set to count by"
            return
        space, choices = space_named(self._stream.space_of(started)), self._stream.choices_of(started)
        shape = started.shape.task_shape
        if len(choices) == 1:
            guard = self._guard(self._set, Context(space=space, macro=choices.first, shape=shape))
        else:
            guard = guard_for(self._set, space=stacked(space, choices), macro=choices.first, shape=shape)
        count, recorded = guard.count(), started.admitted_count
        if recorded.exact != count.exact or (count.exact and {recorded.low, recorded.high} != {str(count.low)}):
            yield f"it says that {recorded.low} to {recorded.high} architectures are admitted, counted are {count.low}"

    def _guard(self, set_: ConstraintSet, context: Context) -> Guard:
        if context not in self._guards:
            self._guards[context] = Guard(set_, space=context.space, macro=context.macro, shape=context.shape)
        return self._guards[context]

    def differences(self, certificate: Certificate) -> Iterator[str]:
        """What the engines say now that they did not say then."""
        if certificate.subject.startswith("{"):
            if self._policy is None:
                yield "there are no policy rules to judge it by"
                return
            sides = json.loads(certificate.subject)
            now = decide_policy(self._policy, sides["old"], sides["new"]).certificate
        else:
            if self._set is None:
                yield "there is no usable constraint set to judge it by"
                return
            architecture = parse_architecture(certificate.subject)
            context = Context(space=architecture.space, macro=architecture.macro, shape=parse_shape(certificate.shape))
            now = self._guard(self._set, context).decide(architecture).certificate
        names = ["guard", "digest", *(["verdict"] if certificate.verdict != "undecided" else [])]
        for name in names:
            was, found = getattr(certificate, name), getattr(now, name)
            if was != found:
                yield f"its {name} is {was}, the engines now say {found}"
        # What was left open then, for want of steps or of an engine, may be known now.
        claims = [(was, found) for was, found in zip(certificate.rules, now.rules, strict=False) if was not in "ud"]
        if len(certificate.rules) != len(now.rules) or any(was != found for was, found in claims):
            yield f"its rules are {certificate.rules}, the engines now say {now.rules}"


def audit_again(
    home: Home,
    state: LifeState,
    *,
    count: int,
    seed: int,
    base: Path,
    progress: Callable[[str], None] = lambda name: None,
) -> Verification:
    """Run the recorded suite again on a sample of trained networks, from their weights and data.

    Args:
        home: where the weights lie.
        count: networks to draw, without replacement.
        base: directory of the stream file, where relative paths of data start.
        progress: told the network at hand.

    Returns:
        A problem for each network whose audits now say something else, a note for each that has no findings since its
        audits broke off.
    """
    known, notes = list[_Place](), list[str]()
    for run, task, finalist in finalists(state):
        if not finalist.trained.weights_sha256 or finalist.audited is None:
            continue
        if finalist.audited.findings:
            known.append((run, task, finalist, finalist.audited))
        else:
            notes.append(
                f"{_named(run, task, finalist)}: its audits broke off and left no findings, so that there is nothing "
                "to audit again"
            )
    order = seeding.generator(seed, "audit again").permutation(len(known))
    checked, problems = Counter[str](), list[str]()
    for index in np.sort(order[:count]):
        run, task, finalist, audited = known[index]
        name = _named(run, task, finalist)
        progress(name)
        checked["networks audited again"] += 1
        try:
            done, before = reaudit(home, run, task, finalist, base=base), findings_of(audited)
        except SelfnasError as error:
            problems.append(f"{name}: cannot be audited again: {error}")
            continue
        if done.changed is None:
            problems.append(f"{name}: another suite is in force than the recorded one")
        elif changed := [found.label for found in done.findings if not any(_agree(found, was) for was in before)]:
            problems.append(f"{name}: other findings than recorded: {', '.join(changed)}")
        trained = finalist.trained
        if done.right is not None and trained.test_count and abs(done.right - trained.test_correct) > _TURNED:
            problems.append(
                f"{name}: recorded as right about {trained.test_correct} test examples, its weights are about "
                f"{done.right}"
            )
        if done.robust is not None and (other := _other_robustness(trained, done.robust)):
            problems.append(f"{name}: {other}")
        if done.verdict.decision != audited.decision:
            problems.append(f"{name}: recorded as {audited.decision}, its audits now say {done.verdict.decision}")
    return Verification(checked=checked, problems=problems, notes=notes)


def read_again(home: Home, state: LifeState, *, base: Path) -> Verification:
    """Read the data and tables of every task that are in files of a person's own, and compare their digests.

    Args:
        home: of the life.
        base: directory of the stream file, where relative paths of data start.

    Returns:
        A problem for each task whose data are others now, a note for each whose files are not there.
    """
    result = Verification()
    for run, task in state.tasks():
        spec = recorded_spec(run, task)
        if spec.path is None:
            continue
        name, folder = f"task {task.name}, run {run.number}", data_folder(spec, home=home, base=base)
        if not (folder / spec.path).exists():
            result.notes.append(f"{name}: its data are not here, so that nothing is said of them: {spec.path}")
            continue
        result.checked["data read again"] += 1
        try:
            with of_runs(run.started):
                found, prints = _digest(spec, folder)
                misnumbered = not _numbers(home, task, prints)
        except SelfnasError as error:
            result.problems.append(f"{name}: its data cannot be read: {error}")
            continue
        if found != task.started.task_digest:
            result.problems.append(f"{name}: its data are not those that the ledger records")
        elif misnumbered:
            result.problems.append(f"{name}: the numbers that are kept of its examples are not those of its data")
    return result


def _other_robustness(trained: events.Trained, found: RobustAnswer) -> str:
    """What its weights hold now that is not what was recorded; an example on the edge may be turned by rounding."""
    was = trained.robust
    if was is events.UNSET:
        return ""
    for name in ("count", "clean", "attacked", "certified"):
        told, now = getattr(was, name), getattr(found, name)
        if abs(told - now) > (0 if name == "count" else _TURNED):
            return f"recorded with {told} {name} examples of {was.count}, its weights give {now}"
    return ""


def _digest(spec: TaskSpec, folder: Path) -> tuple[str, Mapping[str, Prints]]:
    """Of a task's data, with the numbers of its examples; a table has none."""
    if spec.source != "table":
        task = load_task(spec, base=folder)
        return task.digest, task.prints
    table = read_benchmark(folder / str(spec.path))
    return table_digest(TabularEvaluator(benchmark=table, task=str(spec.dataset))), {}


def _numbers(home: Home, task: TaskState, prints: Mapping[str, Prints]) -> bool:
    """Whether the file that numbers a task's examples numbers these; releases before kept none."""
    if task.started.prints is events.UNSET:
        return True
    held = read_prints(home, task.started.prints)
    return bool(prints) and all(np.array_equal(held[name], prints[name]) for name in PARTS)


def _named(run: RunState, task: TaskState, finalist: Finalist) -> str:
    return f"finalist {finalist.digest[:12]} of task {task.name}, run {run.number}"


def _agree(found: Finding, was: Finding) -> bool:
    """Whether two findings say the same, up to what another order of the same sums may change."""
    if (was.label, was.n, was.decision, was.threshold) != (found.label, found.n, found.decision, found.threshold):
        return False
    pairs = ((was.estimate, found.estimate), (was.low, found.low), (was.high, found.high))
    return all(a == b or (a is not None and b is not None and abs(a - b) <= _ROUNDING) for a, b in pairs)
