"""What the MLflow runs of a life hold, derived from its state: the mirror writes it, verification compares it.

Nothing here knows MLflow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.gate.admission import findings_of
from agent.ledger.events import UNSET, Event, PolicyDecided
from agent.mirror.finalist_notes import finalist_note
from agent.report.changes import changed, proof_in_words
from agent.report.robustness import robust_figures
from agent.report.shortfall import shortfall
from agent.report.summary import Accuracy, TaskSummary, TestScore, score_of, summarise
from agent.state.rivals import rivals
from agent.state.spending import spent
from agent.state.state import Finalist, RunState, TaskState
from agent.state.taught import taught_count
from audits import Finding, Suite
from selfnas.training.metrics import METRICS

__all__ = ["Record", "Value", "finalist_record", "policy_record", "recorded_audit", "task_record"]

Value = tuple[str, float, int]  # a metric's name, value and step


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One MLflow run.

    Attributes:
        tags: as written; MLflow keeps the first 5,000 characters of each.
        metrics: in the order in which they are written.
    """

    name: str
    tags: Mapping[str, str]
    metrics: tuple[Value, ...]
    parameters: Mapping[str, str]


def task_record(run: RunState, task: TaskState, suite: Suite, *, key: str) -> Record:
    """The run of a task, as audits and gate left it."""
    stream, summary, short = run.started.stream, summarise(task), shortfall(task)
    closest, rival, used = short.best if short else None, summary.rival, spent(run, task)
    tags = {
        "kind": "task",
        "key": key,
        "task": task.name,
        "run": str(run.number),
        "verdict": "admitted" if summary.admitted else "nothing admitted",
        "metric": summary.metric,
        "winner": summary.winner,
        "recalled_from": ", ".join(summary.recalled) or "nothing",
        "kept_out_by_rule": json.dumps(summary.by_rule),
        "kept_out_by_audit": json.dumps(summary.by_audit),
        "constraint_set": run.started.constraint_set.name,
        "audit_suite": suite.name,
        **(short.words if short else {}),
        **({"best_baseline": rival.title, "against_baseline": rival.verdict} if rival else {}),
    }
    metrics = {
        "evaluations": summary.evaluations,
        "evaluations_to_best": summary.evaluations_to_best,
        "admitted": summary.admitted,
        "validation": summary.validation,
        "params": summary.params,
        "test": summary.test.estimate if summary.test else None,
        "test_low": summary.test.interval[0] if summary.test else None,
        "test_high": summary.test.interval[1] if summary.test else None,
        "hand_designed_test": summary.reference_test.estimate if summary.reference_test else None,
        **({name: value for name, value in rival.figures.items() if not isinstance(value, str)} if rival else {}),
        **{f"baseline.{one.record.name}": one.record.estimate for one in rivals(task)},
        **({"audit_examples_taught": taught_count(task.started)} if task.started.taught is not UNSET else {}),
        **({"audited_on_split": used.attempts, "familywise_error": used.error} if used else {}),
        "closest_validation": closest.validation if closest else None,
        "closest_test": closest.test.estimate if closest and closest.test else None,
    }
    best, curve = -math.inf, []
    for step, score in enumerate(task.accuracies, start=1):
        best = max(best, -math.inf if score is None else score)
        if math.isinf(best):
            continue
        curve.append(("best_so_far", best, step))
    parameters = {
        "seed": stream["seed"],
        "space": stream.get("space") or run.started.record.space_of(task.started),
        **{f"macro.{k}": v for k, v in stream["macro"].items()},
        **{f"policy.{k}": v for k, v in stream["policy"].items()},
        **{f"budget.{k}": v for k, v in stream["budget"].items()},
    }
    return Record(
        name=f"{task.name} · {_outcome(summary)} · run {run.number}",
        tags=tags,
        metrics=(*_known(metrics), *curve),
        parameters={name: str(value) for name, value in parameters.items()},
    )


