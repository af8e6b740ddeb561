"""What people decide about finalists, and the event of a decision.

A person *approves* what stands admitted, or *overrules*: reverses what stands. Overruling a refusal by the audits lets
the network into the library, marked; overruling an admission revokes it. Only the audits can be overruled: a
finalist needs a certificate of the constraint set in force, full training and weights. Before anybody has done either,
a person may *send back* a finalist: ask for another audit, which leaves what stands. Where the suite in force wants
several persons (`agent/gate/counting.py`), a refusal stands until the last of them overruled it. Author and reason are
in the event and so in its hash; the time is where all times are, beside the events and in no hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from agent.gate.counting import Voter, counted, joined, person, terms_in_force, uncounted
from agent.ledger.events import SEND_BACK, Reviewed, Standing
from agent.state.state import Finalist, LifeState, RunState, TaskState
from audits.contract.reviewing import ReviewTerms
from selfnas.errors import InputError

__all__ = ["Decision", "answered", "chosen", "finalists", "moment", "only", "review", "stage"]

_LONGEST = 2000  # characters of a reason; MLflow cuts longer tags at 5,000

Decision = Literal["approve", "overrule", "send back"]
Stage = Literal["awaiting", "sent back", "decided"]
Found = TypeVar("Found")


def finalists(state: LifeState) -> Iterator[tuple[RunState, TaskState, Finalist]]:
    """Every finalist about which the audits have decided, oldest first."""
    for run, task in state.tasks():
        yield from ((run, task, finalist) for finalist in task.finalists if finalist.outcome)


def stage(terms: ReviewTerms, run: RunState, finalist: Finalist) -> Stage:
    """How far people are with a finalist of a run: it awaits them, was sent back, or enough approved or overruled.

    One whose admission a person ended is decided about, until somebody wants it back.
    """
    if finalist.reviews and finalist.reviews[-1].facts.decision == SEND_BACK:
        return "sent back"
    count = counted(terms, run, finalist)
    return "decided" if count.met or (count.revoked and not count.by) else "awaiting"


def review(
    state: LifeState,
    digest: str,
    decision: Decision,
    *,
    author: str,
    reason: str,
    task: str | None = None,
    run: int | None = None,
    event: int | None = None,
    seen: int | None = None,
    key: str = "",
) -> Reviewed:
    """The decision about the only finalist whose digest begins so.

    Args:
        decision: `approve` what stands admitted, `overrule` what stands, or `send back` what nobody decided about.
        task: only finalists of this task; None for all.
        run: only finalists of the run with this number; None for all.
        event: only the finalist about which this event decided; None for all.
        seen: number of the latest event about the finalist that the person knew; None for whatever there is.
        key: public key that it is to be signed with, in hexadecimal; empty for none.

    Raises:
        InputError: no such finalist, or several; no author or reason; something was decided about it that the person
            did not know; the suite in force does not count this person; or a decision that nobody can take: there is
            no certificate, no weights, or another constraint set is in force than the one it was certified under.
    """
    where, held, finalist = chosen(state, digest, task=task, run=run, event=event)
    author, reason = typed_line(author, "--author"), typed_line(reason, "--reason")
    if not author:
        raise InputError("a decision needs an --author")
    if decision != "approve" and not reason:
        raise InputError(f"{'an overrule' if decision == 'overrule' else 'to send back'} needs a --reason")
    _check_seen(finalist, seen)
    terms = terms_in_force(state)
    if why := uncounted(terms, where, author=author, key=key):
        raise InputError(f"{finalist.digest[:12]}: nothing was recorded: {why}")
    if decision == SEND_BACK and stage(terms, where, finalist) == "decided":
        raise InputError(f"{finalist.digest[:12]} was decided about already: it can be overruled, not sent back")
    if decision == "approve" and finalist.standing != Standing.ADMITTED:
        raise InputError(f"{finalist.digest[:12]} stands refused: only `overrule` with a reason can let it in")
    if decision == "approve" and state.library.seq_at((where.number, held.name, finalist.digest)) is None:
        raise InputError(f"{finalist.digest[:12]} is quarantined by the constraint set in force: it cannot be approved")
    if decision == "approve" or (decision == "overrule" and finalist.standing != Standing.ADMITTED):
        _check_admissible(state, where, held, finalist)
    standing = _standing_after(terms, where, finalist, decision, person(terms, author=author, key=key))
    return Reviewed(
        run=where.number,
        task=held.name,
        architecture=finalist.architecture,
        digest=finalist.digest,
        weights_sha256=finalist.trained.weights_sha256,
        decision=decision,
        standing=standing,
        author=author,
        reason=reason,
    )


def _standing_after(terms: ReviewTerms, run: RunState, finalist: Finalist, decision: Decision, who: Voter) -> Standing:
    stands = finalist.standing or Standing.REFUSED
    if decision != "overrule":
        return stands
    if stands == Standing.ADMITTED:
        return Standing.REFUSED
    votes = joined(counted(terms, run, finalist).by, who)
    return Standing.ADMITTED if len(votes) >= terms.overrules else Standing.REFUSED


def _check_seen(finalist: Finalist, seen: int | None) -> None:
    if seen is None or seen == finalist.latest:
        return
    last = finalist.reviews[-1].facts if finalist.reviews else None
    told = f"{last.author} decided ({last.decision}; it stands {last.standing})" if last else "it was decided"
    raise InputError(
        f"{finalist.digest[:12]}: nothing was recorded, for {told} in event {finalist.latest}, which you had not seen: "
        "look at it again"
    )


def chosen(
    state: LifeState, digest: str, *, task: str | None, run: int | None, event: int | None = None
) -> tuple[RunState, TaskState, Finalist]:
    """The only finalist that is meant; where there are several, they are named with what tells them apart."""
    found = [
        (held_by, held, finalist)
        for held_by, held, finalist in finalists(state)
        if finalist.digest.startswith(digest) and task in (None, held.name) and run in (None, held_by.number)
        if event is None or event in (finalist.event, *(one.seq for one in finalist.reviews))
    ]
    if event is not None and not found:
        about = f" whose digest begins with {digest!r}" if digest else ""
        raise InputError(
            f"event {event} decided about no finalist{about}: `selfnas review list` names the events that did"
        )
    if not (digest or event is not None) or not found:
        where = "".join(f", {word} {told}" for word, told in (("task", task), ("run", run)) if told is not None)
        raise InputError(
            f"no finalist{where} has a digest that begins with {digest!r}; constraint rejections are final"
        )
    if len(found) > 1:
        names = ", ".join(f"{one.digest[:16]} (task {held.name}, run {by.number})" for by, held, one in found)
        apart = {
            "more of its digest": len({one.digest for _, _, one in found}),
            "--task": len({held.name for _, held, _ in found}),
            "--run": len({by.number for by, _, _ in found}),
        }
        ways = " or ".join(way for way, several in apart.items() if several > 1)
        raise InputError(f"several finalists begin with {digest!r}: {names}; say which by {ways}")
    return found[0]


def _check_admissible(state: LifeState, run: RunState, task: TaskState, finalist: Finalist) -> None:
    name = finalist.digest[:12]
    if finalist.architecture not in task.certificates:
        raise InputError(f"{name} has no certificate: a person can overrule audits, never the constraint set")
    if not finalist.trained.weights_sha256 or finalist.trained.reason:
        raise InputError(f"{name} was not trained to the end: there is nothing to admit")
    in_force = state.runs[-1].started.constraint_set_digest
    if finalist.standing == Standing.REFUSED and run.started.constraint_set_digest != in_force:
        raise InputError(f"{name} was certified under another constraint set than the one in force: search it again")


def answered(author: str, reason: str) -> dict[str, str]:
    """Who answers for a revocation, and why, as its event keeps them.

    Raises:
        InputError: one of them is missing, too long, or with characters that cannot be shown.
    """
    answers = {"author": typed_line(author, "--author"), "reason": typed_line(reason, "--reason")}
    if not all(answers.values()):
        raise InputError("a revocation needs an --author and a --reason")
    return answers


def only(found: Mapping[str, Found], what: str, digest: str) -> Found | None:
    """The only one of what was found by digest; None where nothing was.

    Raises:
        InputError: there are several.
    """
    if len(found) > 1:
        raise InputError(f"several {what} begin with {digest!r}: {', '.join(key[:16] for key in sorted(found))}")
    return next(iter(found.values()), None)


def typed_line(text: str, option: str) -> str:
    """What a person typed, as one line.

    Raises:
        InputError: too long, or with characters that cannot be shown.
    """
    text = " ".join(text.split())
    if len(text) > _LONGEST or not text.isprintable():
        raise InputError(f"{option}: need at most {_LONGEST} printable characters")
    return text


def moment(times: Mapping[int, float], seq: int) -> str:
    """When an event was written, as people read it.

    Example:
        >>> moment({3: 0.0}, 3), moment({}, 3)
        ('1970-01-01 00:00 UTC', 'at a time that is not recorded')
    """
    if seq not in times:
        return "at a time that is not recorded"
    return f"{datetime.fromtimestamp(times[seq], UTC):%Y-%m-%d %H:%M} UTC"
