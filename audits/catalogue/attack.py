"""Projected gradient descent: how much accuracy is left when each input may be moved a little against the network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from audits.contract.audit import Audit, Measurement, Setting, Statistic
from audits.contract.examinee import Examinee, NetworkOutputError
from audits.methods.measured import measured_share

__all__ = ["AUDIT", "attacked", "measure"]

_REACH = 2.5  # the steps together can cross the ball this often, as Madry et al. advise; smaller ones never arrive


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Accuracy on inputs attacked within a maximum-norm ball."""
    data = examinee.data
    chosen = examinee.sample(len(data.x), int(settings["samples"]), "attack")
    x, truth = data.x[chosen], data.y[chosen].cpu()
    before = examinee.audit_logits()[chosen]
    after = examinee.logits(attacked(examinee, x, truth, radius=settings["radius"], steps=int(settings["steps"])))
    losses = [float(nn.functional.cross_entropy(logits, truth)) for logits in (before, after)]
    if losses[1] < losses[0]:
        raise NetworkOutputError(
            f"the attack lowered the loss from {losses[0]:.3g} to {losses[1]:.3g}: it shows nothing"
        )
    right, clean = int((after.argmax(1) == truth).sum()), int((before.argmax(1) == truth).sum())
    note = f"{clean} right before the attack; loss {losses[0]:.2f} before, {losses[1]:.2f} after"
    return (measured_share("accuracy", right, len(chosen), note=note),)


def attacked(examinee: Examinee, x: Tensor, labels: Tensor, *, radius: float, steps: int) -> Tensor:
    """`(b, channels, *size)` inputs moved against their labels, within `radius` and the data's range.

    Source: Madry et al. 2018 (ICLR); from the input itself, not from a random start.
    """
    from captum.robust import PGD

    method = PGD(
        examinee.network,
        loss_func=nn.CrossEntropyLoss(reduction="none"),
        lower_bound=float(examinee.data.x_train.min()),
        upper_bound=float(examinee.data.x_train.max()),
    )
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # captum warns when it sets requires_grad itself
        moved: Tensor = method.perturb(
            x.to(examinee.device),
            radius=radius,
            step_size=_REACH * radius / steps,
            step_num=steps,
            target=labels.to(examinee.device),
        )
    return moved.detach()


AUDIT = Audit(
    name="attack",
    measure=measure,
    counts_all=True,
    statistics=(Statistic(name="accuracy", bound="floor", meaning="accuracy under attack"),),
    settings=(
        Setting(name="samples", low=20, high=5_000),
        Setting(name="steps", low=1, high=1_000),
        Setting(name="radius", low=1e-6, high=100.0, integer=False),
    ),
    catches="networks that a small push turns",
    misses="shortcuts, which make a network robust: never make this an objective",
    source="Madry et al. 2018, ICLR",
    cost="300 ms",
)
