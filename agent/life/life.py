"""One agent's life: run after run over streams, each task by the same few steps, every step one transaction.

Each step is a function of the state that the ledger gives, so that a life cut off anywhere goes on to the same future.
Nothing here prints, draws or tracks: an `Observer` receives what happened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import UnsetType

from agent.gate.domain import GuardedDomain
from agent.gate.quarantine import recheck
from agent.ledger.events import UNSET, Event, Facts, NamedText, PolicyDecided, PolicySet, RunFinished, RunStarted
from agent.ledger.home import AGAIN, STEP, Home, StorageError, is_storage_fault
from agent.ledger.store import Ledger
from agent.life.context import Prepared, PreparedTask, TaskContext
from agent.life.observer import Observer
from agent.life.task import live_task
from agent.memory.recall import past_tasks
from agent.memory.taught import used_before
from agent.state.opening import recollect
from agent.state.plugins import changed, recorded, unused
from agent.state.state import RunState
from agent.tuning.decision import tune
from agent.tuning.rehearsal import Rehearsal
from agent.workers import interrupt
from agent.workers.executor import Executor
from agent.workers.shared import is_large, share
from agent.workers.timing import WorkTime
from agent.workers.trained import TrainedEvaluator
from constraints import ConstraintSet, policy_digest
from selfnas import plugins, seeding
from selfnas.data.tasks import load_task
from selfnas.errors import InputError
from selfnas.spaces.stacked import stacked
from selfnas.training.evaluation import Evaluator

__all__ = ["Life"]


class Life:
    """Lives through one stream on one ledger.

    Args:
        ledger: open for writing.
        prepared: the stream and what it names.
        workers: who trains.
        home: where weights and pictures go.
        device: torch device that trainings run on.
        observer: receives the progress.
    """

    def __init__(
        self,
        ledger: Ledger,
        prepared: Prepared,
        workers: Executor,
        *,
        home: Home,
        device: str,
        observer: Observer,
    ) -> None:
        self.ledger, self.prepared, self.workers = ledger, prepared, workers
        self.home, self.device, self.observer = home, device, observer
        with plugins.in_force(*prepared.plugins):
            self.state = recollect(ledger, home.snapshot)
        self._unused = unused([run.started for run in self.state.runs], prepared.identities)
        self.work = WorkTime()

    def append(self, entries: Sequence[Facts]) -> tuple[Event[Facts], ...]:
        """One step: write its events, then fold them in; Ctrl-C takes effect here at the latest."""
        interrupt.check()
        events = self.ledger.append(entries)
        for event in events:
            self.state.apply(event)
        return events

    def run(self) -> RunState:
        """Go on with the run that was cut off, or begin a new one, and live it to its end.

        Raises:
            InputError: the unfinished run is of another stream.
        """
        with plugins.in_force(*self.prepared.plugins, missing=self._unused), ExitStack() as unfinished:
            unfinished.callback(self.state.close)  # another life may be begun in this process
            run = self.state.open_run or self._begin()
            for index in range(len(self.prepared.tasks)):
                if index >= len(run.tasks) or run.tasks[index].finished is None:
                    context = self.context(run, index)
                    with self._examples(context.own) as folder:
                        evaluator = self._evaluator(context, examples=folder)
                        live_task(context, evaluator, append=self.append, observer=self.observer)
                if self.prepared.envelope is not None and run.tuned <= index:
                    self.append(self._tune(run, index))
            self.append([RunFinished(tasks=len(run.tasks))])
            unfinished.pop_all()
        return run

    def context(self, run: RunState, index: int) -> TaskContext:
        """What the steps of a task of a run read."""
        state, home, head = self.state, self.home, self._head
        return TaskContext(prepared=self.prepared, run=run, index=index, state=state, home=home, head=head)

    def _head(self) -> str:
        """Hash of the latest event."""
        return self.ledger.head()[1]

    @contextmanager
    def _examples(self, own: PreparedTask) -> Iterator[Path | None]:
        """A folder with the examples of a large task, for workers to map; None for others."""
        if not is_large(own.shape, own.sizes):
            yield None
            return
        with tempfile.TemporaryDirectory(dir=self.home.root, prefix=STEP) as folder:
            try:
                share(load_task(own.spec, base=self.prepared.base), Path(folder))
            except OSError as error:
                if is_storage_fault(error):
                    raise StorageError(f"the examples of task {own.spec.name!r}: {error}; {AGAIN}") from error
                raise
            yield Path(folder).absolute()  # workers may stand elsewhere

    def _evaluator(self, context: TaskContext, *, examples: Path | None) -> Evaluator:
        """What scores architectures on a task: its table in this process, or training by the workers."""
        own = context.own
        if own.table is not None:
            return own.table
        return TrainedEvaluator(
            workers=self.workers,
            work=self.work,
            stream=self.prepared.stream,
            space=own.space.name,
            macro=str(own.choices.first),
            task=own.spec,
            task_digest=own.digest,
            base=self.prepared.base,
            device=self.device,
            suite=self.prepared.suite.text,
            weights=self.home.weights,
            pictures=self.home.pictures(context.run.number, own.spec.name),
            plugins=self.prepared.identities,
            examples=examples,
        )

    def _tune(self, run: RunState, index: int) -> list[PolicyDecided]:
        """Decide about the search policy after a task."""
        stream, prepared = self.prepared.stream, self.prepared.tasks[index]
        assert self.prepared.envelope is not None  # noqa: S101 - the caller asked
        space = stacked(prepared.space, prepared.choices)
        past = past_tasks(
            self.state,
            before=None,
            space=space.name,
            tabular=prepared.table is not None,
            choices=prepared.choices,
        )
        rehearsal = Rehearsal(
            past,
            GuardedDomain(prepared.guard, space=space, macro=prepared.choices.first),
            budget=stream.budget.evaluations,
            seed=seeding.derive(stream.seed, "rehearsal", run.number, index),
        )
        return tune(self.state, run, stream, self.prepared.envelope, rehearsal, previous=self._head())

    def check_resumable(self, *, accept_set: str = "") -> None:
        """Refuse a stream that is not the one of the unfinished run, and a new constraint set that was not accepted.

        Args:
            accept_set: the beginning of the digest of a constraint set that may take the place of the one in force.

        Raises:
            InputError: another stream; its constraint set, audit suite, device, envelope or the data of the open task
                were edited since; or a set not accepted.
        """
        run = self.state.open_run
        self._check_taught(0 if run is None else len(run.tasks))
        if run is None:
            self._check_set(accept_set)
            return
        if (run.started.continues is UNSET) != (self.prepared.continues is None):
            name = run.started.record.tasks[0].name
            how = "" if run.started.continues is UNSET else f" while it gave task {name!r} more budget"
            raise _cut_off(run, how, f"--continue {name}" if how else "the files that began it")
        if how := changed(run.started, self.prepared.identities):
            raise _cut_off(run, f" and {how}", "what was installed when it began")
        for what, now in _identity(self.prepared).items():
            if getattr(run.started, what) != now:
                name = what.removesuffix("_digest").replace("_", " ")
                raise _cut_off(run, f" and its {name} was another", "the files and --set values that began it")
        self._check_open(run)

    def _check_taught(self, begun: int) -> None:
        """Audit examples of tasks that are still to begin, where earlier tasks of the life were taught them."""
        asked = self.prepared.stream.taught_before
        for own in self.prepared.tasks[begun:] if asked in ("leave_out", "refuse") else ():
            used = used_before(self.state, self.home, own.digest, own.prints)
            names = ", ".join(f"{one.task} (run {one.run})" for one in used.by)
            told = f"task {own.spec.name!r}: {int(used.rows.sum()):,} of its {len(used.rows):,} audit examples"
            if used.by and asked == "refuse":
                raise InputError(f"{told} are training or validation examples of {names}: the stream refuses that")
            if used.by and used.rows.all():
                raise InputError(f"{told} are training or validation examples of {names}: none is left to audit with")

    def _check_open(self, run: RunState) -> None:
        """What else the unfinished run must find as it left it: rules for changes of policy, data of the open task."""
        then, now = run.started.policy_set, _policy_set(self.prepared.envelope)
        if (then and then.digest) != (now and now.digest):
            raise _cut_off(run, " and the rules for changes of its policy were others", "the envelope that began it")
        begun = run.tasks[-1] if len(run.tasks) else None
        if begun is None or begun.finished is not None:
            return
        if begun.started.task_digest != self.prepared.tasks[begun.index].digest:
            how = f" in task {begun.name!r}, whose data, or the release that reads them, were changed since"
            raise _cut_off(run, how, "the data and the release that began it")

    def _check_set(self, accept_set: str) -> None:
        if not self.state.runs:
            return
        old, new = self.state.runs[-1].started, self.prepared.set_
        if old.constraint_set_digest != new.digest and not (len(accept_set) >= 8 and new.digest.startswith(accept_set)):
            name, digest = old.constraint_set.name, old.constraint_set_digest
            raise InputError(
                f"this agent lives under constraint set {name!r} ({digest[:12]}), the stream names {new.name!r} "
                f"({new.digest[:12]}): see what changes with `selfnas constraints diff`, then go on with "
                f"--accept-set {new.digest[:12]}"
            )

    def _begin(self) -> RunState:
        prepared, state = self.prepared, self.state
        edited = bool(state.runs) and state.runs[-1].started.constraint_set_digest != prepared.set_.digest
        suspended = [motif for motif, _ in state.quarantined.values()]
        again = recheck(state.library, suspended, prepared.set_, previous=self._head()) if edited else ()
        device = prepared.device
        started = RunStarted(
            run=len(state.runs) + 1,
            stream=prepared.stream.model_dump(mode="json", exclude_none=True),
            constraint_set=NamedText(name=prepared.set_.name, text=prepared.set_.text),
            audit_suite=NamedText(name=prepared.suite.name, text=prepared.suite.text),
            policy_set=_policy_set(prepared.envelope),
            device=UNSET if device is None else device.model_dump(mode="json", exclude_none=True),
            plugins=recorded(prepared.identities),
            continues=UNSET if prepared.continues is None else prepared.continues,
            **_identity(prepared),
        )
        self.append([started, *again])
        return self.state.runs[-1]


def _cut_off(run: RunState, how: str, files: str) -> InputError:
    message = f"run {run.number} in this home was cut off{how}: finish it with {files}, or choose another --home"
    return InputError(message)


def _policy_set(envelope: ConstraintSet | None) -> PolicySet | UnsetType:
    """The rules for changes of the policy; nothing where there is no tuning."""
    if envelope is None:
        return UNSET
    return PolicySet(name=envelope.name, text=envelope.text, digest=policy_digest(envelope))


def _identity(prepared: Prepared) -> dict[str, str]:
    identity = {
        "stream_digest": prepared.stream.digest,
        "constraint_set_digest": prepared.set_.digest,
        "audit_suite_digest": prepared.suite.digest,
    }
    return identity if prepared.device is None else {**identity, "device_digest": prepared.device.digest}
