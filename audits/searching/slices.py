"""Slices: is there a group of inputs, told by simple features, on which an otherwise good network is wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee
from audits.searching.views import summaries
from selfnas.training import intervals

__all__ = ["AUDIT", "measure"]

_DEPTH = 3  # questions that tell a slice
_LEAST = 5  # examples of a slice, and at least one in so many of the half that it is found in:
_SHARE = 40
_NEIGHBOURS = 5
_POOL = 2_000  # training inputs among which neighbours are looked for
_AHEAD = 2  # a network is expected to be right at most so many times as often as its neighbours' rule


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Accuracy in the worst slice over the accuracy that is expected there, on examples that did not tell the slice.

    A shallow tree over simple features and the true class is fitted to the errors of one half of training and audit
    inputs; the leaf with most errors is tested on the other half, and the same the other way round. Expected is the
    accuracy outside the slice, but at most twice that of a rule by nearest neighbours inside: a slice that is hard for
    everything accuses nobody. The limits are simultaneous for both halves.

    Source: Chung et al. 2019 (ICDE, slice finder by trees), with the finding and the testing kept apart.
    """
    data = examinee.data
    seen = examinee.sample(len(data.x_train), int(settings["samples"]), "slices", "train")
    new = examinee.sample(len(data.x), int(settings["samples"]), "slices")
    y = torch.cat([data.y_train[seen], data.y[new]]).cpu()
    answers = torch.cat([examinee.logits(data.x_train[seen]).argmax(1), examinee.predictions()[new]])
    x = torch.cat([data.x_train[seen], data.x[new]]).cpu()
    told = torch.cat([summaries(x), nn.functional.one_hot(y, data.classes).double()], 1).numpy()
    right = (answers == y).numpy()
    easy = (neighbours(examinee, data, x, seen) == y).numpy()
    order = torch.randperm(len(x), generator=examinee.generator("slices", "halves")).numpy()
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    slices = [
        one
        for told_by, tested in ((first, second), (second, first))
        if (one := _slice(told, right, easy, told_by, tested)) is not None
    ]
    if not slices:
        raise ValueError(f"{len(x)} examples are too few to tell a slice")
    worst = min(slices, key=lambda one: one.ratio)
    limits = [one.limits(1 - (1 - intervals.LEVEL) / len(slices)) for one in slices]
    return (
        Measurement(
            statistic="accuracy",
            estimate=worst.ratio,
            low=min(low for low, _ in limits),
            high=min(high for _, high in limits),
            n=worst.n,
            note=f"{worst.right} of {worst.n} right in the slice, {worst.outside:.3f} outside; neighbours {worst.easy}",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """Counts on the half that did not tell the slice."""

    right: int
    easy: int  # right by the rule of neighbours
    n: int
    outside: float  # share right outside

    @property
    def expected(self) -> float:
        return min(self.outside, _AHEAD * (self.easy + 1) / (self.n + 2))

    @property
    def ratio(self) -> float:
        return self.right / self.n / self.expected

    def limits(self, level: float) -> tuple[float, float]:
        low, high = intervals.binomial(self.right, self.n, level=level)
        return low / self.expected, high / self.expected


def _slice(
    told: NDArray[np.float64],
    right: NDArray[np.bool_],
    easy: NDArray[np.bool_],
    told_by: NDArray[np.int64],
    tested: NDArray[np.int64],
) -> _Slice | None:
    """None where one half is too small or nothing is right; where no errors tell one slice from another, all of it."""
    from sklearn.tree import DecisionTreeRegressor

    least = max(_LEAST, len(told_by) // _SHARE)
    if len(told_by) < 2 * least:
        return None
    tree = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=least, random_state=0)
    tree.fit(told[told_by], (~right[told_by]).astype(np.float64))
    leaves, there = tree.apply(told[told_by]), tree.apply(told[tested])
    errors = {int(leaf): float((~right[told_by])[leaves == leaf].mean()) for leaf in np.unique(leaves)}
    inside = there == max(sorted(errors), key=errors.__getitem__)
    n, outside = int(inside.sum()), right[tested] if inside.all() else right[tested][~inside]
    if not n or not outside.any():
        return None
    return _Slice(
        right=int(right[tested][inside].sum()),
        easy=int(easy[tested][inside].sum()),
        n=n,
        outside=float(outside.mean()),
    )


def neighbours(examinee: Examinee, data: AuditData, x: Tensor, seen: Tensor) -> Tensor:
    """`(b,)` class that most of the nearest training inputs have; the first of `x` are training inputs themselves.

    Args:
        seen: which training inputs they are; none is its own neighbour.
    """
    pool = examinee.sample(len(data.x_train), _POOL, "slices", "pool")
    distances = torch.cdist(x.flatten(1), data.x_train[pool].cpu().flatten(1))
    distances[: len(seen)].masked_fill_(seen[:, None] == pool[None], torch.inf)
    nearest = distances.topk(min(_NEIGHBOURS, len(pool)), largest=False).indices
    votes = nn.functional.one_hot(data.y_train[pool].cpu()[nearest], data.classes).double()
    weights = 1.0 + 1e-3 * torch.arange(nearest.shape[1], 0, -1, dtype=torch.float64)  # ties go to the nearer ones
    return (votes * weights[None, :, None]).sum(1).argmax(1)


AUDIT = Audit(
    name="slices",
    measure=measure,
    statistics=(
        Statistic(
            name="accuracy", bound="floor", high=4.0, meaning="accuracy in the worst slice, over what is expected there"
        ),
    ),
    settings=(Setting(name="samples", low=40, high=20_000),),
    aims=("class-blind", "dark-slice"),
    catches="a group of inputs, alike in simple features and class, that the network gets wrong",
    misses="groups that only a person would name, groups of a few examples, and errors that the labels share",
    source="Chung et al. 2019, ICDE (slice finder); Clopper and Pearson 1934 (exact interval), Bonferroni over halves",
    cost="100 ms",
)