def finalist_record(task: TaskState, finalist: Finalist, *, key: str) -> Record:
    """The run of a finalist; `key` names its task."""
    audited, trained = finalist.audited, finalist.trained
    tags = {
        "task_key": key,
        "kind": "finalist",
        "task": task.name,
        "verdict": str(finalist.standing or ""),
        "review": "awaiting",
        "audit_decision": audited.decision if audited else "undecided",
        "failed_rules": "none",
        "failed_audits": ", ".join(audited.failed if audited else ()) or "none",
        "reasons": "; ".join(audited.reasons if audited else ()) or "none",
        "digest": finalist.digest,
        "architecture": finalist.architecture,
        "weights_sha256": trained.weights_sha256,
        "mlflow.note.content": finalist_note(task, finalist),
    }
    metrics: dict[str, float | None] = {
        "validation": trained.validation,
        "params": trained.params,
        "test": trained.test if score_of(trained) is not None else None,
    }
    if trained.robust is not UNSET:
        metrics |= robust_figures(trained.robust)
    idle = [found.audit for found in (audited.findings if audited else ()) if found.decision == "untested"]
    if idle:  # earlier releases recorded no such decision, and told MLflow nothing of it
        tags["audits_not_tested"] = ", ".join(idle)
    for finding in recorded_audit(finalist):
        name = re.sub(r"[^A-Za-z0-9_. /-]", "_", f"audit.{finding.label}")
        metrics |= {name: finding.estimate, f"{name}.low": finding.low, f"{name}.high": finding.high}
    curve = [("validation_curve", float(value), step) for step, value in enumerate(trained.curve, start=1)]
    return Record(
        name=f"{finalist.outcome} · {task.name} · {finalist.digest[:12]}",
        tags=tags,
        metrics=(*_known(metrics), *curve),
        parameters={"architecture": finalist.architecture},
    )


def policy_record(event: Event[PolicyDecided], *, task_key: str, task: str) -> Record:
    """The run of one decision about the search policy; `task_key` names the task after which it was taken."""
    decided, decision = event.facts, event.kind.removeprefix("policy.")
    tags = {
        "kind": "policy",
        "key": f"{task_key}-policy-{event.seq}",
        "task_key": task_key,
        "task": task,
        "run": str(decided.run),
        "verdict": decision,
        "change": changed(decided) or "none",
        "reasons": decided.reason or "none",
        "failed_rules": ", ".join(decided.failed) or "none",
    }
    if proof := proof_in_words(decided):
        tags["proof"] = proof
    return Record(
        name=f"policy {decision} · after {task}",
        tags=tags,
        metrics=tuple((name, value, 0) for name, value in _policy_figures(decided).items()),
        parameters={},
    )


def _policy_figures(decided: PolicyDecided) -> dict[str, float]:
    """Of rehearsal and trial, as far as there were any."""
    found: dict[str, float] = {}
    if decided.evidence is not None:
        found |= {"rehearsed_gain": decided.evidence.mean, "rehearsed_p": decided.evidence.p}
    if decided.controls is not UNSET:
        found |= {"controls_won": decided.controls.won, "controls_lost": decided.controls.lost}
    if (trial := decided.trial) is not None:
        found |= {"trial_won": trial.won, "trial_lost": trial.lost}
        found |= {"trial_wealth": trial.wealth, "trial_tasks": trial.tasks}
    return found


def recorded_audit(finalist: Finalist) -> list[Finding]:
    """What the audits found, as recorded; nothing where they were not run."""
    return findings_of(finalist.audited) if finalist.audited else []


def _known(values: Mapping[str, float | int | None]) -> list[Value]:
    return [(name, float(value), 0) for name, value in values.items() if value is not None]


def _brief(score: TestScore) -> str:
    """The estimate alone."""
    if isinstance(score, Accuracy):
        return f"{100 * score.estimate:.1f} %"
    metric = METRICS[score.record.name]
    return f"{metric.title} {metric.shown(score.estimate)}{metric.suffix}"


def _outcome(summary: TaskSummary) -> str:
    if summary.test is None:
        return f"nothing admitted of {summary.full_trainings}"
    return f"{summary.admitted}/{summary.full_trainings} admitted · test {_brief(summary.test)}"
