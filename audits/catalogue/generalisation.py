"""Generalisation gap: how much of what the network does on its training inputs holds on inputs it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from selfnas.training import intervals

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Training accuracy minus audit accuracy, as a difference of independent proportions."""
    data = examinee.data
    seen = examinee.sample(len(data.x_train), int(settings["train_samples"]), "generalisation", "train")
    new = examinee.sample(len(data.x), int(settings["samples"]), "generalisation", "audit")
    right_seen = int((examinee.logits(data.x_train[seen]).argmax(1) == data.y_train[seen].cpu()).sum())
    right_new = int((examinee.predictions()[new] == data.y[new].cpu()).sum())
    low, high = intervals.difference(right_seen, len(seen), right_new, len(new))
    return (
        Measurement(
            statistic="gap",
            estimate=right_seen / len(seen) - right_new / len(new),
            low=low,
            high=high,
            n=len(new),
            note=f"{right_seen} of {len(seen)} training inputs right, {right_new} of {len(new)} audit inputs",
        ),
    )


AUDIT = Audit(
    name="generalisation",
    measure=measure,
    statistics=(Statistic(name="gap", bound="ceiling", low=-1.0, meaning="training accuracy minus audit accuracy"),),
    settings=(
        Setting(name="samples", low=20, high=100_000),
        Setting(name="train_samples", low=20, high=100_000),
    ),
    aims=("memorised", "noisy-labels"),
    catches="memorised labels, random or noisy, and plain overfitting",
    misses="a shortcut that holds in training and audit data alike, which generalises perfectly",
    source="Newcombe 1998 (interval); Zhang et al. 2017, ICLR (networks that memorise random labels)",
    cost="20 ms",
)
