"""The gate: constraints before any compute, audits after full training; closed when in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import audits  # whose names load what audits need on first use
from agent.ledger.store import Entry
from selfnas.spaces.architecture import Architecture

if TYPE_CHECKING:
    from agent.workers.jobs import FullAnswer
    from audits import Suite
    from constraints import Guard

__all__ = ["Admission", "admission", "gate_entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the audits let follow for one trained network.

    Attributes:
        decision: `admit`, `reject` or `undecided`; only the first lets it in.
        failed: gate audits that failed.
        reasons: one sentence each; empty when admitted.
    """

    decision: str
    failed: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def admits(self) -> bool:
        """Whether the network may enter the library."""
        return self.decision == "admit"

    def to_record(self) -> dict[str, object]:
        """For the ledger."""
        return {"decision": self.decision, "failed": list(self.failed), "reasons": list(self.reasons)}


def gate_entry(guard: Guard, architecture: Architecture, *, previous: str) -> Entry:
    """The ledger entry of the constraint gate's decision: `certified`, `rejected` or `quarantined`."""
    decision = guard.decide(architecture, previous=previous)
    common: dict[str, object] = {
        "architecture": str(architecture),
        "digest": architecture.digest,
        "certificate": decision.certificate.to_json(),
    }
    if decision.verdict == "admit":
        return "certified", common
    common |= {"failed": list(decision.failed), "messages": list(decision.messages)}
    if decision.verdict == "undecided":
        return "quarantined", common
    explanation = guard.explain(architecture)
    return "rejected", common | {
        "blamed": list(explanation.blamed),
        "nearest": [str(near) for near in explanation.nearest],
        "distance": explanation.distance,
    }


def admission(answer: FullAnswer, suite: Suite) -> Admission:
    """What the audits of a fully trained network let follow.

    Training that failed, audits that broke, another suite than the one in force, findings that are missing: each is a
    reason not to admit.
    """
    if answer.score is None:
        return Admission(decision="undecided", failed=(), reasons=(f"training failed: {answer.reason}",))
    if answer.audit_error:
        return Admission(decision="undecided", failed=(), reasons=(f"audits broke off: {answer.audit_error}",))
    if answer.suite_digest != suite.digest:
        return Admission(decision="undecided", failed=(), reasons=("the audit suite was edited during the run",))
    if not answer.weights_sha256:
        return Admission(decision="undecided", failed=(), reasons=("no weights were kept",))
    verdict = audits.judge([audits.Finding.from_record(record) for record in answer.findings], suite)
    return Admission(decision=verdict.decision, failed=verdict.failed, reasons=verdict.reasons)
