"""Whose decisions about a finalist count under the suite in force, how many there are, and how many are wanted.

The suite in force is that of the latest run, as with the constraint set. Approvals are counted since the finalist last
came to stand admitted, with those who let it in among them; votes to overrule a refusal since it last came to stand
refused. To send back begins both counts anew, and one overrule of an admission ends it. A person counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.ledger.events import SEND_BACK, UNSET, Reviewed, Standing
from agent.ledger.review_signature import short, signature_fault
from agent.state.state import Finalist, LifeState, Motif, RunState
from audits.contract.reviewing import USUAL_TERMS, ReviewTerms, terms_of

__all__ = [
    "Count",
    "Voter",
    "approved",
    "counted",
    "joined",
    "person",
    "terms_in_force",
    "uncounted",
    "uncounted_of",
    "voter",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """A person as far as a life can tell persons apart.

    Attributes:
        name: as the decision gives it; of a named reviewer, as the suite does.
        marks: what no other person has: name and key, or the key alone where the suite names reviewers.
    """

    name: str
    marks: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How far people are with a finalist.

    Attributes:
        decision: what is counted: `approve` where it stands admitted, `overrule` where it stands refused.
        wanted: how many persons.
        by: those that count, the first first.
        revoked: whether a person ended an admission, and nobody has let it in again.
    """

    decision: Literal["approve", "overrule"]
    wanted: int
    by: tuple[Voter, ...] = ()
    revoked: bool = False

    @property
    def met(self) -> bool:
        """Whether there are enough."""
        return len(self.by) >= self.wanted

    @property
    def names(self) -> list[str]:
        """Of the persons that count."""
        return [one.name for one in self.by]

    def __str__(self) -> str:
        """As a person reads it.

        Example:
            >>> print(Count(decision="approve", wanted=2, by=(Voter(name="Ann", marks=frozenset()),)))
            1 of 2 approved, by Ann
        """
        done = "approved" if self.decision == "approve" else "overruled"
        by = f", by {', '.join(self.names)}" if self.by else ""
        return f"{len(self.by)} of {self.wanted} {done}{by}"


def terms_in_force(state: LifeState) -> ReviewTerms:
    """What the suite of the latest run wants of people; the usual terms before any run.

    Raises:
        InputError: the recorded suite cannot be read.
    """
    return terms_of(state.runs[-1].started.audit_suite.text) if state.runs else USUAL_TERMS


def counted(terms: ReviewTerms, run: RunState, finalist: Finalist) -> Count:
    """Persons who decided about a finalist of a run so that it counts."""
    tally = _Tally(stands=finalist.outcome or Standing.REFUSED)
    for one in finalist.reviews:
        tally.add(one.facts, voter(terms, run, one.facts))
    if tally.stands == Standing.ADMITTED:
        return Count(decision="approve", wanted=terms.approvals, by=tuple(tally.approved))
    return Count(decision="overrule", wanted=terms.overrules, by=tuple(tally.overruled), revoked=tally.revoked)


def approved(state: LifeState, terms: ReviewTerms, motif: Motif) -> bool:
    """Whether enough persons approved a motif of the library, for memory to give it to later tasks."""
    if terms == USUAL_TERMS:
        return bool(motif.review)
    run = state.runs[motif.run - 1]
    return counted(terms, run, run.tasks.named(motif.task).finalist(motif.digest)).met


def voter(terms: ReviewTerms, run: RunState, said: Reviewed) -> Voter | None:
    """The person of a decision about a finalist of that run; None where it does not count."""
    if uncounted_of(terms, run, said):
        return None
    return person(terms, author=said.author, key="" if said.signed is UNSET else said.signed.key)


def uncounted_of(terms: ReviewTerms, run: RunState, said: Reviewed) -> str:
    """Why a recorded decision about a finalist of that run does not count; empty where it does."""
    key = "" if said.signed is UNSET else said.signed.key
    return signature_fault(said) or uncounted(terms, run, author=said.author, key=key)


def person(terms: ReviewTerms, *, author: str, key: str) -> Voter:
    """Who an author with that public key, or with none, is; whether the person counts is another question."""
    named = terms.reviewer(key)
    if named is not None:
        return Voter(name=named.name, marks=frozenset({named.key}))
    return Voter(name=author, marks=frozenset(filter(None, (f"name {author.casefold()}", key))))


def uncounted(terms: ReviewTerms, run: RunState, *, author: str, key: str) -> str:
    """Why a decision of that author, signed with that key or with none, does not count; empty where it does."""
    named = terms.reviewer(key)
    if terms.reviewers and named is None:
        people = ", ".join(one.name for one in terms.reviewers)
        how = f"key {short(key)} is of none of them" if key else "this one is not signed (--sign KEY)"
        return f"the suite in force counts only decisions that {people} signed, and {how}"
    if named is not None and named.name.casefold() != author.casefold():
        return f"the suite in force says that key {short(key)} is of {named.name}, and the author is {author}"
    if terms.runner == "excluded":
        who = run.started.record.run_by
        if not who:
            return f"the suite in force does not count who ran run {run.number}, and nobody recorded who did (`run_by`)"
        if who.casefold() == author.casefold():
            return f"{author} ran run {run.number}, and the suite in force does not count who did"
    return ""


def joined(by: tuple[Voter, ...], one: Voter) -> tuple[Voter, ...]:
    """The same persons and one more, unless it is one of them."""
    return by if any(one.marks & other.marks for other in by) else (*by, one)


@dataclass(slots=True)
class _Tally:
    """Follows the decisions about one finalist."""

    stands: Standing
    approved: tuple[Voter, ...] = ()
    overruled: tuple[Voter, ...] = ()
    revoked: bool = False

    def add(self, said: Reviewed, one: Voter | None) -> None:
        """One decision more; of a person that does not count only what came to stand is taken."""
        if said.decision == SEND_BACK:
            if one is not None:
                self.approved = self.overruled = ()
        elif said.decision == "approve":
            self.approved = self.approved if one is None else joined(self.approved, one)
        elif said.standing == self.stands:  # a vote to let it in that was not the last one needed
            self.overruled = self.overruled if one is None else joined(self.overruled, one)
        else:
            let_in = said.standing == Standing.ADMITTED
            votes = self.overruled if one is None else joined(self.overruled, one)
            self.approved, self.overruled = votes if let_in else (), ()
            self.revoked = not let_in
        self.stands = said.standing
