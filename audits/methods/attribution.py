"""Attributions by Captum, the only door to it: which part of the input a prediction rests on."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from audits.contract.examinee import Examinee, NetworkOutputError

__all__ = ["baseline", "integrated_gradients"]

_BATCH = 512  # inputs times integration steps per pass, as far as
_VALUES = 4_000_000  # input values per pass allow; bounds memory


def baseline(examinee: Examinee) -> Tensor:
    """`(1, channels, *size)` the mean training input: on the data's scale whatever the scaling, unlike zeros."""
    return examinee.data.x_train.mean(0, keepdim=True)


def integrated_gradients(
    examinee: Examinee, x: Tensor, targets: Tensor, *, steps: int, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attribution of each input's target logit, and the difference of logits it should add up to.

    Args:
        examinee: the network.
        x: `(b, channels, *size)` float32.
        targets: `(b,)` int64.
        steps: Gauss-Legendre points on the path from the baseline.
        start: the baseline, one for all or one for each input; the mean training input if absent.

    Returns:
        `(b, channels, *size)` attributions and `(b,)` of `f(x) - f(baseline)`, float64 on the CPU.

    Raises:
        NetworkOutputError: attributions that are not finite.

    Source: Sundararajan, Taly, Yan 2017 (ICML).
    """
    from captum.attr import IntegratedGradients

    start = baseline(examinee) if start is None else start
    difference = (examinee.logits(x) - examinee.logits(start)).gather(1, targets.cpu()[:, None]).squeeze(1)
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # captum warns when it sets requires_grad itself
        attributions = IntegratedGradients(examinee.network).attribute(
            x.to(examinee.device),
            baselines=start.to(examinee.device),
            target=targets.to(examinee.device),
            n_steps=steps,
            internal_batch_size=max(len(x), min(_BATCH, _VALUES // x[0].numel())),
        )
    result: Tensor = attributions.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(result).all()):
        raise NetworkOutputError("integrated gradients are not finite")
    return result, difference
