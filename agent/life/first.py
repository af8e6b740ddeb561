"""What a search tries before anything that its strategy proposes: what memory has, then what the field published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from agent.life.context import TaskContext
from agent.stream.policy import SearchPolicy
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture
from selfnas.spaces.published import published
from selfnas.strategies.guided import GUIDED

__all__ = ["first_left"]


def first_left(context: TaskContext, policy: SearchPolicy) -> dict[Architecture, str]:
    """Architectures that are still to be tried first, in order, each with its origin as events name it.

    *Recalled* are winners of like tasks. *Scored* are the best that like tasks saw where they have no winner to recall:
    what a gate refused there is judged anew here. *Published* cells fill the places that are left. What memory gives
    is known from the task's start, so that every round of it sees the same list.
    """
    recalled = [parse_architecture(one.architecture) for one in context.task.started.recalled]
    first = dict.fromkeys(recalled, "recalled")
    if not context.tabular and policy.strategy not in GUIDED:  # whose supernet says what comes first
        _fill(first, context, _scored(context, policy), "scored", up_to=policy.recall)
        further = published(context.space, context.macro)
        _fill(first, context, further, "published", up_to=policy.published_first)
    if not first:
        return {}
    known = {context.known_by(record) for record in (*context.task.evaluations, *context.task.rejected)}
    return {one: origin for one, origin in first.items() if context.known_by(one) not in known}


def _fill(
    first: dict[Architecture, str], context: TaskContext, further: Iterable[Architecture], origin: str, *, up_to: int
) -> None:
    """Add what is new and admitted, until there are so many in all."""
    known = {context.known_by(one) for one in first}
    for one in further:
        if len(first) >= up_to:
            return
        if context.known_by(one) not in known and context.admits(one):
            known.add(context.known_by(one))
            first[one] = origin


def _scored(context: TaskContext, policy: SearchPolicy) -> Iterator[Architecture]:
    """The best scored of each like task that gives no winner, the most alike task first."""
    gave = {f"{one.from_run}/{one.from_task}" for one in context.task.started.recalled}
    alike = [past for past in context.past if 100 * past.likeness >= policy.recall_trust_percent]
    for past in sorted(alike, key=lambda past: -past.likeness):
        if past.name not in gave:
            best = max(past.trials, key=lambda trial: trial.value)
            yield replace(best.architecture, macro=context.macro)
