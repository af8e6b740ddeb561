"""What a ledger holds about one network, event by event: all that a dossier may derive a sentence from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from agent.gate.review import chosen
from agent.ledger import events as ledger_events
from agent.ledger.events import Event, Facts, LedgerError
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.state.state import LifeState
from selfnas.errors import InputError

__all__ = ["Evidence", "Noted", "gathered", "later_events", "read_evidence", "weights_problems"]

Kind = TypeVar("Kind", bound=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Generic[Kind]):
    """An event that says something of the network.

    Attributes:
        seq: its number.
        hash: of the event.
        facts: what it says.
    """

    seq: int
    hash: str
    facts: Kind


@dataclass(slots=True, kw_only=True)
class Evidence:
    """One finalist, and every event that concerns it.

    Attributes:
        run: number of its run.
        task: name of its task.
        digest: SHA-256 of its architecture.
        head: the last event that was read.
        began: start of its run.
        started: start of its task.
        certified: admission by the constraint gate; None where it was recalled with a certificate of an earlier run.
        evaluated: its low-fidelity trainings.
        trained: its full training.
        audited: what the audits found.
        outcome: what followed: `Admitted` or `Refused`.
        compared: the hand-designed network of the task.
        baselined: baselines of the task.
        finished: end of the task.
        filtered: what was kept out in each round of the task.
        tuned: decisions about the search policy in its run, up to the end of its task.
        changes: decisions of people and of later constraint sets about it, in order.
        watched: what was seen of it on new data.
        deployed: files for somebody else that it was written as.
    """

    run: int
    task: str
    digest: str
    head: Noted[Facts]
    began: Noted[ledger_events.RunStarted]
    started: Noted[ledger_events.TaskStarted]
    trained: Noted[ledger_events.Trained]
    certified: Noted[ledger_events.Certified] | None = None
    evaluated: list[Noted[ledger_events.Evaluated]] = field(default_factory=list)
    audited: Noted[ledger_events.Audited] | None = None
    outcome: Noted[ledger_events.Admitted] | Noted[ledger_events.Refused] | None = None
    compared: Noted[ledger_events.Compared] | None = None
    baselined: Noted[ledger_events.Baselined] | None = None
    finished: Noted[ledger_events.TaskFinished] | None = None
    filtered: list[Noted[ledger_events.Filtered]] = field(default_factory=list)
    tuned: list[Noted[ledger_events.PolicyDecided]] = field(default_factory=list)
    changes: list[Noted[ledger_events.Reviewed] | Noted[ledger_events.MotifRevised]] = field(default_factory=list)
    watched: list[Noted[ledger_events.WatchEvent]] = field(default_factory=list)
    deployed: list[Noted[ledger_events.Deployed]] = field(default_factory=list)

    @property
    def reviews(self) -> list[Noted[ledger_events.Reviewed]]:
        """What people decided about it, oldest first."""
        return [_as(one, one.facts) for one in self.changes if isinstance(one.facts, ledger_events.Reviewed)]

    @property
    def standing(self) -> str:
        """After what people decided, as of the head."""
        if self.reviews:
            return str(self.reviews[-1].facts.standing)
        admitted = self.outcome is not None and isinstance(self.outcome.facts, ledger_events.Admitted)
        return "admitted" if admitted else "refused"

    @property
    def quarantined(self) -> bool:
        """Whether a later constraint set keeps it out, as of the head."""
        revised = [one for one in self.changes if isinstance(one.facts, ledger_events.MotifRevised)]
        return bool(revised) and isinstance(revised[-1].facts, ledger_events.MotifQuarantined)


def read_evidence(
    ledger: Ledger, digest: str, *, task: str | None = None, run: int | None = None, until: int | None = None
) -> Evidence:
    """Everything about the only network whose digest begins so.

    Args:
        ledger: of the life.
        digest: beginning of the architecture's.
        task: only networks of this task; None for all.
        run: only networks of the run with this number; None for all.
        until: number of the last event that counts; None reads to the end.

    Raises:
        InputError: no such network, or several; or it was not trained to the end.
        LedgerError: an event is none of ours, or cannot follow those before it.
    """
    events = list(ledger.events(until=until, checked=True))
    state = LifeState()
    for event in events:
        state.apply(event)
    where, held, finalist = chosen(state, digest, task=task, run=run)
    if finalist.trained.reason or not finalist.trained.weights_sha256:
        raise InputError(f"{finalist.digest[:12]} was not trained to the end: there is no network to tell of")
    return gathered(events, run=where.number, task=held.name, digest=finalist.digest)


def later_events(evidence: Evidence, ledger: Ledger) -> list[Event[Facts]]:
    """What the ledger says of the network after the head that a dossier was made at."""
    numbers = {evidence.outcome.seq} if evidence.outcome else set[int]()
    numbers |= {one.seq for one in evidence.reviews}
    found = []
    for event in ledger.events(since=evidence.head.seq + 1, checked=True):
        if _concerns(event.facts, evidence, numbers):
            found.append(event)
            numbers.add(event.seq)
    return found


def gathered(events: Iterable[Event[Facts]], *, run: int, task: str, digest: str) -> Evidence:
    """Of a life's events those about one finalist."""
    found: Evidence | None = None
    began: Noted[ledger_events.RunStarted] | None = None
    opening: list[Event[Facts]] = []  # of the task, before its finalist was trained
    number, here, mine = 0, False, set[int]()
    last: Event[Facts] | None = None
    for event in events:
        last, facts = event, event.facts
        if isinstance(facts, ledger_events.RunStarted):
            number, here = number + 1, False
            began = _noted(event, facts) if number == run else began
        elif isinstance(facts, ledger_events.TaskStarted):
            here = number == run and facts.task == task
        if here and found is None:
            opening.append(event)
            if isinstance(facts, ledger_events.Trained) and facts.digest == digest and began is not None:
                found = _opened(opening, began, _noted(event, facts), run=run)
        elif found is not None:
            if here:
                _note(found, event)
            if isinstance(facts, ledger_events.PolicyDecided) and number == run and not found.finished:
                found.tuned.append(_noted(event, facts))
            if _concerns(facts, found, mine):
                _follow(found, event, mine)
            elif found.outcome is not None:
                mine.add(found.outcome.seq)
    if found is None or last is None:
        raise LedgerError(f"the ledger has no training of {digest[:12]} in run {run}, task {task}")
    found.head = _noted(last, last.facts)
    return found


