"""Attribution stability: do expected gradients agree when their random baselines are drawn with another seed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from audits.catalogue.randomisation import rank_correlations
from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.attribution import integrated_gradients
from audits.methods.measured import measured_mean

__all__ = ["AUDIT", "measure"]

_STEPS = 8  # integration points for each baseline; the mean over baselines smooths the rest


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Mean rank correlation of two attributions of the same inputs, each averaged over its own random baselines."""
    data = examinee.data
    x, logits = examinee.probes(int(settings["samples"]), "stability")
    targets = examinee.explained(logits)
    repeats = int(settings["baselines"])
    maps = []
    for half in range(2):
        draw = examinee.generator("stability", half)
        starts = data.x_train[torch.randint(len(data.x_train), (repeats * len(x),), generator=draw)]
        repeated = x.repeat(repeats, *[1] * (x.ndim - 1))
        drawn, _ = integrated_gradients(examinee, repeated, targets.repeat(repeats), steps=_STEPS, start=starts)
        maps.append(drawn.reshape(repeats, len(x), -1).mean(0))
    correlations = rank_correlations(*maps)
    note = f"Spearman correlation, {repeats} training inputs as baselines on each side"
    return (measured_mean("agreement", correlations, note=note),)


AUDIT = Audit(
    name="stability",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(Statistic(name="agreement", bound="floor", low=-1.0, meaning="likeness of maps across seeds"),),
    settings=(
        Setting(name="samples", low=6, high=1_000),
        Setting(name="baselines", low=1, high=100),
    ),
    catches="attributions that depend on the seed they were made with",
    misses="everything about the network itself",
    source="Erion et al. 2021, Nature Machine Intelligence (expected gradients)",
    cost="200 ms",
)
