"""Corruption: how much accuracy is left on inputs as a worse sensor would give them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from selfnas.robust.corruptions import corrupted, corruptions_of
from selfnas.training import intervals

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Accuracy under the corruption that hurts most, with limits that hold for all of them at once."""
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "corruption")
    x, y = data.x[chosen], data.y[chosen].cpu()
    spread = float(data.x_train.max() - data.x_train.min())
    names, right = corruptions_of(x), {}
    for name in names:
        generator = examinee.generator("corruption", name)
        changed = corrupted(x, name, settings["strength"], spread=spread, generator=generator)
        right[name] = int((examinee.logits(changed).argmax(1) == y).sum())
    worst = min(names, key=lambda name: right[name])
    low, high = intervals.binomial(right[worst], len(y), level=1 - (1 - intervals.LEVEL) / len(names))
    note = ", ".join(f"{name} {right[name] / len(y):.2f}" for name in names)
    return (Measurement(statistic="accuracy", estimate=right[worst] / len(y), low=low, high=high, n=len(y), note=note),)


AUDIT = Audit(
    name="corruption",
    measure=measure,
    counts_all=True,
    statistics=(Statistic(name="accuracy", bound="floor", meaning="accuracy under the worst corruption"),),
    settings=(
        Setting(name="samples", low=20, high=100_000),
        Setting(name="strength", low=0.1, high=4.0, integer=False),
    ),
    aims=("fragile",),
    catches="networks that lean on what a little noise, blur or shift takes away",
    misses="corruptions that are not among these, and several at once",
    source="Hendrycks and Dietterich 2019 (ICLR), of which these are plain forms",
    cost="50 ms",
)
