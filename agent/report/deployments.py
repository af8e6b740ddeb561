"""Files that networks of a life were deployed as, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.ledger.events import Deployed, Event
from selfnas.training.metrics import METRICS

__all__ = ["deployment", "deployment_rows"]


def deployment(made: Deployed) -> str:
    """One file in a line."""
    accuracy = _estimate(made) or "not measured"
    return (
        f"{made.form} {made.precision}, {made.bytes:,} bytes, SHA-256 {made.artefact_sha256[:12]}: {accuracy}; "
        f"{_clock(made)}, measured and not verifiable"
    )


def deployment_rows(deployed: Iterable[Event[Deployed]]) -> Iterator[tuple[str, ...]]:
    """Task, digest, form and precision, bytes, estimate, largest difference, audits not passed, latency."""
    for event in deployed:
        made = event.facts
        not_passed = sorted(
            f"{one.audit}.{one.statistic}"
            for one in made.findings
            if (one.role == "gate" and one.decision in ("fail", "inconclusive", "void"))
            or (one.role == "alarm" and one.decision == "fail")
        )
        said = ", ".join(not_passed) or ("none" if made.audit_examples else "not audited")
        yield (
            f"{made.task}, run {made.run}", made.digest[:12], f"{made.form} {made.precision}", f"{made.bytes:,}",
            _estimate(made) or "–", f"{made.furthest:.1g}", said, _clock(made),
        )  # fmt: skip


def _estimate(made: Deployed) -> str:
    metric = METRICS.get(made.metric)
    if made.estimate is None or metric is None:
        return ""
    return f"{metric.title} {metric.shown(made.estimate)}{metric.suffix}"


def _clock(made: Deployed) -> str:
    clock = made.latency
    times = f"p50 {clock.p50:.3g} ms, p95 {clock.p95:.3g} ms"
    return f"{times} at batch {clock.batch}, {clock.threads} thread, {clock.p50 / clock.reference_p50:.2g} references"
