"""What a ledger holds about all that a life admitted: the evidence of each network, and what is of the life itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.dossier.evidence import Evidence, Noted, gathered
from agent.gate.counting import Count, counted, terms_in_force
from agent.gate.review import finalists
from agent.ledger.events import Event, Facts, LedgerError, Reviewed, RunStarted, Standing
from agent.ledger.store import Ledger
from agent.state.state import LifeState
from selfnas.errors import InputError

__all__ = ["LifeEvidence", "read_life", "revoking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeEvidence:
    """A life up to one event.

    Attributes:
        head: the last event that was read.
        events: all of them, in order.
        runs: how each run began.
        standing: networks that stand admitted, in the order of their admission.
        ended: those that stood admitted once, and that a person revoked.
        approvals: of each network that stands, how many persons approved it as the suite in force counts them.
    """

    head: Noted[Facts]
    events: Sequence[Event[Facts]]
    runs: Sequence[Noted[RunStarted]]
    standing: Sequence[Evidence]
    ended: Sequence[Evidence]
    approvals: Sequence[Count]


def read_life(ledger: Ledger, *, until: int | None = None) -> LifeEvidence:
    """Everything about the networks that a life admitted.

    Args:
        ledger: of the life.
        until: number of the last event that counts; None reads to the end.

    Raises:
        InputError: nothing was ever admitted.
        LedgerError: an event is none of ours, or cannot follow those before it.
    """
    events = list(ledger.events(until=until, checked=True))
    state = LifeState()
    for event in events:
        state.apply(event)
    standing, ended, approvals = list[Evidence](), list[Evidence](), list[Count]()
    terms = terms_in_force(state)
    for run, task, finalist in finalists(state):
        if not finalist.trained.weights_sha256 or finalist.trained.reason:
            continue
        stood = [finalist.outcome, *(one.facts.standing for one in finalist.reviews)]
        if Standing.ADMITTED in stood:
            found = gathered(events, run=run.number, task=task.name, digest=finalist.digest)
            if finalist.standing == Standing.ADMITTED:
                standing.append(found)
                approvals.append(counted(terms, run, finalist))
            else:
                ended.append(found)
    if not events or not (standing or ended):
        raise InputError("this life admitted no network: there is nothing to tell of")
    runs = [
        Noted(seq=event.seq, hash=event.hash, facts=event.facts)
        for event in events
        if isinstance(event.facts, RunStarted)
    ]
    last = events[-1]
    head = Noted(seq=last.seq, hash=last.hash, facts=last.facts)
    return LifeEvidence(head=head, events=events, runs=runs, standing=standing, ended=ended, approvals=approvals)


def revoking(found: Evidence) -> Noted[Reviewed]:
    """The decision that ended its admission.

    Raises:
        LedgerError: there is none.
    """
    for one in reversed(found.reviews):
        if one.facts.standing == Standing.REFUSED:
            return one
    raise LedgerError(f"{found.digest[:12]} stands refused, and nobody decided so")
