"""The baselines of a task: which they are, and what the ledger says of them at the end of its search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.ledger.events import UNSET, Baselined, BaselineRecord, GainRecord, Trained
from agent.life.context import TaskContext
from agent.state.rivals import baseline_seed
from agent.stream.file import Stream
from agent.workers.jobs import BaselineAnswer
from agent.workers.trained import BaselineFitter
from selfnas.baselines.catalogue import baselines_for
from selfnas.data.targets import InputKind, Target
from selfnas.training.metrics import COUNTED

__all__ = ["announced", "asked", "baselined"]


def announced(stream: Stream, inputs: InputKind, target: Target) -> tuple[str, ...]:
    """Names of the baselines that a stream wants for such a task; none of those that it names may suit it."""
    if stream.baselines == "none":
        return ()
    wanted = None if stream.baselines in (None, "auto") else stream.baselines
    return baselines_for(inputs, target, wanted)


def baselined(context: TaskContext, fitter: BaselineFitter, names: Sequence[str]) -> Baselined:
    """Fit them; equal in every run on the same data."""
    best, (seed, against) = _compared(context), asked(context)
    answers = fitter.fit_baselines(names, seed=seed, against=against)
    digest = "" if best is None else best.digest
    results = [_record(name, answer, digest) for name, answer in zip(names, answers, strict=True)]
    return Baselined(task=context.task.name, results=results)


def asked(context: TaskContext) -> tuple[int, tuple[str, Path] | None]:
    """The seed of a task's baselines, and the network that they are compared with, with the file of its weights."""
    seed, best = baseline_seed(context.stream.seed, context.own.digest), _compared(context)
    return seed, None if best is None else (best.architecture, context.home.weights_file(best.weights_sha256))


def _compared(context: TaskContext) -> Trained | None:
    """The winner, else the best finalist, where a difference does not follow from which classes were answered."""
    best = context.task.best()
    kept = best is not None and best.trained.weights_sha256
    return best.trained if best and kept and context.own.metric != COUNTED else None


def _record(name: str, answer: BaselineAnswer, digest: str) -> BaselineRecord:
    """Without the seconds, which no two lives share."""
    gain = answer.gain
    return BaselineRecord(
        name=name,
        metric=answer.metric,
        estimate=answer.estimate,
        low=answer.low,
        high=answer.high,
        n=answer.n,
        rows=answer.rows,
        at_hand=answer.at_hand,
        hits=answer.hits or UNSET,
        gain=UNSET if gain is None else GainRecord(digest=digest, estimate=gain[0], low=gain[1], high=gain[2]),
        reason=answer.reason,
    )
