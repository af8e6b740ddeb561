"""Re-check a whole life without trusting the agent: chain, certificates, audit verdicts, admissions, weights.

No solver and no training is needed: the plain-Python referee re-checks certificates against the constraint set that the
ledger itself holds, and verdicts are recomputed from the findings. Each other module here checks one part.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

from agent.ledger import events
from agent.ledger.home import Home
from agent.ledger.store import GENESIS, Ledger
from agent.memory.subcells import check_mining, due_mining
from agent.state.plugins import of_runs
from agent.state.recorded import recorded_set, recorded_suite
from agent.state.state import LifeState
from agent.stream.file import Stream
from agent.stream.policy import OWN_PROXIES
from agent.verify.baselines import BaselineChecker
from agent.verify.completeness import CompletenessChecker
from agent.verify.continuing import continued_run, continued_task
from agent.verify.costs import CostChecker
from agent.verify.drift import WatchChecker
from agent.verify.meaning.attempts import attempts_at_end, attempts_before
from agent.verify.meaning.deployments import check_deployed
from agent.verify.meaning.designs import check_designed
from agent.verify.meaning.examples import ExampleChecker
from agent.verify.meaning.findings import FindingChecker
from agent.verify.meaning.limits import check_limits
from agent.verify.meaning.searching import SearchChecker
from agent.verify.meaning.tables import TableChecker
from agent.verify.meaning.trainings import TrainingChecker
from agent.verify.motifs import MotifChecker
from agent.verify.operators import ComposingChecker
from agent.verify.order import OrderChecker
from agent.verify.policy import PolicyChecker
from agent.verify.reviews import ReviewChecker, RevocationChecker, SignatureChecker
from agent.verify.snapshot import check_snapshot
from agent.verify.tasks import TaskChecker
from agent.verify.weights import InheritanceChecker
from audits import Suite
from audits.contract.reviewing import USUAL_TERMS
from constraints import ConstraintSet
from selfnas import plugins
from selfnas.digests import canonical_json
from selfnas.errors import InputError, SelfnasError
from selfnas.plugins import MissingPluginError, Plugin

__all__ = ["Verification", "verify"]

Recorded = TypeVar("Recorded")

# What an event can come to whose facts name what there is not, or cannot be read further.
_UNUSABLE = (
    SelfnasError, OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip


@dataclass(slots=True)
class Verification:
    """What was checked and what failed.

    Attributes:
        checked: how many of each kind of thing were looked at.
        problems: one sentence each; empty when everything holds.
        notes: what holds and should be known all the same, one sentence each.
    """

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(ledger: Ledger, home: Home) -> Verification:
    """Check everything that the ledger claims."""
    result = Verification()
    result.problems += ledger.broken_links()
    checker = _Checker(home, result.checked)
    with checker:
        for event in ledger.events(unreadable=True):
            result.problems += checker.check(event)
    result.problems += checker.ends()
    result.notes += checker.notes()
    result.problems += check_snapshot(ledger, home.snapshot)
    return result


class _Checker:
    """Hands each event of a life to whoever follows what it is about."""

    def __init__(self, home: Home, checked: Counter[str]) -> None:
        self._home, self._checked = home, checked
        self._hashes = {GENESIS}
        self._tasks = TaskChecker(home, self._hashes, checked)
        self._order = OrderChecker()
        self._baselines = BaselineChecker(checked)
        self._reviews, self._signed = ReviewChecker(), SignatureChecker()
        self._costs = CostChecker()
        self._policies = PolicyChecker(self._hashes)
        self._complete = CompletenessChecker(self._tasks, self._policies)
        self._motifs = MotifChecker(self._hashes)
        self._inheritance = InheritanceChecker(home)
        self._watches = WatchChecker(self._motifs)
        self._revocations = RevocationChecker()
        self._composing = ComposingChecker(self._hashes)
        self._searches, self._tables = SearchChecker(home), TableChecker()
        self._examples, self._trainings = ExampleChecker(home), TrainingChecker()
        self._findings = FindingChecker()
        self._plugins = ExitStack()  # those of the runs so far
        self._runs: list[events.RunStarted] = []
        self._suite: Suite | None = None  # of the latest run, where it can be read
        self._unchecked: dict[str, list[str]] = {}  # events that nothing can be said of, by why
        self._due: list[events.SubcellsMined] = []  # the list of sub-cells that must come next
        self._mined: list[events.SubcellsMined] = []  # what had to come now
        self._state: LifeState | None = LifeState()  # None once an event could not have happened

    def __enter__(self) -> _Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._plugins.close()

    def check(self, event: events.Event[events.Facts]) -> Iterator[str]:
        """Problems of one event, each a sentence that names it; what lacks a plug-in is told at the end."""
        named = f"event {event.seq} ({event.kind})"
        self._checked["events"] += 1
        if isinstance(event.facts, events.RunStarted):
            yield from (f"{named}: {problem}" for problem in self._bring(event.facts))
        yield from self._motifs.overdue(event.facts)
        self._mined, self._due = self._due, []
        if self._mined and not isinstance(event.facts, events.SubcellsMined):
            yield f"{named}: what winners share was to be mined before it, and was not"
        try:
            for part in self._problems(event):
                try:
                    yield from (f"{named}: {problem}" for problem in part)
                except MissingPluginError as error:
                    self._lacks(error, named)
        except MissingPluginError as error:
            self._lacks(error, named)
        except _UNUSABLE as error:
            yield f"{named} cannot be checked: {type(error).__name__}: {error}"
        yield from self._follow(event)
        self._hashes.add(event.hash)

    def _lacks(self, error: MissingPluginError, named: str) -> None:
        known = self._unchecked.setdefault(str(error), [])
        if named not in known[-1:]:
            known.append(named)

    def _bring(self, started: events.RunStarted) -> Iterator[str]:
        """Have the plug-ins of the run in force, and those of earlier runs whose place it does not take."""
        self._plugins.close()
        self._runs.append(started)
        named, told = started.record.plugins or [], [] if started.plugins is events.UNSET else started.plugins
        for name in named:
            if name not in {one.name for one in told}:
                yield f"its stream uses plug-in {name}, of which it records no content"
        try:
            self._plugins.enter_context(of_runs(*self._runs))
        except InputError as error:
            yield f"a plug-in that it was lived with cannot be loaded: {error}"

    def _follow(self, event: events.Event[events.Facts]) -> Iterator[str]:
        """Every other command folds its state from these events; after the first that does not fit none is tried."""
        try:
            events.readable(event)
            if self._state is not None:
                self._state.apply(event)
                self._due = due_mining(self._state) if isinstance(event.facts, events.TaskFinished) else []
        except MissingPluginError as error:  # only what is mined of trials needs their architectures
            self._lacks(error, f"event {event.seq} ({event.kind})")
        except _UNUSABLE as error:
            fault = error if isinstance(error, events.LedgerError) else events.misplaced(event, error)
            known, self._state = self._state, None
            yield f"{fault}{'; nothing later is compared with what it would lead to' if known else ''}"

    def ends(self) -> Iterator[str]:
        """Problems that show at the end of the ledger."""
        if not self._checked["events"]:
            yield "the ledger holds no event, so that there is nothing to verify"
        if self._due:
            yield "what winners share was to be mined after the last event, and was not"
        yield from self._motifs.overdue()
        for why, lacking in self._unchecked.items():
            rest = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            yield f"{lacking[0]}{rest}: {why}"

    def notes(self) -> Iterator[str]:
        """What should be known though it holds."""
        yield from self._motifs.otherwise_admitted()
        yield from self._searches.notes
        yield from self._tables.notes

    def _problems(self, event: events.Event[events.Facts]) -> Iterator[Iterable[str]]:
        """What each checker says of an event, apart, so that one that lacks a plug-in stops no other."""
        yield self._signed.check(event)
        yield self._order.check(event.facts)
        yield self._tasks.check(event.facts)
        yield self._complete.check(event.facts)
        yield self._baselines.check(event.facts)
        yield self._tables.check(event.facts)
        yield self._trainings.check(event.facts)
        yield self._findings.check(event.facts)
        if self._state is not None:
            yield self._searches.follow(self._state, event.facts)
        match event.facts:
            case events.RunStarted() as started:
                yield from self._begin_run(started)
            case events.TaskStarted() as started:
                yield from self._begin_task(started)
                yield self._examples.task_begins(started)
                self._trainings.task_begins(started, self._examples.sizes)
                self._findings.task_begins(started, self._examples.sizes)
                if self._state is not None:
                    yield self._searches.task_begins(self._state, started, seq=event.seq)
            case events.Evaluated() as evaluated:
                yield self._costs.evaluated(evaluated)
                yield self._policies.evaluated(evaluated)
            case events.Filtered():
                self._policies.round_ends()
            case events.Trained() as trained:
                yield self._inheritance.trained(trained)
                self._reviews.trained(trained, certificate=self._tasks.certificate(trained.architecture))
            case events.Admitted() as admitted:
                self._reviews.decided(admitted)
                trained_on = self._tasks.trained.get(admitted.digest)
                self._let_in(event.seq, admitted, self._tasks.run, self._tasks.name, trained_on)
            case events.Refused() as refused:
                self._reviews.decided(refused)
            case events.Reviewed() as review:
                yield self._reviewed(event.seq, review)
            case events.TaskFinished() as finished:
                if self._state is not None:
                    yield check_limits(self._state, finished)
                    yield attempts_at_end(self._state, finished)
            case events.Deployed() as made:
                self._checked["deployed files"] += 1
                if self._state is not None:
                    yield check_deployed(self._state, made)
            case events.Designed() as answer:
                self._checked["answered specifications"] += 1
                if self._state is not None:
                    yield check_designed(self._state, answer, seq=event.seq)
            case events.MotifRevised() as revised:
                self._checked["motifs judged again"] += 1
                yield self._motifs.judged_again(revised)
            case events.WatchEvent() as watched:
                self._checked["watched batches"] += isinstance(watched, events.WatchBatch)
                yield self._watches.check(
                    watched, admitted=self._tasks.admitted, run=self._tasks.run, task=self._tasks.name
                )
                if isinstance(watched, events.WatchEnded) and self._state is not None:
                    yield self._watches.outcome(watched, self._state)
            case events.SubcellsMined() as mined:
                self._checked["lists of sub-cells"] += 1
                self._revocations.listed(mined)
                if self._state is not None:
                    yield check_mining(self._state, mined, due=self._mined)
            case events.OperatorDecided() as composed:
                self._checked["composed operators"] += 1
                self._revocations.listed(composed)
                if self._state is not None:
                    yield self._composing.decided(self._state, composed)
            case events.SubcellRevoked() | events.OperatorRevoked() as revoked:
                self._checked["revocations"] += 1
                yield self._revocations.revoked(revoked)
            case events.PolicyDecided() as decided:
                self._checked["policy decisions"] += 1
                yield self._policies.decided(decided)

    def _begin_run(self, started: events.RunStarted) -> Iterator[Iterable[str]]:
        """What a run records of stream, set and suite must have the recorded digests."""
        if hashlib.sha256(canonical_json(started.stream).encode()).hexdigest() != started.stream_digest:
            yield ["the recorded stream does not have the recorded digest"]
        set_, fault, lacking = _usable(recorded_set, started.constraint_set)
        if set_ is None or set_.digest != started.constraint_set_digest:
            yield [fault or "the recorded constraint set does not have the recorded digest"]
        suite, fault, also = _usable(recorded_suite, started.audit_suite)
        lacking = lacking or also
        if suite is None or suite.digest != started.audit_suite_digest:
            yield [fault or "the recorded audit suite does not have the recorded digest"]
        yield _unrecorded(started, [*(set_.plugins if set_ else ()), *(suite.plugins if suite else ())])
        if self._state is not None:
            yield continued_run(self._state, started)
        self._suite = suite
        self._findings.run_begins(started, suite)
        self._tasks.run_begins(started, set_, suite, lacking=lacking)
        self._complete.run_begins(started)
        self._searches.run_begins(set_, suite)
        self._examples.run_begins(started)
        self._trainings.run_begins(Stream.model_validate_json(json.dumps(started.stream)))
        yield _misnamed(started, set_, suite)
        self._motifs.run_begins(started, set_)
        self._composing.run_begins(set_)
        self._inheritance.run_begins(started)
        yield self._reviews.run_begins(
            started,
            approval=suite.approval if suite else "before-reuse",
            terms=suite.review if suite else USUAL_TERMS,
        )
        yield self._costs.run_begins(started)
        yield self._policies.run_begins(started)

    def _begin_task(self, started: events.TaskStarted) -> Iterator[Iterable[str]]:
        self._costs.task_begins(started)
        self._policies.task_begins()
        self._inheritance.task_begins(started)
        before = None if self._state is None else self._state.before(started)
        if before is not None:
            self._order.goes_on(before)
            self._tasks.goes_on(before)
            self._complete.goes_on(before)
        if self._state is not None:
            yield continued_task(self._state, started)
            stream = self._runs[-1].record if self._runs else None
            yield attempts_before(self._state, self._home, started, self._suite, stream)
        if not self._tasks.tabular:
            yield self._reviews.task_begins(started)
            yield self._motifs.task_begins(started)
            if self._state is not None:
                yield self._composing.task_begins(self._state, started)

    def _reviewed(self, seq: int, review: events.Reviewed) -> Iterator[str]:
        self._checked["reviews"] += 1
        yield from self._reviews.reviewed(review)
        if review.decision == events.SEND_BACK:
            return
        self._tasks.reviewed(review)
        if review.standing == events.Standing.REFUSED:
            self._motifs.revoked(review)
        else:
            yield from self._tasks.weights(review)
        if review.decision == "overrule" and review.standing == events.Standing.ADMITTED:
            self._let_in(seq, review, review.run, review.task, None)

    def _let_in(
        self, seq: int, facts: events.Admitted | events.Reviewed, run: int, task: str, trained: events.Trained | None
    ) -> None:
        """Remember a motif, for what is said of it later."""
        self._inheritance.let_in(facts, run=run, task=task)
        shape = self._tasks.shape(run, task)
        if shape is not None:
            self._motifs.let_in(seq, facts, shape, run=run, task=task, trained=trained)


def _misnamed(started: events.RunStarted, set_: ConstraintSet | None, suite: Suite | None) -> Iterator[str]:
    """Set, suite and policy rules must be called what their own texts say, and what the stream says of shipped ones."""
    parts: list[tuple[str, events.NamedText | events.PolicySet, str | None]] = [
        ("constraint set", started.constraint_set, set_.name if set_ else None),
        ("audit suite", started.audit_suite, suite.name if suite else None),
    ]
    if started.policy_set is not events.UNSET:
        parts.append(("policy rules", started.policy_set, recorded_set(started.policy_set.text).name))
    for what, told, name in parts:
        if name is not None and told.name != name:
            yield f"it calls its {what} {told.name!r}, whose text says {name!r}"
    stream = started.record
    for what, called, named in (
        ("constraint set", stream.constraints, started.constraint_set),
        ("audit suite", stream.audits, started.audit_suite),
    ):
        shipped = called and "/" not in called and not called.endswith((".yaml", ".yml"))
        if shipped and called != named.name:
            yield f"its stream names {what} {called!r}, recorded is {named.name!r}"
    if (proxy := stream.policy.get("proxy")) not in (None, *OWN_PROXIES) and plugins.find("proxies", proxy) is None:
        yield f"there is no proxy {proxy!r}"


def _unrecorded(started: events.RunStarted, used: Sequence[Plugin]) -> Iterator[str]:
    """What set or suite use is of a plug-in whose content the run records."""
    known = set() if started.plugins is events.UNSET else {(one.name, one.sha256) for one in started.plugins}
    for plugin in used:
        if (plugin.identity.name, plugin.identity.sha256) not in known:
            yield f"its set or suite uses plug-in {plugin.identity}, which it does not record"


def _usable(
    read: Callable[[str], Recorded], section: events.NamedText
) -> tuple[Recorded | None, str, MissingPluginError | None]:
    """What a run recorded of a file; None and why where it cannot be used, and the plug-in that it lacks."""
    try:
        return read(section.text), "", None
    except MissingPluginError as error:
        return None, f"{section.name!r} is {error}", error
    except _UNUSABLE as error:
        return None, f"{section.name!r} cannot be used: {error}", None
