"""Relevance mass: does the network rest on what is outside a named nuisance, more than chance wiring would?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.attribution import Tiles, ablation_effects, tile
from audits.methods.untrained import duplicate, redraw

__all__ = ["AUDIT", "measure", "relevance_outside"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """For every nuisance: mean occlusion relevance outside it, minus that of untrained networks of one architecture.

    The ground truth of these probes is that the region must not matter. Untrained networks are the yardstick because
    they respond to strong inputs as the architecture alone makes them: against random attributions even they would
    look attentive. Each of them is one observation, its mean over every other input.
    """
    data = examinee.data
    x, _ = examinee.probes(int(settings["samples"]), "relevance")
    probes = [tile(data.size, region=nuisance.region) for nuisance in data.nuisances]
    stranger, draw = duplicate(examinee.network), examinee.generator("relevance", "untrained")
    means = []  # per stranger: of each probe
    for _ in range(int(settings["untrained"])):
        redraw(stranger, draw)  # one copy in turn, because copying costs as much as measuring
        means.append([float(each.mean()) for each in relevance_outside(examinee, stranger, x[::2], probes)])
    found = []
    own_by_probe = relevance_outside(examinee, examinee.network, x, probes)
    for nuisance, own, strangers in zip(data.nuisances, own_by_probe, zip(*means, strict=True), strict=True):
        others = torch.tensor(strangers, dtype=own.dtype)
        low, high = _interval(own, others)
        found.append(
            Measurement(
                subject=nuisance.name,
                statistic="gain",
                estimate=float(own.mean() - others.mean()),
                low=low,
                high=high,
                n=len(x),
                note=f"relevance outside {float(own.mean()):.3f}, untrained {float(others.mean()):.3f}",
            )
        )
    return found


def relevance_outside(examinee: Examinee, network: nn.Module, x: Tensor, probes: Sequence[Tiles]) -> list[Tensor]:
    """For each probe `(b,)` share of the absolute occlusion effects on the predicted class that falls outside it."""
    logits = examinee.logits(x, network=network)
    shares = []
    for tiles in probes:
        effects = ablation_effects(examinee, network, x, examinee.explained(logits), tiles, logits=logits).abs()
        shares.append(effects[:, ~tiles.marked].sum(1) / effects.sum(1))
    return shares


def _interval(own: Tensor, others: Tensor) -> tuple[float, float]:
    """Welch interval of the difference of means: inputs are one source of spread, the draw of networks the other."""
    from scipy.special import stdtrit

    if min(len(own), len(others)) < 2:
        return -math.inf, math.inf
    difference = float(own.mean() - others.mean())
    parts = [float(each.var()) / len(each) for each in (own, others)]
    if sum(parts) == 0.0:
        return difference, difference
    freedom = sum(parts) ** 2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, (own, others), strict=True))
    spread = float(stdtrit(freedom, 0.975)) * math.sqrt(sum(parts))
    return difference - spread, difference + spread


AUDIT = Audit(
    name="relevance",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(
            name="gain",
            bound="floor",
            low=-1.0,
            meaning="relevance outside the region, minus that of untrained networks",
        ),
    ),
    settings=(
        Setting(name="samples", low=10, high=1_000),
        Setting(name="untrained", low=3, high=100),
    ),
    about="nuisance",
    relies_on="occlusion",
    aims=("shortcut",),
    catches="a network that rests on a named region, seen without exchanging anything between inputs",
    misses="shortcuts nobody named, and a region that matters only together with the rest",
    source="Arras et al. 2022 (CLEVR-XAI, relevance mass); compared with untrained networks, not with chance",
    cost="150 ms a region",
)
