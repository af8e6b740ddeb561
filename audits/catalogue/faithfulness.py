"""Attribution validity: do the tiles that occlusion calls important change the prediction sooner than random ones?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.attribution import Tiles, ablation_effects, baseline, tile
from audits.methods.measured import measured_mean
from selfnas.data.targets import Target

__all__ = ["AUDIT", "measure"]

_LEVELS = 8  # points of the curve, evenly from none to all tiles


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Area between deletion curves (random order minus ordered) and between insertion curves (ordered minus random).

    A curve runs over what the answer has to hold on to: of classification the probability of the predicted class, else
    how far the explained output is on its way from the mean training input's to its own.
    """
    data = examinee.data
    x, logits = examinee.probes(int(settings["samples"]), "faithfulness")
    targets, tiles = examinee.explained(logits), tile(data.size)
    effects = ablation_effects(examinee, examinee.network, x, targets, tiles, logits=logits)
    nothing = examinee.logits(baseline(examinee)).expand(len(x), -1)
    support = _Support.of(data.target, logits, nothing, targets)
    effects = effects * support.signs[:, None]
    ends = support(logits) + support(nothing)
    draw = examinee.generator("faithfulness", "orders")
    random = [torch.rand(effects.shape, generator=draw) for _ in range(int(settings["orders"]))]
    ordered = curve_areas(examinee, x, support, effects, tiles, ends=ends)
    others = torch.stack([curve_areas(examinee, x, support, scores, tiles, ends=ends) for scores in random]).mean(0)
    found = []
    for index, (statistic, sign) in enumerate((("deletion", -1.0), ("insertion", 1.0))):
        gains = (sign * (ordered - others)[index]).numpy()
        note = f"area {float(ordered[index].mean()):.3f} in order, {float(others[index].mean()):.3f} at random"
        found.append(measured_mean(statistic, gains, note=note))
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Support:
    """What outputs give to the answers that are explained."""

    targets: Tensor  # `(b,)` the explained output of each input
    signs: Tensor  # `(b,)` 1, or -1 where the answer lies below that of the mean training input
    likely: bool  # whether outputs are logits of classes that exclude each other
    start: Tensor  # `(b,)` the explained outputs of the mean training input
    unit: float  # their mean distance from those of the inputs

    @staticmethod
    def of(target: Target, logits: Tensor, nothing: Tensor, targets: Tensor) -> _Support:
        own, start = (each.gather(1, targets[:, None])[:, 0] for each in (logits, nothing))
        likely, way = target.kind == "classification", own - start
        signs = torch.ones_like(way) if likely else torch.where(way < 0, -1.0, 1.0).to(way)
        return _Support(targets=targets, signs=signs, likely=likely, start=start, unit=float(way.abs().mean()) or 1.0)

    def __call__(self, logits: Tensor) -> Tensor:
        """`(k * b,)` of `(k * b, outputs)`, inputs in turn."""
        times = len(logits) // len(self.targets)
        values = logits.softmax(1) if self.likely else logits
        own = values.gather(1, self.targets.repeat(times)[:, None])[:, 0]
        return own if self.likely else self.signs.repeat(times) * (own - self.start.repeat(times)) / self.unit


def curve_areas(
    examinee: Examinee, x: Tensor, support: _Support, scores: Tensor, tiles: Tiles, *, ends: Tensor
) -> Tensor:
    """`(2, b)` mean support of the answer while tiles are deleted and while they are inserted, highest first.

    Both curves run between the input and the baseline, whose answers are known or the same for all.
    """
    rank = scores.argsort(1, descending=True).argsort(1)  # 0 for the highest score
    start = baseline(examinee).expand_as(x)
    versions: list[Tensor] = []
    for level in range(1, _LEVELS):
        taken = tiles.spread(rank < round(level * tiles.count / _LEVELS), x)
        versions.extend((torch.where(taken, start, x), torch.where(taken, x, start)))
    own = support(examinee.logits(torch.cat(versions)))
    return (own.reshape(_LEVELS - 1, 2, len(x)).sum(0) + ends) / (_LEVELS + 1)


AUDIT = Audit(
    name="faithfulness",
    measure=measure,
    kinds=EVERY_KIND,
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
