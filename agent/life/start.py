"""What the ledger says when a task begins: the task, its guard, and what is recalled for it."""

from __future__ import annotations

from functools import partial

from agent.gate.counting import approved
from agent.ledger.events import UNSET, Count, Recalled, Shape, Table, TaskStarted
from agent.life.context import TaskContext
from agent.memory.recall import order_by_expected_score, recall
from agent.memory.taught import kept_prints, used_before
from agent.stream.policy import SearchPolicy
from selfnas.data.probes import TaskDescription
from selfnas.spaces.named import parse_architecture
from selfnas.training.metrics import COUNTED

__all__ = ["recalled_for", "started"]


def started(context: TaskContext, policy: SearchPolicy) -> TaskStarted:
    """The event that begins a task, under the policy in force."""
    own, count, space = context.own, context.guard.count(), context.space
    asked, used = context.stream.taught_before, None
    if own.table is None:
        strict = asked in ("leave_out", "refuse") or context.prepared.suite.attempts == "paid"
        used = used_before(context.state, context.home, own.digest, own.prints, strict=strict)
    taught = None if used is None else used.record(left_out=asked == "leave_out")
    stated = context.stream.macro.stated()
    return TaskStarted(
        run=context.run.number,
        task=own.spec.name,
        task_digest=own.digest,
        table=UNSET if own.table is None else Table(name=own.table.benchmark.name, dataset=own.table.task),
        shape=Shape.of(own.shape),
        description=None if own.description is None else own.description.named(),
        target=UNSET if own.kind == "classification" else own.kind,
        metric=UNSET if own.metric == COUNTED else own.metric,
        guard=context.guard.digest,
        space=UNSET if space.name == context.stream.space else space.name,
        macro=UNSET if stated == context.choices else str(context.choices),
        admitted_count=Count(low=str(count.low), high=str(count.high), exact=count.exact),
        space_count=str(space.count()),
        continues=UNSET if context.prepared.continues is None else context.prepared.continues,
        audited_before=UNSET if used is None else used.audited,
        prints=kept_prints(own.prints, context.home) if own.prints else UNSET,
        taught=UNSET if taught is None else taught,
        recalled=recalled_for(context, policy),
        baselines=list(own.baselines) or UNSET,
    )


def recalled_for(context: TaskContext, policy: SearchPolicy) -> list[Recalled]:
    """What is recalled for a task that begins."""
    description = context.own.description
    return _tabulated(context, policy) if description is None else _admitted(context, policy, description)


def _admitted(context: TaskContext, policy: SearchPolicy, description: TaskDescription) -> list[Recalled]:
    """What the library has for a task so described."""
    own, suite = context.own, context.prepared.suite
    recalled = recall(
        context.state.library,
        description,
        policy,
        task_digest=own.digest,
        space=context.space.name,
        macro=context.macro,
        choices=context.choices,
        approved=partial(approved, context.state, suite.review) if suite.approval == "before-reuse" else None,
        first=own.service,
    )
    recalled = order_by_expected_score(recalled, context.past, task_digest=own.digest, first=own.service)
    return [
        Recalled(
            architecture=str(found.architecture),
            digest=found.architecture.digest,
            from_task=found.motif.task,
            from_run=found.motif.run,
            likeness=round(found.likeness, 6),
        )
        for found in recalled
    ]


def _tabulated(context: TaskContext, policy: SearchPolicy) -> list[Recalled]:
    """The best of every earlier tabular task of this space, the latest task first, at most `policy.recall`."""
    found: dict[str, Recalled] = {}
    for run, task in context.state.latest(tabular=True):
        if len(found) >= policy.recall:
            break
        best = max(task.tabulated, key=lambda told: told.validation, default=None)
        if best is None:
            continue
        spelled = parse_architecture(best.architecture)
        if spelled.space == context.space and spelled.macro == context.macro:
            recalled = Recalled(
                architecture=best.architecture, digest=best.digest, from_task=best.task, from_run=run.number
            )
            found.setdefault(best.architecture, recalled)
    return list(found.values())
