"""What verification holds decisions of people to: somebody answers for them, and what stands follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.gate.review import typed_line
from agent.ledger import events
from agent.ledger.review_signature import signature_fault
from agent.ledger.store import Ledger
from audits.contract.reviewing import USUAL_TERMS, ReviewTerms
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
    run: events.RunStarted | None = None
    said: list[tuple[events.Reviewed, str]] = field(default_factory=list)  # with what stood before


class ReviewChecker:
    """Follows admissions and decisions of people through a ledger, sharing no code with what wrote them."""

    def __init__(self) -> None:
        self._cases: dict[tuple[int, str, str], _Case] = {}
        self._run, self._task, self._set, self._approval = 0, "", "", "none"
        self._started: events.RunStarted | None = None
        self._terms = USUAL_TERMS

    def run_begins(self, started: events.RunStarted, *, approval: str, terms: ReviewTerms = USUAL_TERMS) -> list[str]:
        """A run under a constraint set, and a suite that says whether and whose approval it asks for; problems."""
        self._run, self._set, self._approval = self._run + 1, started.constraint_set_digest, approval
        self._started, self._terms = started, terms
        if terms.runner == "excluded" and not started.record.run_by:
            return ["its suite leaves whoever runs the life out of review, and the run does not say who does"]
        return []

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
            elif self._approval == "before-reuse":
                most = max(self._counted(case) for case in cases if case.standing == events.Standing.ADMITTED)
                if most < self._terms.approvals:
                    told = f"{most} of {self._terms.approvals} approvals"
                    yield f"recalled {recalled.digest[:12]} with {told} that the suite asks for"

    def trained(self, trained: events.Trained, *, certificate: str) -> None:
        """A finalist."""
        self._cases[self._run, self._task, trained.digest] = _Case(trained, certificate, self._set, run=self._started)

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
        if (why := self._ignored(review, case)) and not signature_fault(review):  # which has a checker of its own
            yield f"the suite in force does not count it: {why}"
        if review.decision == events.SEND_BACK:
            yield from self._sent_back(review, case)
            case.said.append((review, case.standing))
            return
        before, case.said = case.standing, [*case.said, (review, case.standing)]
        flipped = events.Standing.REFUSED
        if before == events.Standing.REFUSED and review.decision == "overrule":
            votes, wanted = self._counted(case), self._terms.overrules
            flipped = events.Standing.ADMITTED if votes >= wanted else events.Standing.REFUSED
            if review.standing != flipped and wanted > 1:
                yield f"{votes} of {wanted} persons that the suite wants overruled, and it stands {review.standing}"
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
        if review.standing == events.Standing.ADMITTED or before == events.Standing.REFUSED:
            if not case.certificate:
                yield "let in without a certificate issued on its task"
            if case.standing == events.Standing.REFUSED and case.constraint_set != self._set:
                yield "let in under another constraint set than it was certified under"
        case.standing = review.standing

    def _ignored(self, review: events.Reviewed, case: _Case) -> str:
        """Why the suite in force does not count a decision; empty where it does."""
        terms, key = self._terms, review.signed.key if review.signed is not events.UNSET else ""
        if review.signed is not events.UNSET and signature_fault(review):
            return "its signature is wrong"
        if terms.reviewers:
            names = [one.name for one in terms.reviewers if one.key == key]
            if not names:
                return "it is not signed by a reviewer whom the suite names"
            if names[0].casefold() != review.author.casefold():
                return f"its key is of {names[0]}, its author {review.author}"
        if terms.runner == "excluded":
            runner = case.run.record.run_by if case.run is not None else None
            if not runner or runner.casefold() == review.author.casefold():
                return "its author ran the life, or nobody recorded who did"
        return ""

    def _counted(self, case: _Case) -> int:
        """How many persons are for what stands, or would have it in: those since it came to stand so, each once.

        By key where the suite names reviewers, else two are one person who share a name or a key.
        """
        held: list[events.Reviewed] = []
        for review, before in case.said:
            if review.decision == events.SEND_BACK:
                held = held if self._ignored(review, case) else []
            elif review.standing == events.Standing.REFUSED and before == events.Standing.ADMITTED:
                held = []
            else:
                held.append(review)
        persons: list[set[str]] = []
        for review in held:
            key = "" if review.signed is events.UNSET else review.signed.key
            marks = {key} if self._terms.reviewers else {f"name {review.author.casefold()}", key} - {""}
            if not self._ignored(review, case) and not any(marks & other for other in persons):
                persons.append(marks)
        return len(persons)

    def _settled(self, case: _Case) -> bool:
        """Whether enough persons approved, or one ended an admission that nobody since wanted back."""
        count = self._counted(case)
        if case.standing == events.Standing.ADMITTED:
            return count >= self._terms.approvals
        return not count and any(before == events.Standing.ADMITTED for review, before in case.said
                                 if review.standing == events.Standing.REFUSED)  # fmt: skip

    def _sent_back(self, review: events.Reviewed, case: _Case) -> Iterator[str]:
        """It changes nothing, and comes before any decision that does."""
        if review.standing != case.standing:
            yield f"send back of what stood {case.standing} cannot give {review.standing}"
        if self._settled(case):
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
