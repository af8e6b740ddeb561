"""What a supernet says of a task: its search, the event that keeps its answer, the strategy made from that.

Proposals are made from the event alone, so a life that goes on after a kill proposes what it would have proposed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agent.ledger.events import UNSET, SupernetTrained
from agent.ledger.home import STEP
from agent.life.context import TaskContext
from agent.state.state import TaskState
from agent.stream.file import SupernetSection
from agent.workers.jobs import SupernetAnswer
from agent.workers.trained import SupernetTrainer
from selfnas import seeding
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture
from selfnas.strategies import Strategy, random_search
from selfnas.strategies.guided import DIFFERENTIABLE, Guided, OneShot
from selfnas.strategies.one_shot import evolve_paths

__all__ = ["guided_strategy", "searched_supernet", "supernet_trained"]

_RANKED = 200  # of a ranking, how many are recorded


class JobFailed(Exception):  # noqa: N818 - an outcome that is recorded
    """A job that a step cannot do without has failed, for the reason given."""


def searched_supernet(context: TaskContext, trainer: SupernetTrainer, strategy: str) -> SupernetTrained:
    """Search the supernet once, before the first round; it has no candidate, so progress does not count it."""
    seed = seeding.derive(context.stream.seed, "supernet", context.own.digest, strategy)
    evaluations = (context.stream.supernet or SupernetSection()).inherited

    def inherited(chosen: Sequence[Architecture]) -> list[float]:
        scored = trainer.inherited_scores(chosen, seed=seed, weights=weights)
        if scored.reason:
            raise JobFailed(scored.reason)
        return scored.scores

    ranking: Sequence[Trial] = ()
    with tempfile.TemporaryDirectory(dir=context.home.root, prefix=STEP) as folder:  # weights serve this step alone
        answer = trainer.train_supernet(strategy, seed=seed, folder=Path(folder))
        weights = Path(folder) / f"{answer.weights_sha256}.safetensors"
        try:
            if answer.weights_sha256:
                ranking = evolve_paths(context.domain(), inherited, seed=seed, evaluations=evaluations)
        except JobFailed as error:
            answer = answer.model_copy(update={"reason": str(error)})
    return supernet_trained(context.task, strategy, answer, ranking=ranking)


def supernet_trained(
    task: TaskState, strategy: str, answer: SupernetAnswer, *, ranking: Sequence[Trial] = ()
) -> SupernetTrained:
    """The event that keeps an answer, a failure included; with the ranking of a one-shot search, best first."""
    ranked = [(str(trial.architecture), round(trial.value, 6)) for trial in ranking[:_RANKED]]
    return SupernetTrained(
        task=task.name,
        strategy=strategy,
        logits=answer.logits,
        reason=answer.reason,
        epochs=answer.epochs,
        collapsed=answer.collapsed,
        ranking=UNSET if strategy in DIFFERENTIABLE else ranked,
    )


def guided_strategy(task: TaskState) -> Strategy:
    """Proposals from the task's recorded logits or ranking; uniform draws when its supernet failed."""
    found = task.supernet
    assert found is not None  # noqa: S101 - recorded before the first round
    if found.reason:
        return random_search
    if found.ranking is not UNSET:
        return OneShot(ranking=tuple(parse_architecture(text) for text, _ in found.ranking))
    return Guided(logits=[np.array(own, dtype=np.float64) for own in found.logits or []])
