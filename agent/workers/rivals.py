"""Jobs of baselines: what a person would try instead, fitted and compared with a network that was kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.workers.jobs import BaselineAnswer, BaselineJob
from agent.workers.kept import kept

if TYPE_CHECKING:
    from selfnas.baselines.comparing import BaselineResult
    from selfnas.data.tasks import Task

__all__ = ["answer_baseline"]


def answer_baseline(job: BaselineJob, task: Task) -> BaselineAnswer:
    """Fit a baseline, measure it, and compare it with a network where the job names one."""
    from selfnas.baselines.comparing import fit_baseline
    from selfnas.baselines.paired import hits_in_text
    from selfnas.training.metrics import metric_for

    result = fit_baseline(job.name, task, seed=job.seed, metric=metric_for(task.target, job.metrics))
    told = BaselineAnswer(rows=result.rows, at_hand=result.at_hand, reason=result.reason)
    if (found := result.measured) is None:
        return told
    measured = {"metric": found.name, "estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}
    hits = hits_in_text(result.hits) if len(result.hits) else ""
    return told.model_copy(update={**measured, "hits": hits, "gain": _gain(job, task, result, found.name)})


def _gain(
    job: BaselineJob, task: Task, result: BaselineResult, metric: str
) -> tuple[float, float | None, float | None] | None:
    """Of the network to compare with over the baseline; None where there is none."""
    import torch

    from selfnas.baselines.differences import metric_difference
    from selfnas.networks.network import build_network
    from selfnas.spaces.named import parse_architecture
    from selfnas.training.outputs import predict

    if job.against is None or result.outputs is None:
        return None
    network = build_network(parse_architecture(job.against), task.shape, seed=0).to(job.device)
    network.load_state_dict(dict(kept(Path(job.weights))))
    outputs = predict(network, torch.from_numpy(task.test.x).to(job.device)).cpu()
    found = metric_difference(metric, outputs, result.outputs, torch.from_numpy(task.test.y), task.target)
    return found.estimate, found.low, found.high
