"""Attribution validity: do the tiles that occlusion calls important change the prediction sooner than random ones?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.attribution import Tiles, ablation_effects, baseline, tile
from audits.methods.measured import measured_mean

__all__ = ["AUDIT", "curve_areas", "measure"]

_LEVELS = 8  # points of the curve, evenly from none to all tiles


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Area between deletion curves (random order minus ordered) and between insertion curves (ordered minus random)."""
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "faithfulness")
    x, targets = data.x[chosen], examinee.predictions()[chosen]
    tiles = tile(data.size)
    logits = examinee.audit_logits()[chosen]
    effects = ablation_effects(examinee, examinee.network, x, targets, tiles, logits=logits)
    nothing = examinee.logits(baseline(examinee)).softmax(1)[0, targets]
    ends = logits.softmax(1).gather(1, targets[:, None])[:, 0] + nothing
    draw = examinee.generator("faithfulness", "orders")
    random = [torch.rand(effects.shape, generator=draw) for _ in range(int(settings["orders"]))]
    ordered = curve_areas(examinee, x, targets, effects, tiles, ends=ends)
    others = torch.stack([curve_areas(examinee, x, targets, scores, tiles, ends=ends) for scores in random]).mean(0)
    found = []
    for index, (statistic, sign) in enumerate((("deletion", -1.0), ("insertion", 1.0))):
        gains = (sign * (ordered - others)[index]).numpy()
        note = f"area {float(ordered[index].mean()):.3f} in order, {float(others[index].mean()):.3f} at random"
        found.append(measured_mean(statistic, gains, note=note))
    return found


def curve_areas(
    examinee: Examinee, x: Tensor, targets: Tensor, scores: Tensor, tiles: Tiles, *, ends: Tensor
) -> Tensor:
    """`(2, b)` mean probability of the target while tiles are deleted and while they are inserted, highest first.

    Both curves run between the input and the baseline, whose answers are known or the same for all.
    """
    rank = scores.argsort(1, descending=True).argsort(1)  # 0 for the highest score
    start = baseline(examinee).expand_as(x)
    versions: list[Tensor] = []
    for level in range(1, _LEVELS):
        taken = (rank < round(level * tiles.count / _LEVELS))[:, tiles.index].unsqueeze(1).to(x.device)
        versions.extend((torch.where(taken, start, x), torch.where(taken, x, start)))
    probabilities = examinee.logits(torch.cat(versions)).softmax(1)
    own = probabilities.gather(1, targets.repeat(len(versions))[:, None])
    return (own.reshape(_LEVELS - 1, 2, len(x)).sum(0) + ends) / (_LEVELS + 1)


AUDIT = Audit(
    name="faithfulness",
    measure=measure,
    statistics=(
        Statistic(name="deletion", bound="floor", low=-1.0, meaning="how much sooner the prediction falls"),
        Statistic(name="insertion", bound="floor", low=-1.0, meaning="how much sooner the prediction rises"),
    ),
    settings=(
        Setting(name="samples", low=8, high=1_000),
        Setting(name="orders", low=1, high=100),
    ),
    validates="occlusion",
    catches="occlusion maps that do not say what the prediction rests on",
    misses="everything about the network itself: a shortcut is deleted first and scores best",
    source="Petsiuk, Das, Saenko 2018, BMVC (deletion and insertion); against random orders of the same input",
    cost="150 ms",
)
