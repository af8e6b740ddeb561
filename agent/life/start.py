"""What the ledger says when a task begins: the task, its guard, and what is recalled for it."""

from __future__ import annotations

import json

from agent.ledger.store import Entry
from agent.life.context import TaskContext
from agent.memory.recall import recall, soonest
from agent.state.state import number
from agent.stream.policy import SearchPolicy
from selfnas.data.probes import TaskDescription
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.space import parse_architecture

__all__ = ["start_entry"]


def start_entry(context: TaskContext, policy: SearchPolicy) -> Entry:
    """The event that begins a task, under the policy in force."""
    own, count, space = context.own, context.guard.count(), context.space
    return "task.started", {
        "run": context.run.number,
        "task": own.spec.name,
        "task_digest": own.digest,
        **({} if own.table is None else {"table": {"name": own.table.benchmark.name, "dataset": own.table.task}}),
        "shape": {"channels": own.shape.channels, "size": list(own.shape.size), "classes": own.shape.classes},
        "description": None if own.description is None else json.loads(own.description.to_json()),
        "guard": context.guard.digest,
        **({} if space.name == context.stream.space else {"space": space.name}),
        "admitted_count": {"low": str(count.low), "high": str(count.high), "exact": count.exact},
        "space_count": str(space.count()),
        "recalled": (
            _tabulated(context, policy) if own.description is None else _admitted(context, policy, own.description)
        ),
    }


def _admitted(context: TaskContext, policy: SearchPolicy, description: TaskDescription) -> list[dict[str, object]]:
    """What the library has for a task so described."""
    own = context.own
    recalled = recall(
        context.state.library,
        description,
        policy,
        task_digest=own.digest,
        space=context.space.name,
        macro=context.macro,
        reviewed_only=context.prepared.suite.approval == "before-reuse",
        first=own.service,
    )
    recalled = soonest(recalled, context.past, task_digest=own.digest, first=own.service)
    return [
        {**_recalled(found.architecture, found.motif.run, found.motif.task), "likeness": round(found.likeness, 6)}
        for found in recalled
    ]


def _tabulated(context: TaskContext, policy: SearchPolicy) -> list[dict[str, object]]:
    """The best of every earlier tabular task of this space, the latest task first, at most `policy.recall`."""
    found: dict[str, dict[str, object]] = {}
    for run, task in context.state.latest(tabular=True):
        if len(found) >= policy.recall:
            break
        best = max(task.tabulated, key=lambda payload: number(payload["validation"]), default=None)
        if best is not None:
            spelled = parse_architecture(str(best["architecture"]))
            if spelled.space == context.space.name and spelled.macro == context.macro:
                found.setdefault(str(spelled), _recalled(spelled, run.number, task.name))
    return list(found.values())


def _recalled(architecture: Architecture, run: int, task: str) -> dict[str, object]:
    spelled, digest = str(architecture), architecture.digest
    return {"architecture": spelled, "digest": digest, "from_task": task, "from_run": run}