def _opened(
    opening: list[Event[Facts]],
    began: Noted[ledger_events.RunStarted],
    trained: Noted[ledger_events.Trained],
    *,
    run: int,
) -> Evidence:
    """What stands before the training of a finalist in its task."""
    first = opening[0]
    started = first.facts
    if not isinstance(started, ledger_events.TaskStarted):
        raise LedgerError(f"event {first.seq} ({first.kind}) begins no task")
    found = Evidence(
        run=run, task=started.task, digest=trained.facts.digest, head=_noted(first, first.facts), began=began,
        started=_noted(first, started), trained=trained,
    )  # fmt: skip
    for event in opening:
        match event.facts:
            case ledger_events.Certified() as facts if facts.architecture == trained.facts.architecture:
                found.certified = _noted(event, facts)
            case ledger_events.Evaluated() as facts if facts.digest == found.digest:
                found.evaluated.append(_noted(event, facts))
            case ledger_events.Filtered() as facts:
                found.filtered.append(_noted(event, facts))
    return found


def _note(found: Evidence, event: Event[Facts]) -> None:
    """One further event of the task."""
    match event.facts:
        case ledger_events.Audited() as facts if facts.digest == found.digest:
            found.audited = _noted(event, facts)
        case ledger_events.Admitted() as facts if facts.digest == found.digest:
            found.outcome = _noted(event, facts)
        case ledger_events.Refused() as facts if facts.digest == found.digest:
            found.outcome = _noted(event, facts)
        case ledger_events.Compared() as facts:
            found.compared = _noted(event, facts)
        case ledger_events.Baselined() as facts:
            found.baselined = _noted(event, facts)
        case ledger_events.Filtered() as facts:
            found.filtered.append(_noted(event, facts))
        case ledger_events.TaskFinished() as facts:
            found.finished = _noted(event, facts)


def _concerns(facts: Facts, found: Evidence, mine: set[int]) -> bool:
    """Whether an event decides about the network, or tells of it in service; `mine` are numbers of its admissions."""
    match facts:
        case ledger_events.Reviewed():
            return facts.where == (found.run, found.task, found.digest)
        case ledger_events.Deployed():
            return (facts.run, facts.task, facts.digest) == (found.run, found.task, found.digest)
        case ledger_events.MotifRevised():
            return facts.admitted_seq in mine
        case ledger_events.WatchStarted():
            return (facts.run, facts.in_service, facts.digest) == (found.run, found.task, found.digest)
        case ledger_events.WatchEvent():
            return bool(found.watched) and found.watched[-1].facts.task == facts.task
    return False


def _follow(found: Evidence, event: Event[Facts], mine: set[int]) -> None:
    match event.facts:
        case ledger_events.Reviewed() as facts:
            found.changes.append(_noted(event, facts))
            mine.add(event.seq)
        case ledger_events.MotifRevised() as facts:
            found.changes.append(_noted(event, facts))
        case ledger_events.WatchEvent() as facts:
            found.watched.append(_noted(event, facts))
        case ledger_events.Deployed() as facts:
            found.deployed.append(_noted(event, facts))


def _noted(event: Event[Facts], facts: Kind) -> Noted[Kind]:
    return Noted(seq=event.seq, hash=event.hash, facts=facts)


def _as(one: Noted[Any], facts: Kind) -> Noted[Kind]:
    return Noted(seq=one.seq, hash=one.hash, facts=facts)


def weights_problems(found: Evidence, home: Home) -> Iterator[str]:
    """The file that the dossier is about is the one that the ledger names."""
    sha256 = found.trained.facts.weights_sha256
    try:
        content = home.weights_file(sha256).read_bytes()
    except (OSError, InputError):
        yield f"weights {sha256[:12]}… are not in this home"
        return
    if hashlib.sha256(content).hexdigest() != sha256:
        yield f"weights {sha256[:12]}… of this home were changed"
