"""From what a network gives to what it says: classes, labels, or numbers in the units of the data.

A network of any kind gives `(n, outputs)` numbers (`selfnas.data.targets.Target`). Everything here works on those, so
that nobody else needs to know how a kind of task is put into numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas.data.targets import Target, TargetKind

__all__ = ["in_units", "losses", "midmost", "predict", "predicted", "probabilities", "sorted_quantiles", "truth"]


def predict(network: nn.Module, x: Tensor, *, batch_size: int = 256) -> Tensor:
    """`(n, c)` logits of a network in evaluation mode, without gradients."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in torch.split(x, batch_size)])


def probabilities(outputs: Tensor, target: Target) -> Tensor:
    """`(n, classes)` that add up to 1, or `(n, labels)` each on its own.

    Args:
        outputs: `(n, outputs)`.
        target: not a regression.

    Raises:
        ValueError: a regression has none.

    Example:
        >>> ordered = Target(kind="ordinal", names=("low", "mid", "high"))
        >>> probabilities(torch.tensor([[0.0, 0.0]]), ordered)
        tensor([[0.5000, 0.0000, 0.5000]])
    """
    if target.kind not in _PROBABILITIES:
        raise ValueError(f"a {target.kind} has no probabilities")
    return _PROBABILITIES[target.kind](outputs)


def predicted(outputs: Tensor, target: Target) -> Tensor:
    """What is answered: `(n,)` int64 classes, `(n, labels)` int64 of 0 and 1, or `(n, numbers)` in the data's units.

    Of quantiles the one that lies nearest the median answers. Of ordered classes it is the middle one, above and below
    which at most half of the probability lies: no other class is nearer on average.
    """
    return _PREDICTED[target.kind](outputs, target)


def truth(y: Tensor, target: Target) -> Tensor:
    """The `y` of a split in the form of `predicted`."""
    if target.kind == "regression":
        return in_units(y, target)
    return y.to(torch.int64)


def in_units(values: Tensor, target: Target) -> Tensor:
    """Standardised `(n, k)` of a regression in the data's units, float64."""
    scale, center = (values.new_tensor(each, dtype=torch.float64) for each in (target.scale, target.center))
    return values.to(torch.float64) * scale + center


def sorted_quantiles(outputs: Tensor, target: Target) -> Tensor:
    """`(n, quantiles)` in ascending order, so that none crosses another.

    Source: Chernozhukov, Fernández-Val, Galichon 2010 (Econometrica 78), rearrangement.
    """
    return outputs.sort(dim=1).values if target.quantiles else outputs


def midmost(target: Target) -> int:
    """Which of the quantiles answers for the number itself."""
    return min(range(len(target.quantiles)), key=lambda index: abs(target.quantiles[index] - 0.5))


def losses(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    """`(n,)` what training makes small for each example: the mean over its outputs of a proper loss.

    Cross entropy of classes, of labels and of thresholds; squared error of standardised numbers; the pinball loss of
    their quantiles.
    """
    return _LOSSES[target.kind](outputs, y, target)


def _quantile_losses(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    """Koenker and Bassett 1978 (Econometrica 46)."""
    above = y.to(outputs) - outputs
    quantiles = outputs.new_tensor(target.quantiles)
    return torch.maximum(quantiles * above, (quantiles - 1) * above).mean(dim=1)


def _number_losses(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    return _quantile_losses(outputs, y, target) if target.quantiles else ((outputs - y.to(outputs)) ** 2).mean(dim=1)


def _threshold_losses(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    passed = (y[:, None] > torch.arange(target.outputs, device=y.device)).to(outputs)
    return functional.binary_cross_entropy_with_logits(outputs, passed, reduction="none").mean(dim=1)


def _label_losses(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    return functional.binary_cross_entropy_with_logits(outputs, y.to(outputs), reduction="none").mean(dim=1)


_LOSSES: Mapping[TargetKind, Callable[[Tensor, Tensor, Target], Tensor]] = {
    "classification": lambda outputs, y, _: functional.cross_entropy(outputs, y, reduction="none"),
    "multilabel": _label_losses,
    "ordinal": _threshold_losses,
    "regression": _number_losses,
}


def _falling(values: Tensor) -> Tensor:
    """`(b, n)` smallest so far in each row; written out where a graph is traced, since ONNX has no such operation."""
    if not torch.compiler.is_exporting():
        return values.cummin(dim=1).values
    columns = list(values.unbind(dim=1))
    return torch.stack(list(itertools.accumulate(columns, torch.minimum)), dim=1)


def _ordinal_probabilities(outputs: Tensor) -> Tensor:
    """Differences of the probabilities to lie above each threshold, which may not rise from one to the next."""
    above = _falling(outputs.sigmoid())
    whole = torch.cat([torch.ones_like(above[:, :1]), above, torch.zeros_like(above[:, :1])], dim=1)
    return whole[:, :-1] - whole[:, 1:]


def _numbers(outputs: Tensor, target: Target) -> Tensor:
    if target.quantiles:
        chosen = midmost(target)
        outputs = sorted_quantiles(outputs, target)[:, chosen : chosen + 1]
    return in_units(outputs, target)


_PROBABILITIES: Mapping[TargetKind, Callable[[Tensor], Tensor]] = {
    "classification": lambda outputs: outputs.softmax(dim=1),
    "multilabel": torch.sigmoid,
    "ordinal": _ordinal_probabilities,
}

_PREDICTED: Mapping[TargetKind, Callable[[Tensor, Target], Tensor]] = {
    "classification": lambda outputs, _: outputs.argmax(dim=1),
    "multilabel": lambda outputs, _: (outputs > 0).to(torch.int64),
    "ordinal": lambda outputs, _: (_falling(outputs) > 0).sum(dim=1),
    "regression": _numbers,
}
