"""Certified radius: how far every input value can provably move without changing the prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee
from audits.methods.measured import measured_median
from audits.methods.untrained import duplicate
from selfnas.robust.bounds import logit_bounds

__all__ = ["AUDIT", "certified_radii", "measure"]

_HALVINGS = 12
_SMALLEST = 1e-9  # of the limit; the search halves on a logarithmic scale and calls anything smaller 0


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Median certified radius, in the data's units."""
    chosen = examinee.sample(len(examinee.data.x), int(settings["samples"]), "certified")
    # In double precision, on a copy: in single precision rounding would be larger than many a certified radius.
    x = examinee.data.x[chosen].to(examinee.device, torch.float64)
    targets = examinee.predictions()[chosen].to(examinee.device)
    precise = duplicate(examinee.network).double()
    radii = certified_radii(precise, x, targets, limit=settings["limit"]).cpu().numpy()
    note = "interval bound propagation; a loose bound, exact only for the smallest networks"
    return (measured_median("radius", radii, note=note),)


def certified_radii(network: nn.Module, x: Tensor, targets: Tensor, *, limit: float) -> Tensor:
    """`(b,)` largest radius found, at most `limit`, within which the target's logit provably stays the largest."""
    low = torch.full((len(x),), limit * _SMALLEST, device=x.device, dtype=x.dtype)
    high = torch.full_like(low, limit)
    for _ in range(_HALVINGS):
        middle = (low * high).sqrt()
        bounds = logit_bounds(network, x, middle)
        own = bounds.low.gather(1, targets[:, None]).squeeze(1)
        others = bounds.high.scatter(1, targets[:, None], -torch.inf).max(1).values
        holds = own > others
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
    return torch.where(low > limit * _SMALLEST, low, 0.0)


AUDIT = Audit(
    name="certified",
    measure=measure,
    statistics=(Statistic(name="radius", bound="floor", high=100.0, meaning="provable distance to another answer"),),
    settings=(
        Setting(name="samples", low=6, high=1_000),
        Setting(name="limit", low=1e-6, high=100.0, integer=False),
    ),
    catches="nothing by itself: a number to watch across networks of one architecture",
    misses="nearly all robustness: with batch norm and depth the bound is vacuous (about 1e-7 on the shipped cells)",
    source="Gowal et al. 2018 (interval bound propagation)",
    cost="150 ms",
)
