"""Worst class: is there a class that the network hardly ever recognises, however good it is on the others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from selfnas.training import intervals
from selfnas.training.outputs import predicted

__all__ = ["AUDIT", "measure", "worst_class"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Least recall of a class over the accuracy on all others, on audit inputs and on training inputs."""
    data, count = examinee.data, int(settings["samples"])
    seen = examinee.sample(len(data.x_train), count, "classes", "train")
    new = examinee.sample(len(data.x), count, "classes")
    known = predicted(examinee.logits(data.x_train[seen]), data.target)
    return (
        worst_class("recall", examinee.predictions()[new], data.y[new].cpu(), data.target.names),
        worst_class("fitted", known, data.y_train[seen].cpu(), data.target.names),
    )


def worst_class(statistic: str, answers: Tensor, truth: Tensor, names: Sequence[str]) -> Measurement:
    """Of `(n,)` answers: the least share of a class that is recognised, over the share right of the other classes.

    The limits are simultaneous: each class has the exact interval at a level of 95 % for all of them together
    (Bonferroni), so the true least recall lies between the least of the lower and the least of the upper limits. The
    share right of the others is taken as it is.
    """
    right = answers == truth
    totals = torch.bincount(truth, minlength=len(names)).tolist()
    hits = torch.bincount(truth[right], minlength=len(names)).tolist()
    present = [label for label, total in enumerate(totals) if total]
    if len(present) < 2 or not sum(hits):
        raise ValueError(f"{sum(hits)} right of {len(truth)} examples in {len(present)} classes: no class to compare")
    level = 1 - (1 - intervals.LEVEL) / len(present)
    limits = {label: intervals.binomial(hits[label], totals[label], level=level) for label in present}
    worst = min(present, key=lambda label: (hits[label] / totals[label], -totals[label]))
    others = (sum(hits) - hits[worst]) / (len(truth) - totals[worst])
    scale = 1 / others if others else float("nan")
    low, high = (min(pair[end] for pair in limits.values()) for end in (0, 1))
    return Measurement(
        statistic=statistic,
        estimate=hits[worst] / totals[worst] * scale,
        low=low * scale,
        high=high * scale,
        n=totals[worst],
        note=f"class {names[worst]}: {hits[worst]} of {totals[worst]} right; {others:.3f} of the others",
    )


AUDIT = Audit(
    name="classes",
    measure=measure,
    statistics=(
        Statistic(
            name="recall",
            bound="floor",
            high=4.0,
            meaning="least recall of a class on audit inputs, over the accuracy on other classes",
        ),
        Statistic(name="fitted", bound="floor", high=4.0, meaning="the same on training inputs"),
    ),
    settings=(Setting(name="samples", low=20, high=100_000),),
    aims=("class-blind",),
    catches="a class that is never recognised",
    misses="what goes wrong in a part of a class, and a class of a few examples",
    source="Clopper and Pearson 1934 (exact interval), Bonferroni over classes",
    cost="20 ms",
)
