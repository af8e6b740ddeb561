"""What verification holds decisions of people to: somebody answers for them, and what stands follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.gate.review import typed_line
from agent.ledger import events
from agent.ledger.review_signature import signature_fault
from agent.ledger.store import Ledger
from selfnas.errors import InputError
from selfnas.spaces.named import adapted, parse_architecture

__all__ = ["ReviewChecker", "RevocationChecker", "SignatureChecker", "unsigned"]


@dataclass(slots=True)
class _Case:
    """A finalist as `verify` follows it."""

    trained: events.Trained
    certificate: str
    constraint_set: str
    standing: str = ""
    approved: bool = False
    settled: bool = False  # whether a person approved or overruled


class ReviewChecker:
    """Follows admissions and decisions of people through a ledger, sharing no code with what wrote them."""

    def __init__(self) -> None:
        self._cases: dict[tuple[int, str, str], _Case] = {}
        self._run, self._task, self._set, self._approval = 0, "", "", "none"

    def run_begins(self, started: events.RunStarted, *, approval: str) -> None:
        """A run under a constraint set, and a suite that does or does not ask for approval."""
        self._run, self._set, self._approval = self._run + 1, started.constraint_set_digest, approval

    def task_begins(self, started: events.TaskStarted) -> Iterator[str]:
        """Nothing may be recalled that stands refused, or that waits for approval where the suite asks for it."""
        self._task = started.task
        for one in started.recalled:
            recalled = parse_architecture(one.architecture)
            cases = [
                case
                for key, case in self._cases.items()
                if key[:2] == (one.from_run, one.from_task)
                and adapted(case.trained.architecture, recalled.space, recalled.macro) == recalled
            ]
            if not any(case.standing == events.Standing.ADMITTED for case in cases):
                yield f"recalled {recalled.digest[:12]}, which does not stand admitted"
            elif self._approval == "before-reuse" and not any(case.approved for case in cases):
                yield f"recalled {recalled.digest[:12]} without the approval that the suite asks for"

    def trained(self, trained: events.Trained, *, certificate: str) -> None:
        """A finalist."""
        self._cases[self._run, self._task, trained.digest] = _Case(trained, certificate, self._set)

    def decided(self, facts: events.Admitted | events.Refused) -> None:
        """What gate and audits decided about it."""
        case = self._cases.get((self._run, self._task, facts.digest))
        if case is not None:
            case.standing = events.Standing.ADMITTED if isinstance(facts, events.Admitted) else events.Standing.REFUSED

    def reviewed(self, review: events.Reviewed) -> Iterator[str]:
        """What a person decided: problems in sentences."""
        case = self._cases.get(review.where)
        if case is None or not case.standing:
            yield "decides about a finalist that this life does not have"
            return
        flipped = events.Standing.REFUSED if case.standing == events.Standing.ADMITTED else events.Standing.ADMITTED
        if review.decision == events.SEND_BACK:
            yield from self._sent_back(review, case)
            return
        expected = {"approve": events.Standing.ADMITTED, "overrule": flipped}.get(review.decision)
        if review.standing != expected or (review.decision == "approve" and case.standing != events.Standing.ADMITTED):
            yield f"{review.decision} of what stood {case.standing} cannot give {review.standing}"
        yield from _untyped(review.author, review.reason)
        if not review.author.strip():
            yield "a decision without an author"
        if review.decision == "overrule" and not review.reason.strip():
            yield "an overrule without a reason"
        trained = case.trained
        if (trained.architecture, trained.weights_sha256) != (review.architecture, review.weights_sha256):
            yield "what was decided about is not what was trained"
        if review.standing == events.Standing.ADMITTED:
            if not case.certificate:
                yield "let in without a certificate issued on its task"
            if case.standing == events.Standing.REFUSED and case.constraint_set != self._set:
                yield "let in under another constraint set than it was certified under"
        case.standing, case.settled = review.standing, True
        case.approved = case.standing == events.Standing.ADMITTED

    def _sent_back(self, review: events.Reviewed, case: _Case) -> Iterator[str]:
        """It changes nothing, and comes before any decision that does."""
        if review.standing != case.standing:
            yield f"send back of what stood {case.standing} cannot give {review.standing}"
        if case.settled:
            yield "sends back what a person had decided about"
        yield from _untyped(review.author, review.reason)
        if not (review.author.strip() and review.reason.strip()):
            yield "sends back without an author or a reason"
        if (case.trained.architecture, case.trained.weights_sha256) != (review.architecture, review.weights_sha256):
            yield "what was sent back is not what was trained"


def _untyped(*texts: str) -> Iterator[str]:
    """What nobody can have typed: signs that cannot be shown, or more of them than are taken."""
    for text in filter(str.strip, texts):
        try:
            typed = typed_line(text, "what was typed")
        except InputError as error:
            yield str(error)
            continue
        if typed != text:
            yield f"what was typed is kept as one line, and this is none: {text[:40]!r}"


class RevocationChecker:
    """Follows mined sub-cells and composed operators through a ledger: a revocation takes out what was in force."""

    def __init__(self) -> None:
        self._mined: dict[tuple[str, bool], dict[str, tuple[str, str]]] = {}  # space and text, by list and digest
        self._operators: dict[str, tuple[str, str]] = {}  # space and spelling, by digest
        self._revoked: set[str] = set()

    def listed(self, facts: events.SubcellsMined | events.OperatorDecided) -> None:
        """The latest sub-cells of a space, or one more operator where it was admitted."""
        match facts:
            case events.SubcellsMined():
                listed = {one.digest: (one.space, one.text) for one in facts.subcells}
                self._mined[facts.space, facts.tabular] = listed
            case events.OperatorAdmitted():
                self._operators[facts.digest] = facts.space, facts.operator

    def revoked(self, facts: events.SubcellRevoked | events.OperatorRevoked) -> Iterator[str]:
        """Problems of a revocation."""
        if isinstance(facts, events.OperatorRevoked):
            name, known = facts.operator, [self._operators]
        else:
            name, known = facts.text, list(self._mined.values())
        if not any(listed.get(facts.digest) == (facts.space, name) for listed in known):
            yield f"it takes out {name}, which was not in force"
        if facts.digest in self._revoked:
            yield f"it takes out {name} a second time"
        answers = {"author": facts.author, "reason": facts.reason}
        yield from _untyped(*answers.values())
        yield from (f"a revocation without {word}" for word, text in answers.items() if not text.strip())
        self._revoked.add(facts.digest)


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
