"""What verification holds signed decisions to: the signature fits the event, and what was seen was the latest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.ledger import events
from agent.ledger.review_signature import signature_fault
from agent.ledger.store import Ledger

__all__ = ["SignatureChecker", "unsigned"]


class SignatureChecker:
    """Follows the latest event about each finalist."""

    def __init__(self) -> None:
        self._run, self._task = 0, ""
        self._latest: dict[tuple[int, str, str], str] = {}

    def check(self, event: events.Event[events.Facts]) -> Iterator[str]:
        """Problems of one event, in sentences."""
        match event.facts:
            case events.RunStarted():
                self._run += 1
            case events.TaskStarted() as started:
                self._task = started.task
            case events.Admitted() | events.Refused() as decided:
                self._latest[self._run, self._task, decided.digest] = event.hash
            case events.Reviewed() as review:
                yield from self._reviewed(review)
                self._latest[review.where] = event.hash

    def _reviewed(self, review: events.Reviewed) -> Iterator[str]:
        if review.signed is events.UNSET:
            return
        if fault := signature_fault(review):
            yield fault
        if review.signed.after != self._latest.get(review.where):
            yield "it was signed about another state of the finalist than it follows"


def unsigned(ledger: Ledger, keys: Sequence[str]) -> tuple[int, list[str]]:
    """How many decisions are signed by one of some keys, and a sentence for each that is not."""
    good, problems = 0, []
    for event in ledger.events():
        if not isinstance(event.facts, events.Reviewed):
            continue
        signed = event.facts.signed
        if signed is not events.UNSET and signed.key in keys:
            good += 1
            continue
        how = "is not signed" if signed is events.UNSET else "is signed by a key that was not named"
        problems.append(f"event {event.seq}: the decision of {event.facts.author} {how}")
    return good, problems
