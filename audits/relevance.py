"""Relevance mass: does the network rest on what is outside a named nuisance, more than chance wiring would?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from audits.ablation import Tiles, ablation_effects, tile
from audits.audit import Audit, Measurement, Setting, Statistic
from audits.data import AuditData
from audits.examinee import Examinee
from audits.untrained import untrained

__all__ = ["AUDIT", "measure", "relevance_outside"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """For every nuisance: mean occlusion relevance outside it, minus that of untrained networks of one architecture.

    The ground truth of these probes is that the region must not matter. Untrained networks are the yardstick because
    they respond to strong inputs as the architecture alone makes them: against random attributions even they would
    look attentive.
    """
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "relevance")
    x = data.x[chosen]
    draw = examinee.generator("relevance", "untrained")
    strangers = [untrained(examinee.network, draw) for _ in range(int(settings["untrained"]))]
    found = []
    for nuisance in data.nuisances:
        tiles = tile(data.size, region=nuisance.region)
        own = relevance_outside(examinee, examinee.network, x, tiles)
        others = torch.stack([relevance_outside(examinee, stranger, x, tiles) for stranger in strangers])
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


def relevance_outside(examinee: Examinee, network: nn.Module, x: Tensor, tiles: Tiles) -> Tensor:
    """`(b,)` share of the absolute occlusion effects on the predicted class that falls on unmarked tiles."""
    targets = examinee.logits(x, network=network).argmax(1)
    effects = ablation_effects(examinee, network, x, targets, tiles).abs()
    return effects[:, ~tiles.marked].sum(1) / effects.sum(1)


def _interval(own: Tensor, others: Tensor) -> tuple[float, float]:
    """Welch interval: inputs are one source of spread, the draw of untrained networks another."""
    from scipy.special import stdtrit

    paired = (own - others.mean(0)).numpy()
    nets = others.mean(1).numpy()
    if len(paired) < 2 or len(nets) < 2:
        return -math.inf, math.inf
    parts = np.array([paired.var(ddof=1) / len(paired), nets.var(ddof=1) / len(nets)])
    total = float(parts.sum())
    if total == 0.0:
        return float(paired.mean()), float(paired.mean())
    freedom = total**2 / float((parts**2 / np.array([len(paired) - 1, len(nets) - 1])).sum())
    spread = float(stdtrit(freedom, 0.975)) * math.sqrt(total)
    return float(paired.mean()) - spread, float(paired.mean()) + spread


def _subjects(data: AuditData) -> tuple[str, ...]:
    return tuple(nuisance.name for nuisance in data.nuisances)


AUDIT = Audit(
    name="relevance",
    measure=measure,
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
    subjects=_subjects,
    relies_on="occlusion",
    aims=("shortcut",),
    catches="a network that rests on a named region, seen without exchanging anything between inputs",
    misses="shortcuts nobody named, and a region that matters only together with the rest",
    source="Arras et al. 2022 (CLEVR-XAI, relevance mass); compared with untrained networks, not with chance",
    cost="150 ms a region",
)
