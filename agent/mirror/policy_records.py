"""Decisions about the search policy as MLflow records: one run each, with its evidence as metrics.

Takes an MLflow client and imports nothing of MLflow. What is there already is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.ledger.events import UNSET, Event, PolicyDecided
from agent.mirror.records import Record
from agent.mirror.review_tags import fit
from agent.report.changes import changed
from agent.state.state import LifeState

__all__ = ["policy_record", "write_policy"]


def write_policy(client: Any, state: LifeState, *, keys: Mapping[tuple[int, str], str]) -> int:
    """Write what a store lacks of a life's decisions about its policy; how many were written.

    Args:
        client: an `MlflowClient`; whatever it raises is the caller's.
        state: of the life.
        keys: the key of each task that was mirrored, by run number and task name; a decision belongs to the task after
            which it was taken, and goes when that is forgotten.
    """
    written = 0
    for event in state.policy_decisions:
        run = state.runs[event.facts.run - 1]
        task = run.tasks.names[event.facts.after_task - 1]
        experiment = client.get_experiment_by_name(run.started.record.stream)
        if experiment is None:
            continue
        task_key = keys[run.number, task]
        key = f"{task_key}-policy-{event.seq}"
        if not client.search_runs([experiment.experiment_id], f"tags.key = '{key}'"):
            _write(client, str(experiment.experiment_id), policy_record(event, key=key, task_key=task_key, task=task))
            written += 1
    return written


def _write(client: Any, experiment: str, record: Record) -> None:
    made = client.create_run(experiment, tags=fit(record.tags), run_name=record.name).info.run_id
    for metric, value, _ in record.metrics:
        client.log_metric(made, metric, value)
    client.set_terminated(made)


def policy_record(event: Event[PolicyDecided], *, key: str, task_key: str, task: str) -> Record:
    """The run of one decision; the keys name it and the task after which it was taken."""
    decided, decision = event.facts, event.kind.removeprefix("policy.")
    tags = {
        "kind": "policy",
        "key": key,
        "task_key": task_key,
        "task": task,
        "run": str(decided.run),
        "verdict": decision,
        "change": changed(decided) or "none",
        "reasons": decided.reason or "none",
        "failed_rules": ", ".join(decided.failed) or "none",
    }
    return Record(
        name=f"policy {decision} · after {task}",
        tags=tags,
        metrics=tuple((name, value, 0) for name, value in _figures(decided).items()),
        parameters={},
    )


def _figures(decided: PolicyDecided) -> dict[str, float]:
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
