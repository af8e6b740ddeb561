"""What the MLflow runs of a life hold, worked out from its state: the mirror writes it, verification compares it.

Nothing here knows MLflow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.report.summary import TaskSummary, summarise
from agent.state.state import Finalist, RunState, TaskState, items, mapping, number
from audits import Finding, Suite

__all__ = ["Record", "Value", "finalist_record", "findings_of", "task_record"]

Value = tuple[str, float, int]  # a metric's name, value and step


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One MLflow run.

    Attributes:
        name: of the run.
        tags: as written; MLflow keeps the first 5,000 characters of each.
        metrics: in the order in which they are written.
        parameters: as text.
    """

    name: str
    tags: Mapping[str, str]
    metrics: tuple[Value, ...]
    parameters: Mapping[str, str]


def task_record(run: RunState, task: TaskState, suite: Suite, *, key: str) -> Record:
    """The run of a task, as audits and gate left it.

    Args:
        run: of the task.
        task: finished.
        suite: in force.
        key: names this task of this life.
    """
    stream, summary = mapping(run.started["stream"]), summarise(task)
    tags = {
        "kind": "task",
        "key": key,
        "task": task.name,
        "run": str(run.number),
        "verdict": "admitted" if summary.admitted else "nothing admitted",
        "winner": summary.winner,
        "recalled_from": ", ".join(summary.recalled) or "nothing",
        "kept_out_by_rule": json.dumps(summary.by_rule),
        "kept_out_by_audit": json.dumps(summary.by_audit),
        "constraint_set": str(mapping(run.started["constraint_set"])["name"]),
        "audit_suite": suite.name,
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
    }
    best, curve = 0.0, []
    for step, accuracy in enumerate(task.accuracies, start=1):
        best = max(best, accuracy or 0.0)
        curve.append(("best_so_far", best, step))
    parameters = {
        "seed": stream["seed"],
        "space": stream["space"],
        **{f"macro.{k}": v for k, v in mapping(stream["macro"]).items()},
        **{f"policy.{k}": v for k, v in mapping(stream["policy"]).items()},
        **{f"budget.{k}": v for k, v in mapping(stream["budget"]).items()},
    }
    return Record(
        name=f"{task.name} · {_outcome(summary)} · run {run.number}",
        tags=tags,
        metrics=(*_known(metrics), *curve),
        parameters={name: str(value) for name, value in parameters.items()},
    )


def finalist_record(task: TaskState, finalist: Finalist, *, key: str) -> Record:
    """The run of a finalist; `key` names its task."""
    audited, findings = finalist.audited or {}, findings_of(finalist)
    reasons = [str(reason) for reason in items(audited.get("reasons", []))]
    tags = {
        "task_key": key,
        "kind": "finalist",
        "task": task.name,
        "verdict": finalist.standing,
        "review": "awaiting",
        "audit_decision": str(audited.get("decision", "undecided")),
        "failed_rules": "none",
        "failed_audits": ", ".join(str(name) for name in items(audited.get("failed", []))) or "none",
        "reasons": "; ".join(reasons) or "none",
        "digest": finalist.digest,
        "architecture": finalist.architecture,
        "weights_sha256": str(finalist.trained["weights_sha256"]),
    }
    count = number(finalist.trained["test_count"])
    metrics: dict[str, float | None] = {
        "validation": number(finalist.trained["validation"]),
        "params": number(finalist.trained["params"]),
        "test": number(finalist.trained["test_correct"]) / count if count else None,
    }
    for finding in findings:
        name = re.sub(r"[^A-Za-z0-9_. /-]", "_", f"audit.{finding.label}")
        metrics |= {name: finding.estimate, f"{name}.low": finding.low, f"{name}.high": finding.high}
    curve = [
        ("validation_curve", number(value), step)
        for step, value in enumerate(items(finalist.trained["curve"]), start=1)
    ]
    return Record(
        name=f"{finalist.outcome} · {task.name} · {finalist.digest[:12]}",
        tags=tags,
        metrics=(*_known(metrics), *curve),
        parameters={"architecture": finalist.architecture},
    )


def findings_of(finalist: Finalist) -> list[Finding]:
    """What the audits found, as recorded."""
    return [Finding.from_record(mapping(record)) for record in items((finalist.audited or {}).get("findings", []))]


def _known(values: Mapping[str, float | int | None]) -> list[Value]:
    return [(name, float(value), 0) for name, value in values.items() if value is not None]


def _outcome(summary: TaskSummary) -> str:
    if summary.test is None:
        return f"nothing admitted of {summary.full_trainings}"
    return f"{summary.admitted}/{summary.full_trainings} admitted · test {100 * summary.test.estimate:.1f} %"
