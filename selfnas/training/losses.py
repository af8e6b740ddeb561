"""What training minimises, by kind of target.

Sources: label smoothing, Szegedy et al. 2016 (CVPR); Huber 1964; quantile regression, Koenker, Bassett 1978; ordered
classes by one logit for each threshold, Frank, Hall 2001 (ECML) and Cheng et al. 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas.data.targets import Target, TargetKind, Targets

__all__ = ["Loss", "as_shares", "balanced_weights", "constant_outputs", "loss_for"]

Loss = Callable[[Tensor, Tensor], Tensor]

_MOST_WEIGHT = 20.0  # a class seen once must not outweigh all others


def loss_for(
    target: Target | None, *, smoothing: float = 0.0, weights: Sequence[float] = (), metric: str | None = None
) -> Loss:
    """Mean loss of `(b, outputs)` towards the `y` of a batch, as splits hold it.

    Args:
        target: what is asked; None is classification.
        smoothing: share of each label that is spread over all classes; numbers have none.
        weights: of each class, or of the positive side of each label; none weighs all alike. Numbers and ordered
            classes have none.
        metric: that is scored. Numbers are fitted by squares, as R² counts errors, and by Huber's loss for `mae`.
    """
    if target is not None and target.kind == "regression" and not target.quantiles:
        return functional.huber_loss if metric == "mae" else _half_square
    given = torch.tensor(weights) if weights else None
    return _LOSSES["classification" if target is None else target.kind](target, smoothing, given)


def balanced_weights(y: Targets, target: Target) -> tuple[float, ...]:
    """Weights that let rare classes, or the rarer side of each label, count as much as frequent ones; at most 20.

    Example:
        >>> balanced_weights(np.array([0, 0, 0, 1]), Target.of_classes(2))
        (0.666667, 2.0)
    """
    if target.kind == "classification":
        counts = np.bincount(np.asarray(y, dtype=np.int64), minlength=target.outputs)
        found = len(y) / (target.outputs * np.maximum(counts, 1))
    elif target.kind == "multilabel":
        positive = np.asarray(y).sum(0)
        found = (len(y) - positive) / np.maximum(positive, 1)
    else:
        return ()
    return tuple(round(float(min(weight, _MOST_WEIGHT)), 6) for weight in found)


def as_shares(y: Tensor, outputs: int) -> Tensor:
    """`(b, outputs)` of targets as splits hold them: the share of each class or label, and numbers as they are.

    Example:
        >>> as_shares(torch.tensor([1, 0]), 2).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    return functional.one_hot(y, outputs).float() if y.dim() == 1 else y.float()


def constant_outputs(y: Tensor, target: Target | None) -> Tensor:
    """`(outputs,)` the best answer that looks at no example: what a score must beat to say anything.

    Args:
        y: of the training examples.
        target: what is asked; None is classification.
    """
    if target is None or target.kind == "classification":
        return torch.bincount(y, minlength=0 if target is None else target.outputs).float()
    if target.kind == "ordinal":
        return torch.stack([(y > k).float().mean() for k in range(target.outputs)]).logit(eps=1e-6)
    if target.kind == "multilabel":
        return y.float().mean(0).logit(eps=1e-6)
    if target.quantiles:
        return torch.quantile(y[:, 0], y.new_tensor(target.quantiles))
    return y.mean(0)


def _cross_entropy(_: Target | None, smoothing: float, weights: Tensor | None) -> Loss:
    return nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)


def _by_label(_: Target | None, smoothing: float, weights: Tensor | None) -> Loss:
    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        wanted = y * (1 - smoothing) + smoothing / 2
        positive = None if weights is None else weights.to(outputs)
        return functional.binary_cross_entropy_with_logits(outputs, wanted, pos_weight=positive)

    return loss


def _by_threshold(_: Target | None, smoothing: float, __: Tensor | None) -> Loss:
    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        above = (y.unsqueeze(1) > torch.arange(outputs.shape[1], device=y.device)).to(outputs)
        return functional.binary_cross_entropy_with_logits(outputs, above * (1 - smoothing) + smoothing / 2)

    return loss


def _half_square(outputs: Tensor, y: Tensor) -> Tensor:
    return functional.mse_loss(outputs, y) / 2


def _by_quantile(target: Target | None, _: float, __: Tensor | None) -> Loss:
    quantiles = () if target is None else target.quantiles

    def pinball(outputs: Tensor, y: Tensor) -> Tensor:
        levels = outputs.new_tensor(quantiles)
        missing = y - outputs
        return torch.maximum(levels * missing, (levels - 1) * missing).mean()

    return pinball


_LOSSES: Mapping[TargetKind, Callable[[Target | None, float, Tensor | None], Loss]] = {
    "classification": _cross_entropy,
    "multilabel": _by_label,
    "ordinal": _by_threshold,
    "regression": _by_quantile,
}
