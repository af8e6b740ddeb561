"""Differentiable search on a supernet: DARTS of first and second order, and GDAS, which samples one operation an edge.

Sources: Liu, Simonyan, Yang 2019 (ICLR), DARTS; Dong & Yang 2019 (CVPR), GDAS; Liang et al. 2019, DARTS+ (stop when
skips take over); Chen et al. 2019 (ICCV), P-DARTS (restrict the skips of the final cell). Ours departs in the schedule:
tens of epochs on a small task need a larger architecture learning rate than the published 3e-4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from selfnas import seeding
from selfnas.errors import InputError
from selfnas.spaces.architecture import Space
from selfnas.spaces.template import CellTemplate, Vector
from selfnas.training.supernet import Supernet

if TYPE_CHECKING:
    from selfnas.training.training import Examples  # Lightning, which takes seconds to import

__all__ = ["Logits", "SupernetPlan", "SupernetSearch", "discretise", "most_skips", "search_supernet", "skips"]

Logits = Sequence[NDArray[np.float64]]  # per template: (slots, kinds)
Method = Literal["darts", "darts_second_order", "gdas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetPlan:
    """How a supernet is searched.

    Attributes:
        method: first or second order DARTS, or GDAS.
        epochs: passes over the half that trains weights.
        batch_size: examples per step, of each half.
        learning_rate: of the weights (SGD with momentum 0.9), falling to nothing along a cosine.
        architecture_rate: of the architecture's logits (Adam, betas 0.5 and 0.999).
        architecture_decay: of the logits.
        temperature: GDAS's first; it falls to a hundredth linearly.
        grace: share of the epochs before skip collapse is looked for, in [0, 1].
    """

    method: Method = "darts"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.05
    weight_decay: float = 3e-4
    architecture_rate: float = 0.02
    architecture_decay: float = 1e-3
    temperature: float = 10.0
    grace: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetSearch:
    """What a search gave.

    Attributes:
        logits: per template `(slots, kinds)`, kind 0 being no operation.
        collapsed: whether it was stopped because skips took over.
        epochs: how many were run.
        skips: most skips in a cell of the discretised architecture, after each epoch.
        losses: mean architecture loss of each epoch.
    """

    logits: tuple[NDArray[np.float64], ...]
    collapsed: bool
    epochs: int
    skips: tuple[int, ...]
    losses: tuple[float, ...]


def most_skips(template: CellTemplate) -> int:
    """How many skips a cell may have before it counts as collapsed: a quarter of its edges, at least two."""
    fixed = template.in_degree
    edges = len(template.slots) if fixed is None else fixed * (template.nodes - template.inputs)
    return max(2, edges // 4)


def skips(space: Space, vector: Vector) -> tuple[int, ...]:
    """Number of skips in each cell of a `(slots,)` vector."""
    parts = space.split(vector[None])
    return tuple(
        int(np.isin(part[0], template.identities).sum()) for template, part in zip(space.templates, parts, strict=True)
    )


def discretise(space: Space, logits: Logits, *, restrict: bool = False) -> Vector:
    """`(slots,)` the strongest operation of each edge; with a fixed in-degree, of the strongest edges of each node.

    Args:
        restrict: skips beyond `most_skips` give way to the next best, the weakest first (P-DARTS).
    """
    rows = []
    for template, own in zip(space.templates, logits, strict=True):
        scores = np.array(own, dtype=np.float64)
        row = _strongest(template, scores)
        while restrict and int(np.isin(row, template.identities).sum()) > most_skips(template):
            slots = np.flatnonzero(np.isin(row, template.identities))
            weakest = slots[scores[slots, row[slots]].argmin()]
            scores[weakest, row[weakest]] = -np.inf
            row = _strongest(template, scores)
        rows.append(row)
    return np.concatenate(rows)


def _strongest(template: CellTemplate, scores: NDArray[np.float64]) -> Vector:
    if template.in_degree is None:
        chosen: Vector = scores.argmax(axis=1).astype(np.int8)
        return chosen
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    kinds = probabilities[:, 1:].argmax(axis=1) + 1
    strengths = probabilities[:, 1:].max(axis=1)
    row = np.zeros(len(scores), dtype=np.int8)
    start = 0
    for target in range(template.inputs, template.nodes):
        kept = start + np.argsort(-strengths[start : start + target], kind="stable")[: template.in_degree]
        row[kept] = kinds[kept]
        start += target
    return row


def search_supernet(supernet: Supernet, data: Examples, plan: SupernetPlan, *, seed: int) -> SupernetSearch:
    """Train weights on one half of the examples and the architecture on the other; stop when skips take over.

    Args:
        data: the training split; neither validation nor any later split is seen.
        seed: decides the halves, the order, first logits and GDAS's samples.

    Raises:
        InputError: a loss is not finite, or there are fewer than four examples.
    """
    if len(data) < 4:
        raise InputError(f"a supernet needs at least 4 examples, not {len(data)}")
    device = data.x.device
    generator = seeding.torch_generator(seed, "supernet search")
    logits = [
        (1e-3 * torch.randn(len(t.slots), len(t.operations) + 1, generator=generator)).to(device).requires_grad_()
        for t in supernet.space.templates
    ]
    search = _Search(supernet, logits, plan, generator)
    order = torch.randperm(len(data), generator=generator)
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    steps = max(1, len(halves[0]) // plan.batch_size)
    counted: list[int] = []
    losses: list[float] = []
    collapsed = False
    supernet.train()
    for epoch in range(plan.epochs):
        search.begin(epoch)
        total = 0.0
        parts = [half[torch.randperm(len(half), generator=generator)].tensor_split(steps) for half in halves]
        for mine, other in zip(*parts, strict=True):
            mine, other = mine.to(device), other.to(device)
            total += search.step((data.x[mine], data.y[mine]), (data.x[other], data.y[other]))
        losses.append(total / steps)
        if not math.isfinite(total):
            raise InputError(f"the supernet's loss is not finite in epoch {epoch + 1}")
        found = skips(supernet.space, discretise(supernet.space, _numbers(logits)))
        counted.append(max(found))
        bounds = map(most_skips, supernet.space.templates)
        if epoch + 1 > plan.grace * plan.epochs and any(n > b for n, b in zip(found, bounds, strict=True)):
            collapsed = True
            break
    return SupernetSearch(
        logits=_numbers(logits), collapsed=collapsed, epochs=len(losses), skips=tuple(counted), losses=tuple(losses)
    )


def _numbers(logits: Sequence[Tensor]) -> tuple[NDArray[np.float64], ...]:
    return tuple(own.detach().cpu().double().numpy().copy() for own in logits)


Batch = tuple[Tensor, Tensor]


class _Search:
    """The two optimisers and one step of each."""

    def __init__(
        self, supernet: Supernet, logits: list[Tensor], plan: SupernetPlan, generator: torch.Generator
    ) -> None:
        self._supernet, self._logits, self._plan, self._generator = supernet, logits, plan, generator
        self._weights = [weight for weight in supernet.parameters() if weight.requires_grad]
        self._descent = torch.optim.SGD(
            self._weights, lr=plan.learning_rate, momentum=0.9, weight_decay=plan.weight_decay
        )
        self._ascent = torch.optim.Adam(
            logits, lr=plan.architecture_rate, betas=(0.5, 0.999), weight_decay=plan.architecture_decay
        )
        self._temperature = plan.temperature
        self._rate = plan.learning_rate

    def begin(self, epoch: int) -> None:
        """Set learning rate and temperature for an epoch."""
        done = epoch / max(1, self._plan.epochs)
        self._rate = self._plan.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        self._descent.param_groups[0]["lr"] = self._rate
        self._temperature = self._plan.temperature * (1 - 0.99 * done)

    def step(self, training: Batch, held_out: Batch) -> float:
        """One step of the architecture on held-out examples, then one of the weights; the former's loss."""
        if self._plan.method == "darts_second_order":
            loss, slopes = self._unrolled(training, held_out)
        else:
            value = self._loss(held_out)
            loss, slopes = float(value.detach()), _gradients(value, self._logits)
        for own, slope in zip(self._logits, slopes, strict=True):
            own.grad = slope
        self._ascent.step()
        for weight, slope in zip(self._weights, _gradients(self._loss(training), self._weights), strict=True):
            weight.grad = slope
        nn.utils.clip_grad_norm_(self._weights, 5.0)
        self._descent.step()
        return loss

    def _loss(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self._supernet(batch[0], self._gates()), batch[1])

    def _gates(self) -> list[Tensor]:
        if self._plan.method != "gdas":
            return [torch.softmax(own, dim=1) for own in self._logits]
        gates = []
        for own in self._logits:
            uniform = torch.rand(own.shape, generator=self._generator).clamp_(1e-10, 1 - 1e-7)
            noise = -torch.log(-torch.log(uniform)).to(own.device)
            soft = torch.softmax((torch.log_softmax(own, dim=1) + noise) / self._temperature, dim=1)
            hard = functional.one_hot(soft.argmax(dim=1), own.shape[1]).to(soft.dtype)
            gates.append(hard + (soft - soft.detach()) * hard)  # straight through, for what was chosen
        return gates

    def _unrolled(self, training: Batch, held_out: Batch) -> tuple[float, list[Tensor]]:
        """Loss and gradient after one virtual step of the weights (equations 6 to 8 of the paper)."""
        rate, decay = self._rate, self._plan.weight_decay
        before = [weight.detach().clone() for weight in self._weights]
        slopes = _gradients(self._loss(training), self._weights)
        with torch.no_grad():
            for weight, slope in zip(self._weights, slopes, strict=True):
                momentum = self._descent.state[weight].get("momentum_buffer")
                ahead = slope + decay * weight + (0 if momentum is None else 0.9 * momentum)
                weight.sub_(rate * ahead)
        value = self._loss(held_out)
        both = _gradients(value, [*self._logits, *self._weights])
        outer, vector = both[: len(self._logits)], both[len(self._logits) :]
        norm = math.sqrt(sum(float(part.square().sum()) for part in vector))
        small = 0.01 / max(norm, 1e-12)
        sides = []
        for sign in (1, -1):
            self._place(before, vector, sign * small)
            sides.append(_gradients(self._loss(training), self._logits))
        self._place(before, vector, 0.0)
        mixed = [(plus - minus) / (2 * small) for plus, minus in zip(*sides, strict=True)]
        return float(value.detach()), [own - rate * part for own, part in zip(outer, mixed, strict=True)]

    def _place(self, before: Sequence[Tensor], vector: Sequence[Tensor], scale: float) -> None:
        with torch.no_grad():
            for weight, old, part in zip(self._weights, before, vector, strict=True):
                weight.copy_(old + scale * part)


def _gradients(value: Tensor, of: Sequence[Tensor]) -> list[Tensor]:
    """Gradients, zero for what had no part in it."""
    found = torch.autograd.grad(value, list(of), allow_unused=True)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(of, found, strict=True)]
