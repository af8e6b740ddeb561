"""Attribution validity: do integrated gradients stay what they are when the input moves a little?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.methods.attribution import baseline
from audits.methods.measured import measured_median

__all__ = ["AUDIT", "measure"]

_STEPS = 16  # integration points; the same on both sides of a comparison, so their error cancels


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Median over inputs of the largest relative change of the attribution under uniform noise of a given radius."""
    from captum.attr import IntegratedGradients
    from captum.metrics import sensitivity_max

    probes, logits = examinee.probes(int(settings["samples"]), "sensitivity")
    draw = examinee.generator("sensitivity", "noise")
    start = baseline(examinee).to(examinee.device)
    method = IntegratedGradients(examinee.network)

    def explain(inputs: Tensor | tuple[Tensor, ...], target: Tensor) -> tuple[Tensor, ...]:
        maps: Tensor = method.attribute(_only(inputs), baselines=start, target=target, n_steps=_STEPS)
        return (maps.detach(),)

    def perturb(inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = _only(inputs)
        noise = 2 * torch.rand(x.shape, generator=draw) - 1
        return (x + settings["radius"] * noise.to(x.device),)

    with torch.enable_grad():
        changes = sensitivity_max(
            explain,
            probes.to(examinee.device),
            perturb_func=perturb,
            n_perturb_samples=int(settings["perturbations"]),
            target=examinee.explained(logits).to(examinee.device),
        )
    values = changes.detach().to("cpu", torch.float64).numpy()
    if not np.isfinite(values).all():
        raise NetworkOutputError("attributions are not finite, or zero")
    note = f"integrated gradients, noise up to {settings['radius']:g} in the data's units"
    return (measured_median("change", values, note=note),)


def _only(inputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Captum passes one input now bare, now as a tuple of one."""
    return inputs if isinstance(inputs, Tensor) else inputs[0]


AUDIT = Audit(
    name="sensitivity",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(name="change", bound="ceiling", high=10.0, meaning="relative change of attributions under noise"),
    ),
    settings=(
        Setting(name="samples", low=6, high=1_000),
        Setting(name="perturbations", low=1, high=100),
        Setting(name="radius", low=1e-6, high=10.0, integer=False),
    ),
    validates="integrated gradients",
    catches="attributions so unsteady that a picture of one input says nothing about its neighbours",
    misses="everything about the network itself: a steady shortcut is steadier than honest evidence",
    source="Yeh et al. 2019, NeurIPS (sensitivity); median over inputs of their maximum",
    cost="250 ms",
)
