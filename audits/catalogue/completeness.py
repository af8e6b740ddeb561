"""Attribution validity: do integrated gradients add up to the change of output that they claim to explain?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.attribution import integrated_gradients
from audits.methods.measured import measured_median

__all__ = ["AUDIT", "measure"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Median over inputs of |sum of attributions - (f(x) - f(baseline))|, in units of the mean |f(x) - f(baseline)|.

    The common unit keeps an input whose output hardly differs from the baseline's from dividing by nothing.
    """
    x, logits = examinee.probes(int(settings["samples"]), "completeness")
    targets = examinee.explained(logits)
    attributions, difference = integrated_gradients(examinee, x, targets, steps=int(settings["steps"]))
    residual = (attributions.flatten(1).sum(1) - difference).abs().numpy()
    unit = float(difference.abs().mean())
    # A constant network explains nothing: no error to speak of, and no interval either, hence void.
    errors = residual / unit if unit > 0 else np.full(len(residual), np.nan)
    note = f"integrated gradients, {int(settings['steps'])} steps, baseline the mean training input"
    return (measured_median("error", errors, note=note),)


AUDIT = Audit(
    name="completeness",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(Statistic(name="error", bound="ceiling", meaning="what the attributions leave unexplained"),),
    settings=(
        Setting(name="samples", low=6, high=1_000),
        Setting(name="steps", low=8, high=1_000),
    ),
    validates="integrated gradients",
    catches="attributions too coarse to be evidence: too few steps, or an operation whose gradient is wrong",
    misses="everything about the network itself: shortcuts and backdoors have complete attributions",
    source="Sundararajan, Taly, Yan 2017, ICML (completeness axiom); normalised by the mean difference, not per input",
    cost="200 ms",
)
