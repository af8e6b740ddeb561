"""Generalisation gap: how much of what the network does on its training inputs holds on inputs it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee
from audits.methods.skills import Answers, held_out_answers, skill
from selfnas.data.targets import Target
from selfnas.training import intervals
from selfnas.training.outputs import predicted

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """How much better the network is on training inputs than on inputs that it has not seen.

    Of classification, training accuracy minus accuracy on the others, as a difference of independent proportions; of
    other kinds, the difference of skills (`audits.methods.skills`), as one of independent estimates. Of several labels
    it is the difference of mean AUROC, half that of skills: as of accuracies, chance is a half and the best is 1.
    """
    data = examinee.data
    seen = examinee.sample(len(data.x_train), int(settings["train_samples"]), "generalisation", "train")
    new = examinee.sample(len(data.x), int(settings["samples"]), "generalisation", "audit")
    known = examinee.logits(data.x_train[seen])
    gap = _counted if data.target.kind == "classification" else _graded
    return (gap(data.target, known, data.y_train[seen].cpu(), held_out_answers(examinee, new)),)


def _counted(target: Target, known: Tensor, y: Tensor, found: Answers) -> Measurement:
    right_seen = int((predicted(known, target) == y).sum())
    right_new, n = int((predicted(found.outputs, target) == found.y).sum()), len(found.y)
    low, high = intervals.difference(right_seen, len(y), right_new, n)
    return Measurement(
        statistic="gap",
        estimate=right_seen / len(y) - right_new / n,
        low=low,
        high=high,
        n=n,
        note=f"{right_seen} of {len(y)} training inputs right, {right_new} of {n} others{found.note}",
    )


def _graded(target: Target, known: Tensor, y: Tensor, found: Answers) -> Measurement:
    """Limits of both are recovered and combined as those of independent estimates (Zou and Donner 2008)."""
    seen, new = skill(known, y, target), skill(found.outputs, found.y, target)
    gap, unit = seen.estimate - new.estimate, 0.5 if target.kind == "multilabel" else 1.0
    return Measurement(
        statistic="gap",
        estimate=unit * gap,
        low=unit * (gap - math.hypot(seen.estimate - seen.low, new.high - new.estimate)),
        high=unit * (gap + math.hypot(seen.high - seen.estimate, new.estimate - new.low)),
        n=len(found.y),
        note=f"skill {seen.estimate:.3f} on {len(y)} training inputs, {new.estimate:.3f} on others{found.note}",
    )


def best_case(data: AuditData, settings: Mapping[str, float], n: int, cross: int) -> Sequence[Measurement]:
    """Every answer right; known of classification alone."""
    if data.target.kind != "classification":
        return []
    n, seen = min(n, int(settings["samples"])) + cross, min(len(data.x_train), int(settings["train_samples"]))
    low, high = intervals.difference(seen, seen, n, n)
    return [Measurement(statistic="gap", estimate=0.0, low=low, high=high, n=n)]


AUDIT = Audit(
    name="generalisation",
    measure=measure,
    counts_all=True,
    best_case=best_case,
    pools=True,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(
            name="gap",
            bound="ceiling",
            low=-1.0,
            meaning="training accuracy minus audit accuracy; of labels AUROC, of other kinds skill",
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
