"""Counterfactual swap: does the prediction follow a named nuisance region when it is taken from another class?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.data import AuditData, region_slices
from audits.contract.examinee import Examinee
from audits.methods.answers import changed as is_changed
from audits.methods.answers import turned, unlike
from audits.methods.measured import measured_share
from selfnas.data.tasks import Nuisance
from selfnas.training.outputs import predicted
from selfnas.training.outputs import truth as true

__all__ = ["AUDIT", "draw_donors", "measure", "swapped"]


_POOL = 1_000  # training inputs that may be donors; bounds the table of draws


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """For every nuisance: how often a foreign region carries its class along, and how often it changes the answer.

    Each audit input gets, in turn, the region of a few training inputs of other classes: a shortcut was learned from
    what the region shows in training, and the audit split may have been made without it. An input counts as following
    when any donor takes the prediction to its own class, as flipping when any changes it. Each audit input is one
    observation, so the counts are binomial given the network. Donors whose region is the same are left out, for
    `follow` also those whose class was predicted before. Where truths are no classes, `audits.methods.answers` says
    when two are unlike and when an answer turned to one.
    """
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "swap")
    pool = examinee.sample(len(data.x_train), _POOL, "swap", "pool")
    truth, pool_truth = (true(each.cpu(), data.target) for each in (data.y[chosen], data.y_train[pool]))
    other = unlike(truth, pool_truth, data.target)
    x, before = data.x[chosen], examinee.predictions()[chosen]
    found = []
    for nuisance in data.nuisances:
        donors = draw_donors(other, int(settings["donors"]), examinee.generator("swap", nuisance.name))
        followed, flipped = [], []  # per donor: 1 yes, 0 no, -1 tells nothing
        for column in donors.T:
            changed = swapped(x, data.x_train[pool[column]], nuisance)
            differs = (changed != x).flatten(1).any(1).cpu() & (column >= 0)
            after = predicted(examinee.logits(changed), data.target)
            label = pool_truth[column]
            apart = is_changed(before, label, data.target)
            followed.append(torch.where(differs & apart, turned(before, after, label, data.target).long(), -1))
            flipped.append(torch.where(differs, is_changed(before, after, data.target).long(), -1))
        found.extend(_measurements(nuisance.name, torch.stack(followed), torch.stack(flipped)))
    return found


def draw_donors(other: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`(b, count)` distinct columns where `(b, pool)` says that a donor is unlike; -1 where none is left."""
    draws = torch.rand(other.shape, generator=generator).masked_fill(~other, -1.0)
    best = draws.topk(min(count, other.shape[1]), dim=1)
    return torch.where(best.values < 0, -1, best.indices)


def swapped(x: Tensor, donors: Tensor, nuisance: Nuisance) -> Tensor:
    """`(b, channels, *size)` inputs whose nuisance region is the donors'."""
    result = x.clone()
    where = region_slices(nuisance.region, x.ndim)
    result[where] = donors[where]
    return result


def _measurements(name: str, followed: Tensor, flipped: Tensor) -> list[Measurement]:
    result = []
    notes = {"follow": "followed the region of some donor", "flip": "changed for some donor"}
    for statistic, outcomes in (("follow", followed), ("flip", flipped)):
        best = outcomes.max(0).values
        count, n = int((best == 1).sum()), int((best >= 0).sum())
        note = f"{count} of {n} predictions {notes[statistic]}, {len(outcomes)} donors each"
        if n < len(best):
            note += f"; for {len(best) - n} inputs no donor's region was of use (the region was the same)"
        result.append(measured_share(statistic, count, n, subject=name, note=note))
    return result


def best_case(data: AuditData, settings: Mapping[str, float], n: int, cross: int) -> Sequence[Measurement]:
    """No answer that follows or changes."""
    n = min(n, int(settings["samples"]))
    return [measured_share(statistic, 0, n) for statistic in ("follow", "flip")]


AUDIT = Audit(
    name="swap",
    measure=measure,
    best_case=best_case,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(
            name="follow",
            bound="ceiling",
            meaning="inputs whose prediction turns to the class a region came from",
            counted=True,
        ),
        Statistic(name="flip", bound="ceiling", meaning="inputs whose prediction changes at all", counted=True),
    ),
    settings=(
        Setting(name="samples", low=20, high=2_000),
        Setting(name="donors", low=1, high=20),
    ),
    about="nuisance",
    aims=("shortcut", "shortcut-90"),
    catches="a shortcut through a region that somebody named, full or partial",
    misses="every shortcut that nobody named, and one spread over the whole input",
    source="counterfactual intervention on the input; passes by equivalence only (Lakens 2017)",
    cost="80 ms a region",
)
