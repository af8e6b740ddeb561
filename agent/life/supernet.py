"""What a supernet says of a task: the jobs that ask it, the event that keeps its answer, the strategy made from that.

Proposals are made from the event alone, so a life that goes on after a kill proposes what it would have proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agent.ledger.store import Entry
from agent.life.preparation import PreparedTask
from agent.state.state import TaskState, items
from agent.stream.file import Stream
from agent.workers.jobs import InheritJob, SupernetAnswer, SupernetJob
from selfnas import seeding
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture
from selfnas.strategies import Strategy, random_search
from selfnas.strategies.guided import DIFFERENTIABLE, Guided, OneShot

__all__ = ["guided_strategy", "inherit_jobs", "supernet_entry", "supernet_job"]

_TOGETHER = 8  # architectures that one job scores
_RANKED = 200  # of a ranking, how many are recorded


def supernet_job(
    stream: Stream, prepared: PreparedTask, strategy: str, *, base: Path, device: str, weights: Path
) -> SupernetJob:
    """The training of a supernet on a task, as a guided strategy wants it."""
    return SupernetJob(
        task=prepared.spec,
        task_digest=prepared.digest,
        base=str(base),
        device=device,
        seed=seeding.derive(stream.seed, "supernet", prepared.digest, strategy),
        space=stream.space,
        macro=stream.macro,
        method=DIFFERENTIABLE.get(strategy, "one_shot"),
        epochs=stream.supernet.epochs if stream.supernet else None,
        weights=None if strategy in DIFFERENTIABLE else str(weights),
    )


def inherit_jobs(job: SupernetJob, weights: Path, architectures: Sequence[Architecture]) -> list[InheritJob]:
    """Jobs that score architectures, in their order, with the weights that `job` left in a file."""
    spelled = [str(architecture) for architecture in architectures]
    return [
        InheritJob(
            task=job.task,
            task_digest=job.task_digest,
            base=job.base,
            device=job.device,
            seed=job.seed,
            space=job.space,
            macro=job.macro,
            weights=str(weights),
            architectures=spelled[start : start + _TOGETHER],
        )
        for start in range(0, len(spelled), _TOGETHER)
    ]


def supernet_entry(task: TaskState, strategy: str, answer: SupernetAnswer, *, ranking: Sequence[Trial] = ()) -> Entry:
    """The event that keeps an answer, a failure included; with the ranking of a one-shot search, best first."""
    ranked = [[str(trial.architecture), round(trial.value, 6)] for trial in ranking[:_RANKED]]
    return "supernet.trained", {
        "task": task.name,
        "strategy": strategy,
        **answer.model_dump(exclude={"seconds", "weights_sha256"}),
        **({} if strategy in DIFFERENTIABLE else {"ranking": ranked}),
    }


def guided_strategy(task: TaskState) -> Strategy:
    """Proposals from the task's recorded logits or ranking; uniform draws when its supernet failed."""
    assert task.supernet is not None  # noqa: S101 - recorded before the first round
    if task.supernet["reason"]:
        return random_search
    if "ranking" in task.supernet:
        ranked = [items(row)[0] for row in items(task.supernet["ranking"])]
        return OneShot(ranking=tuple(parse_architecture(str(text)) for text in ranked))
    recorded = SupernetAnswer.model_validate(
        {key: task.supernet[key] for key in SupernetAnswer.model_fields if key in task.supernet}
    )
    return Guided(logits=[np.array(own, dtype=np.float64) for own in recorded.logits or []])
