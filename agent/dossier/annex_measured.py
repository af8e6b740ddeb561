"""Sentences about what was measured: test, validation, audits, baselines, and what no audit looked at."""

from __future__ import annotations

from collections.abc import Iterator

from agent.dossier.evidence import Evidence
from agent.dossier.statement import Statement, derived
from agent.gate.admission import findings_of
from agent.ledger.events import UNSET, FindingRecord, Trained
from agent.report.summary import score_of
from audits import Finding
from selfnas.training.metrics import COUNTED, METRICS

__all__ = ["decided", "figures", "findings", "limitations"]

_DECIDING = ("gate", "alarm")  # roles of audits that decide about admission


def figures(found: Evidence) -> Iterator[Statement]:
    """Test, validation, the hand-designed network and baselines."""
    trained = found.trained.facts
    name = COUNTED if trained.metric is UNSET else trained.metric.name
    if (score := score_of(trained)) is not None:
        low, high = score.interval
        for point in ("2.g", "3"):
            yield derived(
                f"{point}:test",
                f"On {score.count} test examples: {score.title} {score.estimate:.6g}, 95 % interval [{low:.6g}, "
                f"{high:.6g}].",
                [found.trained],
                metric=name,
                estimate=score.estimate,
                low=low,
                high=high,
                n=score.count,
            )
    yield derived(
        "2.g:validation",
        f"{_scored_on(trained)}, which the search has seen: {trained.validation:.6g}.",
        [found.trained],
        metric=name,
        estimate=trained.validation,
    )
    metric = METRICS.get(name)
    meaning = f"{metric.title}: {metric.meaning}" if metric else name
    yield derived("4:metric", f"The metric is {meaning.rstrip('.')}.", [found.trained], metric=name)
    if found.compared is not None and (score := score_of(found.compared.facts)) is not None:
        low, high = score.interval
        yield derived(
            "2.g:hand-designed",
            f"A hand-designed network with {found.compared.facts.params:,} parameters, trained the same way: "
            f"{score.title} {score.estimate:.6g}, 95 % interval [{low:.6g}, {high:.6g}].",
            [found.compared],
            estimate=score.estimate,
            low=low,
            high=high,
            n=score.count,
        )
    if found.baselined is not None:
        for one in found.baselined.facts.results:
            told = f"{one.metric} {one.estimate:.6g}" if one.estimate is not None else f"failed: {one.reason}"
            yield derived(
                f"2.g:baseline {one.name}",
                f"Baseline {one.name}, fitted on {one.rows} of {one.at_hand} examples: {told}.",
                [found.baselined],
                baseline=one.name,
                metric=one.metric,
                estimate=one.estimate,
                n=one.n,
                rows=one.rows,
            )


def findings(found: Evidence) -> Iterator[Statement]:
    """What each audit found, and what followed."""
    began = found.began.facts
    yield derived(
        "2.g:suite",
        f"Audit suite {began.audit_suite.name}, digest {began.audit_suite_digest}, was in force.",
        [found.began],
        name=began.audit_suite.name,
        digest=began.audit_suite_digest,
    )
    if found.audited is None:
        yield derived("2.g:audits", "No audit was recorded for this network.", [found.trained], audited=False)
        return
    for place, one in enumerate(findings_of(found.audited.facts)):
        yield derived(
            f"2.g:finding {place} {_called(one)}",
            f"Audit {_called(one)} ({one.role}): {decided(one)}{_measured(one)}.",
            [found.audited],
            audit=one.audit,
            subject=one.subject,
            statistic=one.statistic,
            role=one.role,
            decision=one.decision,
            estimate=one.estimate,
            low=one.low,
            high=one.high,
            n=one.n,
            threshold=one.threshold,
            note=one.note,
        )
    facts = found.audited.facts
    reasons = "; ".join(facts.reasons)
    yield derived(
        "2.g:verdict",
        f"The audits say {facts.decision}{': ' + reasons if reasons else ''}.",
        [found.audited],
        decision=facts.decision,
        failed=list(facts.failed),
        reasons=list(facts.reasons),
    )


def decided(one: Finding) -> str:
    """What a finding says; what had nothing to look at was not tested, whatever an earlier release called it."""
    return "not tested" if one.idle or one.decision == "untested" else one.decision


def _called(one: Finding | FindingRecord) -> str:
    return ".".join(part for part in (one.audit, one.subject, one.statistic) if part)


def _measured(one: Finding) -> str:
    if decided(one) == "not tested":
        return f"; {one.note.rstrip('.')}" if one.note else ""
    limits = f" in [{one.low:.6g}, {one.high:.6g}]" if one.low is not None and one.high is not None else ""
    told = "" if one.estimate is None else f", measured {one.estimate:.6g}{limits} on {one.n} against {one.threshold:g}"
    return told + (f"; {one.note.rstrip('.')}" if one.note else "")


def limitations(found: Evidence) -> Iterator[Statement]:
    """What was not tested, and what was tested against as a risk."""
    if found.audited is None:
        return
    read = findings_of(found.audited.facts)
    idle = [one for one in read if one.role in _DECIDING and decided(one) == "not tested"]
    told = "; ".join(f"{one.audit} ({one.note or 'nothing to look at'})" for one in idle) or "none"
    yield derived(
        "3:untested",
        f"Audits that decide and had nothing to test: {told}.",
        [found.audited],
        untested=[one.audit for one in idle],
    )
    failed = [_called(one) for one in found.audited.facts.findings if one.decision == "fail"]
    yield derived("3:failed", f"Findings that failed: {', '.join(failed) or 'none'}.", [found.audited], failed=failed)
    subjects = sorted({one.subject for one in found.audited.facts.findings if one.subject})
    yield derived(
        "5:tested",
        f"Risks that audits looked for by name: {', '.join(subjects) or 'none'}.",
        [found.audited],
        subjects=subjects,
    )


def _scored_on(trained: Trained) -> str:
    refit = trained.refit
    if refit is UNSET or refit.folds is UNSET:
        return "On the validation examples"
    taught = "" if refit.teacher is UNSET else f", where {refit.teacher} teaches on varied examples"
    return f"By cross-validation of {refit.folds} folds on training and validation examples{taught}"
