"""When two truths are unlike, an answer changed, or it turned to another example's truth; for every kind of task.

Classes differ or not. Numbers count as unlike from half a standard deviation of the training split on, one label that
is not the same makes two sets of labels unlike, and an answer has turned to a truth when it is closer to it than half
of the way that lay between them.
"""

from __future__ import annotations

from torch import Tensor

from selfnas.data.targets import Target

__all__ = ["changed", "turned", "unlike"]

_NOTABLE = 0.5  # of a standard deviation


def unlike(first: Tensor, second: Tensor, target: Target) -> Tensor:
    """`(n, m)` whether truths differ, of `n` and of `m` examples, both as `selfnas.training.outputs.truth` gives."""
    if target.counted:
        return first[:, None] != second[None, :]
    return _distance(first[:, None], second[None, :], target) >= _least(target)


def changed(before: Tensor, after: Tensor, target: Target) -> Tensor:
    """`(n,)` whether answers differ."""
    if target.counted:
        return before != after
    return _distance(before, after, target) >= _least(target)


def turned(before: Tensor, after: Tensor, to: Tensor, target: Target) -> Tensor:
    """`(n,)` whether answers that were unlike a truth before are like it, or half as far from it."""
    if target.counted:
        return (before != to) & (after == to)
    apart = _distance(before, to, target)
    return (apart >= _least(target)) & (_distance(after, to, target) < apart / 2)


def _least(target: Target) -> float:
    return 1.0 if target.kind == "multilabel" else _NOTABLE


def _distance(first: Tensor, second: Tensor, target: Target) -> Tensor:
    """Labels that differ, or the largest difference of a number in its standard deviations."""
    gaps = (first - second).abs().double()
    if target.kind == "multilabel":
        return gaps.sum(-1)
    return (gaps / gaps.new_tensor(target.scale)).amax(-1)
