"""One-shot search: one supernet trained path by path, whose weights every candidate then takes over untrained.

Each step trains a single path. Where any number of edges is allowed, paths are drawn in groups of as many as an edge
has kinds, each kind of each edge exactly once a group (strict fairness); where the in-degree is fixed, paths are
uniform, and kinds are met equally often in expectation. Candidates are scored with batch statistics, since running ones
mix paths.

Sources: Guo et al. 2020 (ECCV), single path one-shot with uniform sampling; Chu, Zhang, Xu 2021 (ICCV), FairNAS. Ours
departs from FairNAS in stepping after each path instead of after a group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from selfnas import seeding
from selfnas.errors import InputError
from selfnas.search.domain import Domain
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Space
from selfnas.spaces.template import Vector
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.training.supernet import Supernet

if TYPE_CHECKING:
    from selfnas.training.training import Examples  # Lightning, which takes seconds to import

__all__ = ["OneShotPlan", "evolve_paths", "fair_paths", "score_paths", "train_paths"]

_BATCH = 256  # examples that share their statistics when a path is scored


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotPlan:
    """How a supernet is trained path by path.

    Attributes:
        batch_size: examples per step, of one path each.
        learning_rate: of SGD with momentum 0.9, falling to nothing along a cosine.
    """

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 0.05
    weight_decay: float = 3e-4


def fair_paths(space: Space, rng: np.random.Generator) -> Iterator[Vector]:
    """Endless `(slots,)` paths, as fair as the space allows (see above)."""
    kinds = set(space.kinds)
    strict = len(kinds) == 1 and all(template.in_degree is None for template in space.templates)
    while True:
        if not strict:
            yield from space.draw(rng, 16)
            continue
        (count,) = kinds
        columns = [rng.permutation(count) for _ in space.slots]
        yield from np.stack(columns, axis=1).astype(np.int8)


def train_paths(supernet: Supernet, data: Examples, plan: OneShotPlan, *, seed: int) -> tuple[float, ...]:
    """Train in place; mean loss of each epoch.

    Args:
        data: the training split; no later split is seen.
        seed: decides the order of examples and the paths.

    Raises:
        InputError: a loss is not finite, or there are fewer than two examples.
    """
    if len(data) < 2:
        raise InputError(f"a supernet needs at least 2 examples, not {len(data)}")
    paths = fair_paths(supernet.space, seeding.generator(seed, "paths"))
    order = seeding.torch_generator(seed, "order")
    weights = [weight for weight in supernet.parameters() if weight.requires_grad]
    steps = max(1, len(data) // plan.batch_size)
    optimiser = torch.optim.SGD(weights, lr=plan.learning_rate, momentum=0.9, weight_decay=plan.weight_decay)
    supernet.train()
    losses = []
    for epoch in range(plan.epochs):
        total = 0.0
        for step, part in enumerate(torch.randperm(len(data), generator=order).tensor_split(steps)):
            done = (epoch + step / steps) / plan.epochs
            optimiser.param_groups[0]["lr"] = plan.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            own = part.to(data.x.device)
            loss = functional.cross_entropy(supernet(data.x[own], supernet.one_hot(next(paths))), data.y[own])
            optimiser.zero_grad(set_to_none=True)  # what a path leaves out must not move
            torch.autograd.backward([loss])
            nn.utils.clip_grad_norm_(weights, 5.0)
            optimiser.step()
            total += float(loss.detach())
        if not math.isfinite(total):
            raise InputError(f"the supernet's loss is not finite in epoch {epoch + 1}")
        losses.append(total / steps)
    return tuple(losses)


def evolve_paths(
    domain: Domain,
    score: Callable[[Sequence[Architecture]], Sequence[float]],
    *,
    seed: int,
    evaluations: int = 240,
    batch: int = 16,
) -> list[Trial]:
    """Regularised evolution over a trained supernet within a domain; every trial, best first, earliest among equals.

    Args:
        domain: what may be proposed, hence scored.
        score: a number for each of some architectures, such as `score_paths` gives.
        evaluations: paths that are scored; fewer where the domain has no more.
        batch: paths between two looks at the scores.
    """
    evolution, trials = RegularisedEvolution(), list[Trial]()
    while len(trials) < evaluations:
        wanted = min(batch, evaluations - len(trials))
        proposed = evolution(trials, domain, wanted, seeding.generator(seed, "evolve", len(trials)))
        if not proposed:
            break
        trials += [
            Trial(architecture=architecture, score=value, fidelity="inherited")
            for architecture, value in zip(proposed, score(proposed), strict=True)
        ]
    return sorted(trials, key=lambda trial: -trial.value)


def score_paths(supernet: Supernet, vectors: Vector, data: Examples) -> NDArray[np.float64]:
    """`(n,)` accuracy in [0, 1] of each row of `(n, slots)` with the supernet's weights.

    A path's score depends on nothing but the weights and the data, so it is the same in any order and company.
    """
    supernet.train()  # batch statistics
    parts = torch.arange(len(data)).tensor_split(max(1, math.ceil(len(data) / _BATCH)))
    scores = []
    with torch.no_grad():
        for vector in vectors:
            gates = supernet.one_hot(vector)
            correct = sum(
                int((supernet(data.x[own], gates).argmax(dim=1) == data.y[own]).sum())
                for own in (part.to(data.x.device) for part in parts)
            )
            scores.append(correct / len(data))
    return np.array(scores, dtype=np.float64)
