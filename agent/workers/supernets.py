"""Jobs of supernets: one is trained for a whole space, and architectures are scored with its weights."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.workers.jobs import InheritAnswer, InheritJob, SupernetAnswer, SupernetJob
from agent.workers.kept import keep

if TYPE_CHECKING:
    from selfnas.data.tasks import Task
    from selfnas.spaces.architecture import Macro, Space, TaskShape
    from selfnas.training.supernet import Supernet
    from selfnas.training.training import Examples

__all__ = ["answer_inherit", "answer_supernet"]


def answer_supernet(job: SupernetJob, task: Task) -> SupernetAnswer:
    """Train a supernet and say what it prefers, or keep it."""
    from selfnas.spaces.macro import parse_macro
    from selfnas.spaces.named import space_named
    from selfnas.training.differentiable import SupernetPlan, search_supernet
    from selfnas.training.supernet import build_supernet
    from selfnas.training.training import Examples

    supernet = build_supernet(space_named(job.space), parse_macro(job.macro), task.shape, seed=job.seed).to(job.device)
    data = Examples.of(task.train.x, task.train.y, device=job.device)
    if job.method == "one_shot":
        return _one_shot(job, supernet, data)
    found = search_supernet(supernet, data, SupernetPlan(method=job.method, **_epochs(job)), seed=job.seed)
    return SupernetAnswer(
        logits=[own.round(6).tolist() for own in found.logits], epochs=found.epochs, collapsed=found.collapsed
    )


def _epochs(job: SupernetJob) -> dict[str, int]:
    return {} if job.epochs is None else {"epochs": job.epochs}


def _one_shot(job: SupernetJob, supernet: Supernet, data: Examples) -> SupernetAnswer:
    from selfnas.strategies.one_shot import OneShotPlan, train_paths

    losses = train_paths(supernet, data, replace(OneShotPlan(), **_epochs(job)), seed=job.seed)
    kept = keep(supernet.state_dict(), Path(job.weights)) if job.weights else ""
    return SupernetAnswer(epochs=len(losses), weights_sha256=kept)


def answer_inherit(job: InheritJob, task: Task) -> InheritAnswer:
    """Score architectures with the weights of a supernet that was kept."""
    import numpy as np

    from selfnas.spaces.macro import parse_macro
    from selfnas.spaces.named import parse_architecture, space_named
    from selfnas.strategies.one_shot import score_paths
    from selfnas.training.training import Examples

    space = space_named(job.space)
    supernet = _kept_supernet(job.weights, space, parse_macro(job.macro), task.shape, job.device)
    vectors = np.stack([space.encode(parse_architecture(text)) for text in job.architectures])
    validation = Examples.of(task.validation.x, task.validation.y, device=job.device)
    return InheritAnswer(scores=score_paths(supernet, vectors, validation).tolist())


@functools.lru_cache(maxsize=1)
def _kept_supernet(weights: str, space: Space, macro: Macro, shape: TaskShape, device: str) -> Supernet:
    from safetensors.torch import load_file

    from selfnas.training.supernet import build_supernet

    supernet = build_supernet(space, macro, shape, seed=0)
    supernet.load_state_dict(load_file(weights))
    return supernet.to(device)
