"""The gate: constraints before any compute, audits after full training; closed when in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

import audits  # whose names load what audits need on first use
from agent.ledger.events import Audited, Certified, FindingRecord, Gated, Quarantined, Rejected
from selfnas.spaces.architecture import Architecture

if TYPE_CHECKING:
    from agent.workers.jobs import FullAnswer
    from audits import AuditVerdict, Finding, Suite
    from constraints import Guard
    from selfnas.data.targets import TargetKind

__all__ = ["admission", "decide", "findings_of", "recorded_findings"]


def decide(guard: Guard, architecture: Architecture, *, previous: str) -> Gated:
    """The constraint gate's decision, with certificate, reasons and the nearest admitted architectures."""
    decision = guard.decide(architecture, previous=previous)
    text, digest, certificate = str(architecture), architecture.digest, decision.certificate.to_json()
    if decision.verdict == "admit":
        return Certified(architecture=text, digest=digest, certificate=certificate)
    failed, messages = list(decision.failed), list(decision.messages)
    if decision.verdict == "undecided":
        return Quarantined(architecture=text, digest=digest, certificate=certificate, failed=failed, messages=messages)
    explanation = guard.explain(architecture)
    return Rejected(
        architecture=text,
        digest=digest,
        certificate=certificate,
        failed=failed,
        messages=messages,
        blamed=list(explanation.blamed),
        nearest=[str(near) for near in explanation.nearest],
        distance=explanation.distance,
    )


def recorded_findings(records: Iterable[Mapping[str, object]]) -> list[FindingRecord]:
    """Findings of an answer as the ledger keeps them."""
    return [msgspec.convert(record, FindingRecord) for record in records]


def findings_of(audited: Audited) -> list[Finding]:
    """Recorded findings as audits made them.

    Raises:
        InputError: one is none.
    """
    return [audits.Finding.from_record(msgspec.to_builtins(record)) for record in audited.findings]


def admission(
    answer: FullAnswer, suite: Suite, *, kind: TargetKind = "classification", attempt: int = 1
) -> AuditVerdict:
    """What the audits of a fully trained network let follow.

    Training that failed, audits that broke, another suite than the one in force, findings that are missing: each is a
    reason not to admit.

    Args:
        answer: of the job that trained, tested and audited it.
        suite: in force.
        kind: of the task's target.
        attempt: which network it is, from 1, of those that this life audited on the same audit examples.
    """
    for broken, reason in (
        (answer.score is None, f"training failed: {answer.reason}"),
        (answer.audit_error, f"audits broke off: {answer.audit_error}"),
        (answer.suite_digest != suite.digest, "the audit suite was edited during the run"),
        (not answer.weights_sha256, "no weights were kept"),
    ):
        if broken:
            return audits.AuditVerdict(decision="undecided", reasons=(reason,))
    findings = [audits.Finding.from_record(record) for record in answer.findings]
    return audits.judge(findings, suite, kind=kind, attempt=attempt)
