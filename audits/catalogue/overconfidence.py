"""Overconfidence: is the network far surer than it is right? Being less sure accuses nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from audits.catalogue.confidence import temperature
from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.measured import measured_mean

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """The temperature that would fit the logits to the audit labels, and mean confidence minus accuracy."""
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "overconfidence")
    logits, truth = examinee.audit_logits()[chosen], data.y[chosen].cpu()
    best, low, high = temperature(logits, truth)
    top = logits.softmax(1).max(1)
    right = (top.indices == truth).to(torch.float64)
    note = f"mean confidence {float(top.values.mean()):.3f}, accuracy {float(right.mean()):.3f}"
    return (
        Measurement(statistic="temperature", estimate=best, low=low, high=high, n=len(chosen), note=note),
        measured_mean("excess", (top.values - right).numpy(), note=note),
    )


AUDIT = Audit(
    name="overconfidence",
    measure=measure,
    counts_all=True,
    statistics=(
        Statistic(name="temperature", bound="ceiling", high=200.0, meaning="what the logits should be divided by"),
        Statistic(name="excess", bound="ceiling", low=-1.0, meaning="mean confidence minus accuracy"),
    ),
    settings=(Setting(name="samples", low=20, high=100_000),),
    aims=("overconfident",),
    catches="a network that is sure when it is wrong",
    misses="overconfidence of a network that makes no errors on the audit split, and all other defects",
    source="Guo et al. 2017, ICML (temperature, by profile likelihood); Student's interval of the excess",
    cost="10 ms",
)
