"""Re-check a whole life without trusting the agent: chain, certificates, audit verdicts, admissions, weights.

No solver and no training is needed: the plain-Python referee re-checks certificates against the constraint set that the
ledger itself holds, and verdicts are worked out again from the findings. `agent/checks` has what each part is held to.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from agent.ledger.events import FACTS, told
from agent.ledger.home import Home
from agent.ledger.store import GENESIS, Event, Json, Ledger, LedgerError
from agent.memory.operators import OUTCOMES
from agent.memory.subcells import check_mining, mining_due
from agent.state.recorded import recorded_set, recorded_suite
from agent.state.state import LifeState, mapping, number
from agent.verify.completeness import CompletenessChecker
from agent.verify.costs import CostChecker
from agent.verify.drift import WatchChecker
from agent.verify.motifs import MotifChecker
from agent.verify.operators import ComposingChecker
from agent.verify.order import OrderChecker
from agent.verify.policy import PolicyChecker
from agent.verify.reviews import ReviewChecker
from agent.verify.revocations import RevocationChecker
from agent.verify.snapshot import check_snapshot
from agent.verify.tasks import TaskChecker
from agent.verify.weights import InheritanceChecker
from selfnas.digests import canonical_json
from selfnas.errors import SelfnasError

__all__ = ["Verification", "verify"]

Recorded = TypeVar("Recorded")

# What an event that is none of ours can come to when it is looked at.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
_UNREADABLE = (SelfnasError, OSError, *_MALFORMED)


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
    for event in ledger.events():
        result.problems += checker.check(event)
    result.problems += checker.ends()
    result.notes += checker.notes()
    result.problems += check_snapshot(ledger, home.snapshot)
    return result


class _Checker:
    """Hands each event of a life to whoever follows what it is about."""

    def __init__(self, home: Home, checked: Counter[str]) -> None:
        self._checked = checked
        self._hashes = {GENESIS}
        self._tasks = TaskChecker(home, self._hashes, checked)
        self._order = OrderChecker()
        self._reviews = ReviewChecker()
        self._costs = CostChecker()
        self._policies = PolicyChecker(self._hashes)
        self._complete = CompletenessChecker(self._tasks, self._policies)
        self._motifs = MotifChecker(self._hashes)
        self._inheritance = InheritanceChecker(home)
        self._watches = WatchChecker(self._motifs)
        self._revocations = RevocationChecker()
        self._composing = ComposingChecker(self._hashes)
        self._due = False  # whether a list of sub-cells must come next
        self._state: LifeState | None = LifeState()  # None once an event could not have happened

    def check(self, event: Event) -> Iterator[str]:
        """Problems of one event, each a sentence that names it."""
        self._checked["events"] += 1
        yield from self._motifs.overdue(event.kind)
        due, self._due = self._due, False
        if due and event.kind != "subcells.mined":
            yield f"event {event.seq} ({event.kind}): what winners share was to be mined before it, and was not"
        named = f"event {event.seq} ({event.kind})"
        try:
            yield from (f"{named}: {problem}" for problem in self._problems(event))
        except _UNREADABLE as error:
            yield f"{named} cannot be checked: {type(error).__name__}: {error}"
        yield from self._follow(event)
        self._hashes.add(event.hash)

    def _follow(self, event: Event) -> Iterator[str]:
        """Every other command folds its state from these events; after the first that does not fit none is tried."""
        if self._state is None:
            return
        try:
            for whole in told([event]):
                self._state.apply(whole)
                if event.kind == "task.finished":
                    self._due = mining_due(self._state)
        except LedgerError as error:
            self._state = None
            yield f"{error}; nothing later is compared with what it would lead to"

    def ends(self) -> Iterator[str]:
        """Problems that show at the end of the ledger."""
        if not self._checked["events"]:
            yield "the ledger holds no event, so that there is nothing to verify"
        if self._due:
            yield "what winners share was to be mined after the last event, and was not"
        yield from self._motifs.overdue()

    def notes(self) -> Iterator[str]:
        """What should be known though it holds."""
        return self._motifs.otherwise_admitted()

    def _problems(self, event: Event) -> Iterator[str]:
        payload, kind = event.payload, event.kind
        yield from self._order.check(event)
        yield from self._tasks.check(event)
        yield from self._complete.check(event)
        if kind == "run.started":
            yield from self._begin_run(payload)
        elif kind == "task.started":
            yield from self._begin_task(payload)
        elif kind == "evaluated":
            yield from self._costs.evaluated(payload)
            yield from self._policies.evaluated(payload)
        elif kind == "filtered":
            self._policies.round_ends()
        elif kind == "trained":
            yield from self._inheritance.trained(payload)
            self._reviews.trained(payload, certificate=self._tasks.certificate(str(payload["architecture"])))
        elif kind in ("admitted", "refused"):
            self._reviews.decided(payload, kind)
            if kind == "admitted":
                trained = self._tasks.trained.get(str(payload["digest"]))
                self._let_in(event, self._tasks.run, self._tasks.name, trained)
        elif kind == "reviewed":
            yield from self._reviewed(event)
        elif kind in ("motif.quarantined", "motif.restored"):
            self._checked["motifs judged again"] += 1
            yield from self._motifs.judged_again(event)
        elif kind.startswith("watch."):
            self._checked["watched batches"] += kind == "watch.batch"
            yield from self._watches.check(
                event, admitted=self._tasks.admitted, run=self._tasks.run, task=self._tasks.name
            )
        elif kind == "subcells.mined" or kind in OUTCOMES:
            yield from self._built(event)
        elif kind in ("subcell.revoked", "operator.revoked"):
            self._checked["revocations"] += 1
            yield from self._revocations.revoked(event)
        elif kind.startswith("policy."):
            self._checked["policy decisions"] += 1
            yield from self._policies.decided(event)
        elif kind not in FACTS:
            yield "no event of such a kind is known, so what it claims cannot be checked"

    def _begin_run(self, payload: Mapping[str, Json]) -> Iterator[str]:
        """What a run records of stream, set and suite must have the recorded digests."""
        if hashlib.sha256(canonical_json(payload["stream"]).encode()).hexdigest() != payload["stream_digest"]:
            yield "the recorded stream does not have the recorded digest"
        set_, fault = _usable(recorded_set, payload["constraint_set"])
        if fault or (set_ is not None and set_.digest != payload["constraint_set_digest"]):
            yield fault or "the recorded constraint set does not have the recorded digest"
        suite, fault = _usable(recorded_suite, payload["audit_suite"])
        if fault or (suite is not None and suite.digest != payload["audit_suite_digest"]):
            yield fault or "the recorded audit suite does not have the recorded digest"
        self._tasks.run_begins(payload, set_, suite)
        self._complete.run_begins(payload)
        self._motifs.run_begins(payload, set_)
        self._composing.run_begins(set_)
        self._inheritance.run_begins(payload)
        self._reviews.run_begins(payload, approval=suite.approval if suite else "before-reuse")
        yield from self._costs.run_begins(payload)
        yield from self._policies.run_begins(payload)

    def _begin_task(self, payload: Mapping[str, Json]) -> Iterator[str]:
        self._costs.task_begins(payload)
        self._policies.task_begins()
        self._inheritance.task_begins(payload)
        if not self._tasks.tabular:
            yield from self._reviews.task_begins(payload)
            yield from self._motifs.task_begins(payload)
            if self._state is not None:
                yield from self._composing.task_begins(self._state, payload)

    def _reviewed(self, event: Event) -> Iterator[str]:
        payload = event.payload
        self._checked["reviews"] += 1
        yield from self._reviews.reviewed(payload)
        self._tasks.reviewed(payload)
        if payload["standing"] == "refused":
            self._motifs.revoked(payload)
        else:
            yield from self._tasks.weights(payload)
        if payload["decision"] == "overrule" and payload["standing"] == "admitted":
            self._let_in(event, int(number(payload["run"])), str(payload["task"]), None)

    def _built(self, event: Event) -> Iterator[str]:
        """A list of mined sub-cells, or an operator composed of one."""
        self._revocations.listed(event)
        if event.kind == "subcells.mined":
            self._checked["lists of sub-cells"] += 1
            if self._state is not None:
                yield from check_mining(self._state, event.payload)
        else:
            self._checked["composed operators"] += 1
            if self._state is not None:
                yield from self._composing.decided(self._state, event.kind, event.payload)

    def _let_in(self, event: Event, run: int, task: str, trained: Mapping[str, Json] | None) -> None:
        """Remember a motif, for what is said of it later."""
        self._inheritance.let_in(event.payload, run=run, task=task)
        shape = self._tasks.shape(run, task)
        if shape is not None:
            self._motifs.let_in(event, shape, run=run, task=task, trained=trained)


def _usable(read: Callable[[str], Recorded], section: Json) -> tuple[Recorded | None, str]:
    """What a run recorded of a file; None and why where it cannot be used."""
    try:
        return read(str(mapping(section)["text"])), ""
    except _UNREADABLE as error:
        return None, f"{mapping(section).get('name')!r} cannot be used: {error}"
