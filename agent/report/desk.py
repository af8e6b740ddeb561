"""Finalists as a reviewer's desk has them: one record each, with all that a decision about it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from agent.gate.admission import findings_of
from agent.gate.counting import Count, counted, terms_in_force
from agent.gate.review import finalists, stage
from agent.ledger.events import UNSET, Event, Reviewed
from agent.report.robustness import robust_figures
from agent.report.summary import TestScore, score_of
from agent.state.rivals import rivals
from agent.state.spending import spent_at
from agent.state.state import Finalist, LifeState, RunState, TaskState
from agent.state.taught import taught_count, taught_sentence
from audits.contract.reviewing import ReviewTerms

__all__ = ["desk"]

_DECIDING = ("gate", "alarm")  # roles of audits that decide about admission


def desk(
    state: LifeState, *, task: str | None = None, run: int | None = None, awaiting: bool = False
) -> Iterator[dict[str, object]]:
    """One record for each finalist, oldest first; every value is what JSON can hold.

    Args:
        state: of the life.
        task: only finalists of this task; None for all.
        run: only finalists of the run with this number; None for all.
        awaiting: only those that a person, or more of them, must still decide about.

    Raises:
        InputError: what the suite in force wants of people cannot be read.
    """
    terms = terms_in_force(state)
    decided = [review for _, _, finalist in finalists(state) for review in finalist.reviews]
    for held_by, held, finalist in finalists(state):
        if (
            task in (None, held.name)
            and run in (None, held_by.number)
            and (not awaiting or stage(terms, held_by, finalist) == "awaiting")
        ):
            yield _item(state, terms, held_by, held, finalist, decided)


def _item(
    state: LifeState,
    terms: ReviewTerms,
    run: RunState,
    task: TaskState,
    finalist: Finalist,
    decided: list[Event[Reviewed]],
) -> dict[str, object]:
    trained, audited = finalist.trained, finalist.audited
    where = (run.number, task.name, finalist.digest)
    reached = stage(terms, run, finalist)
    kept_out = [reason for motif, reason in state.quarantined.values() if motif.where == where]
    return {
        "event": finalist.event,
        "seen": finalist.latest,
        "stage": reached,
        "run": run.number,
        "task": task.name,
        "digest": finalist.digest,
        "architecture": finalist.architecture,
        "weights_sha256": trained.weights_sha256,
        "parameters": trained.params,
        "standing": str(finalist.standing),
        "awaiting": reached == "awaiting",
        "people": _people(counted(terms, run, finalist)),
        "quarantined": [rule for reason in kept_out for rule in reason.failed],
        "audits": audited.decision if audited else "undecided",
        "failed": list(audited.failed) if audited else [],
        "reasons": list(audited.reasons) if audited else [],
        "untested": _untested(finalist),
        "audit_split": _used(run, task, finalist),
        "metric": task.metric,
        "validation": trained.validation,
        "test": _test(score_of(trained)),
        "hand_designed": _test(score_of(task.compared)) if task.compared else None,
        "robust": {} if trained.robust is UNSET else robust_figures(trained.robust),
        "rivals": [rival.figures | {"verdict": rival.verdict} for rival in rivals(task, finalist)],
        "reviews": [_said(review) for review in finalist.reviews],
        "elsewhere": [
            _said(review) | {"run": review.facts.run, "task": review.facts.task, "same_weights": same}
            for review in decided
            if review.facts.where != where
            and ((same := review.facts.weights_sha256 == trained.weights_sha256) or review.facts.digest == where[2])
        ],
    }


def _people(count: Count) -> dict[str, object]:
    """How many persons approved or overruled so that it counts, and how many are wanted."""
    return {"decision": count.decision, "wanted": count.wanted, "by": count.names, "met": count.met,
            "revoked": count.revoked, "sentence": str(count)}  # fmt: skip


def _said(review: Event[Reviewed]) -> dict[str, object]:
    said = review.facts
    return {
        "event": review.seq, "decision": said.decision, "standing": str(said.standing), "author": said.author,
        "reason": said.reason, "signed": "" if said.signed is UNSET else said.signed.key,
    }  # fmt: skip


def _used(run: RunState, task: TaskState, finalist: Finalist) -> dict[str, object] | None:
    """How often the audit split had been used; None where that was not counted."""
    told, taught = spent_at(run, task, finalist.digest), taught_sentence(task.started)
    if told is None:
        return None
    return {"audited": told.attempts, "by_earlier_tasks": told.before, "error": told.error, "paid": told.paid,
            "taught": taught_count(task.started), "sentence": "; ".join(filter(None, (str(told), taught)))}  # fmt: skip


def _untested(finalist: Finalist) -> list[dict[str, object]]:
    """Audits that decide and had nothing to look at, and why."""
    findings = findings_of(finalist.audited) if finalist.audited else []
    return [
        {"audit": finding.audit, "why": finding.note}
        for finding in findings
        if finding.role in _DECIDING and (finding.idle or finding.decision == "untested")
    ]


def _test(score: TestScore | None) -> dict[str, object] | None:
    """The metric on the test split with its 95 % interval; None where nothing was tested."""
    if score is None:
        return None
    low, high = score.interval
    return {"estimate": score.estimate, "low": low, "high": high, "n": score.count}
