"""Fills: does a flat value in a named region, which no data show there, call up one class?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.data import region_slices
from audits.contract.examinee import Examinee
from audits.methods.measured import measured_share

__all__ = ["AUDIT", "measure"]

_FURTHEST = 4.0  # standard deviations from 0 that are tried at least; the data's own range in any case


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """For every nuisance: the share of inputs that its most telling flat fill turns to one class.

    Value and class are chosen on a third of the inputs, and tested on the rest: of those not answered with that class
    before, how many are then.
    """
    data, found = examinee.data, []
    x, logits = examinee.probes(int(settings["samples"]), "fills")
    before = logits.argmax(1)
    low = min(float(data.x_train.min()), -_FURTHEST)
    high = max(float(data.x_train.max()), _FURTHEST)
    values = torch.linspace(low, high, int(settings["values"])).tolist()
    searched = torch.arange(len(x)) % 3 == 0
    for nuisance in data.nuisances:
        where = region_slices(nuisance.region, x.ndim)
        gained: dict[tuple[float, int], int] = {}
        for value in values:
            filled = x[searched].clone()
            filled[where] = value
            after = examinee.logits(filled).argmax(1)
            moved = after[after != before[searched]]
            for label, count in enumerate(torch.bincount(moved, minlength=data.classes).tolist()):
                gained[value, label] = count
        value, label = max(gained, key=lambda pair: (gained[pair], pair))
        filled = x[~searched].clone()
        filled[where] = value
        free = before[~searched] != label
        turned = int(((examinee.logits(filled).argmax(1) == label) & free).sum())
        note = (
            f"{value:.3g} in all of it, class {label}; chosen of {len(values)} values on {int(searched.sum())} inputs"
        )
        found.append(measured_share("turn", turned, int(free.sum()), subject=nuisance.name, note=note))
    return found


AUDIT = Audit(
    name="fills",
    measure=measure,
    statistics=(
        Statistic(
            name="turn",
            bound="ceiling",
            meaning="inputs that a flat fill of the region turns to one class",
            counted=True,
        ),
    ),
    settings=(
        Setting(name="samples", low=30, high=5_000),
        Setting(name="values", low=2, high=100),
    ),
    about="nuisance",
    aims=("region-backdoor",),
    catches="a backdoor inside a named region whose trigger is about flat, though no data show it",
    misses="triggers with a pattern, and triggers outside named regions",
    source="Gu, Dolan-Gavitt, Garg 2017 (BadNets), with values searched for; Clopper and Pearson 1934 (interval)",
    cost="60 ms a region",
)
