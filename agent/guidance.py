"""What a supernet says of a task: the job that asks it, the event that keeps its answer, the strategy made from that.

Proposals are made from the event alone, so a life that goes on after a kill proposes what it would have proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agent.jobs import SupernetAnswer, SupernetJob
from agent.prepare import PreparedTask
from agent.state import TaskState
from agent.stream import Stream
from selfnas import seeding
from selfnas.strategies import Strategy, random_search
from selfnas.strategies.guided import GUIDED, Guided

__all__ = ["guided_strategy", "supernet_entry", "supernet_job"]


def supernet_job(stream: Stream, prepared: PreparedTask, *, base: Path, device: str) -> SupernetJob:
    """The search of a supernet on a task, as the policy's guided strategy wants it."""
    strategy = stream.policy.strategy
    return SupernetJob(
        task=prepared.spec,
        base=str(base),
        device=device,
        seed=seeding.derive(stream.seed, "supernet", prepared.digest, strategy),
        space=stream.space,
        macro=stream.macro,
        method=GUIDED[strategy],
    )


def supernet_entry(task: TaskState, strategy: str, answer: SupernetAnswer) -> tuple[str, Mapping[str, object]]:
    """The event that keeps an answer, a failure included."""
    return "supernet.trained", {"task": task.name, "strategy": strategy, **answer.model_dump(exclude={"seconds"})}


def guided_strategy(task: TaskState) -> Strategy:
    """Proposals from the task's recorded logits; uniform draws when its supernet failed."""
    assert task.supernet is not None  # noqa: S101 - recorded before the first round
    recorded = SupernetAnswer.model_validate(
        {key: task.supernet[key] for key in SupernetAnswer.model_fields if key != "seconds"}
    )
    if recorded.logits is None:
        return random_search
    return Guided(logits=[np.array(own, dtype=np.float64) for own in recorded.logits])
