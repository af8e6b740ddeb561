"""Attribution validity: a saliency map that survives when the weights are drawn anew does not describe the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.methods.measured import measured_mean
from audits.methods.untrained import untrained

__all__ = ["AUDIT", "measure", "rank_correlations"]


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Mean rank correlation of saliency maps before and after drawing every weight anew."""
    x, logits = examinee.probes(int(settings["samples"]), "randomisation")
    targets = examinee.explained(logits)
    stranger = untrained(examinee.network, examinee.generator("randomisation", "weights"))
    own, other = (_saliency(examinee, network, x, targets) for network in (examinee.network, stranger))
    correlations = rank_correlations(own, other)
    note = "Spearman correlation of saliency maps, every layer redrawn"
    return (measured_mean("similarity", correlations, note=note),)


def rank_correlations(first: Tensor, second: Tensor) -> NDArray[np.float64]:
    """`(b,)` Spearman correlations of two `(b, ...)` stacks of maps; NaN where a map is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(maps.flatten(1).numpy(), axis=1) for maps in (first, second)]
    centred = [rank - rank.mean(1, keepdims=True) for rank in ranks]
    norm = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    with np.errstate(invalid="ignore"):
        result: NDArray[np.float64] = (centred[0] * centred[1]).sum(1) / norm
    return result


def _saliency(examinee: Examinee, network: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
    from captum.attr import Saliency

    with torch.enable_grad():
        inputs = x.detach().clone().to(examinee.device).requires_grad_()
        maps: Tensor = Saliency(network).attribute(inputs, target=targets.to(examinee.device))
    result = maps.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(result).all()):
        raise NetworkOutputError("saliency maps are not finite")
    return result


AUDIT = Audit(
    name="randomisation",
    measure=measure,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(name="similarity", bound="ceiling", low=-1.0, meaning="likeness of maps after redrawing the weights"),
    ),
    settings=(Setting(name="samples", low=8, high=1_000),),
    validates="saliency",
    catches="saliency that follows the input or the architecture instead of what was learned",
    misses="everything about the network itself",
    source="Adebayo et al. 2018, NeurIPS (sanity checks); all layers at once, by saliency because IG passes regardless",
    cost="20 ms",
)
