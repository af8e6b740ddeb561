"""Generalisation gap: how much of what the network does on its training inputs holds on inputs it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.skills import skill
from selfnas.training import intervals

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """How much better the network is on training inputs than on audit inputs.

    Of classification, training accuracy minus audit accuracy, as a difference of independent proportions; of other
    kinds, the difference of skills (`audits.methods.skills`), as one of independent estimates.
    """
    data = examinee.data
    seen = examinee.sample(len(data.x_train), int(settings["train_samples"]), "generalisation", "train")
    new = examinee.sample(len(data.x), int(settings["samples"]), "generalisation", "audit")
    if data.target.kind == "classification":
        return _counted(examinee, seen, new)
    return _graded(examinee, seen, new)


def _counted(examinee: Examinee, seen: Tensor, new: Tensor) -> Sequence[Measurement]:
    data = examinee.data
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


def _graded(examinee: Examinee, seen: Tensor, new: Tensor) -> Sequence[Measurement]:
    """Limits of both are recovered and combined as those of independent estimates (Zou and Donner 2008)."""
    data = examinee.data
    known = skill(examinee.logits(data.x_train[seen]), data.y_train[seen].cpu(), data.target)
    fresh = skill(examinee.audit_logits()[new], data.y[new].cpu(), data.target)
    gap = known.estimate - fresh.estimate
    return (
        Measurement(
            statistic="gap",
            estimate=gap,
            low=gap - math.hypot(known.estimate - known.low, fresh.high - fresh.estimate),
            high=gap + math.hypot(known.high - known.estimate, fresh.estimate - fresh.low),
            n=len(new),
            note=f"skill {known.estimate:.3f} on {len(seen)} training inputs, {fresh.estimate:.3f} on audit inputs",
        ),
    )


AUDIT = Audit(
    name="generalisation",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(
            name="gap",
            bound="ceiling",
            low=-1.0,
            meaning="training accuracy minus audit accuracy; of other kinds, of skills",
        ),
    ),
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
