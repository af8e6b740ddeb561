"""Which audit inputs a person should see who looks at a few: errors, then what the network is least sure of.

An accuracy of 98 % is the same whichever inputs the other 2 % are; a reviewer should see them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audits.contract.examinee import Examinee
from selfnas.data.targets import Target
from selfnas.training.outputs import losses, probabilities, truth

__all__ = ["Telling", "telling"]

_ERRORS = 2 / 3  # of the places at most, so that some are left for what it is least certain of


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One audit input that is shown.

    Attributes:
        index: in the audit split.
        wrong: whether it is answered wrongly; False where an answer is a number.
        why: it is shown, in a few words.
    """

    index: int
    wrong: bool
    why: str


def telling(examinee: Examinee, count: int) -> list[Telling]:
    """At most `count` inputs of the audit split: errors with the greatest loss, then answers of the least certainty.

    Errors fill at most two thirds of the places, unless there is nothing else. Where answers are numbers, all places go
    to those of the greatest loss.

    Raises:
        NetworkOutputError: outputs that are not finite.
    """
    data, logits = examinee.data, examinee.audit_logits()
    lost = losses(logits, data.y.cpu(), data.target)
    worst = lost.argsort(descending=True, stable=True)
    if data.target.kind == "regression":
        return [Telling(index=int(at), wrong=False, why=f"loss {lost[at]:.3g}") for at in worst[:count]]
    differs = examinee.predictions() != truth(data.y.cpu(), data.target)
    wrong = differs.any(1) if differs.ndim > 1 else differs
    margin = _margin(logits, data.target)
    errors = [int(at) for at in worst if wrong[at]]
    unsure = [int(at) for at in margin.argsort(stable=True) if not wrong[at]]
    room = max(count - len(unsure), round(count * _ERRORS))
    shown = [Telling(index=at, wrong=True, why=f"error, loss {lost[at]:.3g}") for at in errors[:room]]
    left = count - len(shown)
    return shown + [Telling(index=at, wrong=False, why=f"margin {margin[at]:.2f}") for at in unsure[:left]]


def _margin(logits: Tensor, target: Target) -> Tensor:
    """`(n,)` in [0, 1]: by how much the most probable class leads; of labels, the one nearest to a half decides."""
    shares = probabilities(logits, target)
    if target.kind == "multilabel":
        return 2 * (shares - 0.5).abs().min(1).values
    top = torch.topk(shares, min(2, shares.shape[1]), dim=1).values
    return top[:, 0] - top[:, 1] if top.shape[1] > 1 else top[:, 0]
