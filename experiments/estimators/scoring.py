"""How well cheap scores foretell full training: the same networks, scored every way and trained to the end.

The truth is accuracy on examples that neither training nor the choice of the best epoch has seen (audit and test splits
together). Everything is a function of the task, the networks and a seed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from selfnas import seeding
from selfnas.data.tasks import Task
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.training.evaluation import Fidelity
from selfnas.training.proxies import PROXIES, proxy_scores
from selfnas.training.training import Examples, TrainingPlan, accuracy, train

__all__ = ["Scored", "held_out_accuracy", "random_networks", "score_network"]

_PROXY_BATCH = 64  # as in a life


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One network, scored every way.

    Attributes:
        architecture: one-line form.
        truth: accuracy in [0, 1] after full training, on examples seen by nothing else.
        curve: validation accuracy after each epoch of that training.
        low: best validation accuracy of a separate training at low fidelity.
        proxies: by name.
        seconds: processor seconds of each proxy alone.
        together: processor seconds of all proxies in one call.
        again: `truth` of another training from other first weights; None where there was none.
    """

    architecture: str
    truth: float
    curve: tuple[float, ...]
    low: float
    proxies: dict[str, float]
    seconds: dict[str, float]
    together: float
    again: float | None = None


def random_networks(space: Space, macro: Macro, count: int, *, seed: int) -> list[Architecture]:
    """Uniformly drawn architectures of different digests, in each cell of which a path joins input and output."""
    found: dict[str, Architecture] = {}
    rng = seeding.generator(seed, "estimators", space.name)
    while len(found) < count:
        architecture = space.decode(space.draw(rng, 1)[0], macro=macro)
        if all(cell.live_edges() for cell in architecture.cells):
            found.setdefault(architecture.digest, architecture)
    return list(found.values())


def held_out_accuracy(
    architecture: Architecture, task: Task, full: Fidelity, plan: TrainingPlan, *, seed: int
) -> tuple[float, tuple[float, ...]]:
    """Accuracy on audit and test examples after full training, and the curve on validation; 0 where it diverged."""
    own = seeding.derive(seed, "truth", architecture.digest)
    network = build_network(architecture, task.shape, seed=own)
    result = train(
        network,
        Examples.of(task.train.x, task.train.y),
        Examples.of(task.validation.x, task.validation.y),
        plan,
        full,
        seed=own,
    )
    unseen = Examples.of(np.concatenate([task.audit.x, task.test.x]), np.concatenate([task.audit.y, task.test.y]))
    return (0.0 if result.failure else accuracy(network, unseen)), result.curve


def score_network(
    architecture: Architecture, task: Task, *, low: Fidelity, full: Fidelity, plan: TrainingPlan, seed: int
) -> Scored:
    """Score and train one network."""
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    own = seeding.derive(seed, "scores", architecture.digest)
    fresh = build_network(architecture, task.shape, seed=own)
    chosen = seeding.generator(own, "proxy").permutation(len(task.train.y))[:_PROXY_BATCH]
    x, y = torch.from_numpy(task.train.x[chosen]), torch.from_numpy(task.train.y[chosen])
    begun = time.process_time()
    scores = proxy_scores(fresh, x, y, tuple(PROXIES))
    together = time.process_time() - begun
    seconds = {}
    for name, proxy in PROXIES.items():
        begun = time.process_time()
        proxy(fresh, x, y)
        seconds[name] = time.process_time() - begun
    cheap = train(build_network(architecture, task.shape, seed=own), training, validation, plan, low, seed=own)
    truth, curve = held_out_accuracy(architecture, task, full, plan, seed=seed)
    return Scored(
        architecture=str(architecture),
        truth=truth,
        curve=curve,
        low=cheap.best,
        proxies=scores,
        seconds=seconds,
        together=together,
    )
