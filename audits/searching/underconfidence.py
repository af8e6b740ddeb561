"""Underconfidence: does the network's confidence say too little, or the opposite of how right it is?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.measured import measured_mean
from selfnas.training import intervals

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Accuracy minus mean confidence, and how often a right answer is surer than a wrong one.

    The area under the curve is of confidence as a sign of right answers: 0.5 where it tells nothing, less where the
    network is surer of what is wrong. Without errors, or without right answers, it is open.
    """
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "underconfidence")
    logits, truth = examinee.audit_logits()[chosen], data.y[chosen].cpu()
    top = logits.softmax(1).max(1)
    right, sure = (top.indices == truth).numpy(), top.values.numpy()
    note = f"mean confidence {sure.mean():.3f}, accuracy {right.mean():.3f}"
    return (measured_mean("deficit", right.astype(np.float64) - sure, note=note), _ranking(sure, right))


def _ranking(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> Measurement:
    """Area under the curve of confidence as a sign of right answers."""
    wrong = int((~right).sum())
    note = f"{wrong} of {len(sure)} wrong"
    if wrong in (0, len(sure)):
        return Measurement(statistic="ranking", estimate=None, low=0.0, high=1.0, n=0, note=f"{note}: nothing to rank")
    good, bad = sure[right][:, None], sure[~right][None]
    estimate = float(((good > bad) + 0.5 * (good == bad)).mean())
    low, high = intervals.area(estimate, len(sure) - wrong, wrong)
    return Measurement(statistic="ranking", estimate=estimate, low=low, high=high, n=len(sure), note=note)


AUDIT = Audit(
    name="underconfidence",
    measure=measure,
    counts_all=True,
    statistics=(
        Statistic(name="deficit", bound="ceiling", low=-1.0, meaning="accuracy minus mean confidence"),
        Statistic(
            name="ranking", bound="floor", meaning="right answers that are surer than wrong ones, of all such pairs"
        ),
    ),
    settings=(Setting(name="samples", low=20, high=100_000),),
    aims=("unsure",),
    catches="a network whose confidence is far below its accuracy, or highest where it is wrong",
    misses="confidence that is right on the whole and wrong for a group",
    source="Guo et al. 2017, ICML (gap); Newcombe 2006, Stat. Med. (interval of the area)",
    cost="5 ms",
)
