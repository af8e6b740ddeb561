"""Counterfactual swap: does the prediction follow a named nuisance region when it is taken from another class?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from audits import intervals
from audits.audit import Audit, Measurement, Setting, Statistic
from audits.data import AuditData, NuisanceRegion, region_slices
from audits.examinee import Examinee

__all__ = ["AUDIT", "draw_donors", "measure", "swapped"]


_POOL = 1_000  # training inputs that may be donors; bounds the table of draws


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """For every nuisance: how often a foreign region carries its class along, and how often it changes the answer.

    Each audit input gets the region of one training input of another class: a shortcut was learned from what the
    region shows in training, and the audit split may have been made without it. Only pairs whose regions differ count;
    for `follow` only those whose prediction was not the donor's class already. An audit input enters once, so the
    counts are binomial given the network.
    """
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "swap")
    pool = examinee.sample(len(data.x_train), _POOL, "swap", "pool")
    truth, pool_labels = data.y[chosen].cpu(), data.y_train[pool].cpu()
    before = examinee.predictions()[chosen]
    found = []
    for nuisance in data.nuisances:
        donors = draw_donors(truth, pool_labels, examinee.generator("swap", nuisance.name))
        targets = (donors >= 0).nonzero().flatten()
        x = data.x[chosen[targets]]
        changed = swapped(x, data.x_train[pool[donors[targets]]], nuisance)
        differs = (changed != x).flatten(1).any(1).cpu()
        after = examinee.logits(changed).argmax(1) if len(targets) else truth[targets]
        label, prior = pool_labels[donors[targets]], before[targets]
        found.extend(_measurements(nuisance.name, differs, prior, after, label))
    return found


def draw_donors(labels: Tensor, pool: Tensor, generator: torch.Generator) -> Tensor:
    """`(b,)` for each of `labels` the index of an entry of `pool` with another label, uniformly; -1 if none has."""
    other = labels[:, None] != pool[None, :]
    draws = torch.rand(other.shape, generator=generator).masked_fill(~other, -1.0)
    best = draws.max(1)
    return torch.where(best.values < 0, -1, best.indices)


def swapped(x: Tensor, donors: Tensor, nuisance: NuisanceRegion) -> Tensor:
    """`(b, channels, *size)` inputs whose nuisance region is the donors'."""
    result = x.clone()
    where = region_slices(nuisance.region)
    result[where] = donors[where]
    return result


def _measurements(name: str, differs: Tensor, prior: Tensor, after: Tensor, label: Tensor) -> list[Measurement]:
    eligible = differs & (prior != label)
    follow, n_follow = int((after == label)[eligible].sum()), int(eligible.sum())
    flip, n_flip = int((after != prior)[differs].sum()), int(differs.sum())
    note = f"{follow} of {n_follow} predictions followed the region, {flip} of {n_flip} changed"
    if n_flip < len(differs):
        note += f"; in {len(differs) - n_flip} pairs the region was the same"
    result = []
    for statistic, count, n in (("follow", follow, n_follow), ("flip", flip, n_flip)):
        low, high = intervals.binomial(count, n)
        estimate = count / n if n else None
        result.append(
            Measurement(subject=name, statistic=statistic, estimate=estimate, low=low, high=high, n=n, note=note)
        )
    return result


def _subjects(data: AuditData) -> tuple[str, ...]:
    return tuple(nuisance.name for nuisance in data.nuisances)


AUDIT = Audit(
    name="swap",
    measure=measure,
    statistics=(
        Statistic(name="follow", bound="ceiling", meaning="predictions that turn to the class the region came from"),
        Statistic(name="flip", bound="ceiling", meaning="predictions that change at all"),
    ),
    settings=(Setting(name="samples", low=20, high=2_000),),
    subjects=_subjects,
    aims=("shortcut", "shortcut-90"),
    catches="a shortcut through a region that somebody named, full or partial",
    misses="every shortcut that nobody named, and one spread over the whole input",
    source="counterfactual intervention on the input; passes by equivalence only (Lakens 2017)",
    cost="50 ms a region",
)
