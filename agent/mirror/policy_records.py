"""Decisions about the search policy as MLflow records: one run each, with its evidence as metrics.

Takes an MLflow client and imports nothing of MLflow. What is there already is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.ledger.store import Event, Json
from agent.mirror.records import Record
from agent.mirror.review_tags import fit
from agent.state.state import LifeState, items, mapping, number

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
        run = state.runs[int(number(event.payload["run"])) - 1]
        task = run.tasks.names[int(number(event.payload["after_task"])) - 1]
        experiment = client.get_experiment_by_name(str(mapping(run.started["stream"])["stream"]))
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


def policy_record(event: Event, *, key: str, task_key: str, task: str) -> Record:
    """The run of one decision; the keys name it and the task after which it was taken."""
    payload, decision = event.payload, event.kind.removeprefix("policy.")
    old, new = mapping(payload["old"]), mapping(payload["new"])
    moved = ", ".join(f"{name} {old.get(name)} → {new[name]}" for name in new if new[name] != old.get(name))
    tags = {
        "kind": "policy",
        "key": key,
        "task_key": task_key,
        "task": task,
        "run": str(int(number(payload["run"]))),
        "verdict": decision,
        "change": moved or "none",
        "reasons": str(payload["reason"]) or "none",
        "failed_rules": ", ".join(str(rule) for rule in items(payload["failed"])) or "none",
    }
    return Record(
        name=f"policy {decision} · after {task}",
        tags=tags,
        metrics=tuple((name, value, 0) for name, value in _figures(payload).items()),
        parameters={},
    )


def _figures(payload: Mapping[str, Json]) -> dict[str, float]:
    """Of rehearsal and trial, as far as there were any."""
    found: dict[str, float] = {}
    if payload["evidence"] is not None:
        evidence = mapping(payload["evidence"])
        found |= {"rehearsed_gain": number(evidence["mean"]), "rehearsed_p": number(evidence["p"])}
    if "controls" in payload:
        controls = mapping(payload["controls"])
        found |= {f"controls_{name}": number(controls[name]) for name in ("won", "lost")}
    if "confirmation" in payload:
        trial = mapping(payload["confirmation"])
        found |= {f"trial_{name}": number(trial[name]) for name in ("won", "lost", "wealth", "tasks")}
    return found
