"""Whether a network answers an input by that input alone, so that what is measured on it will hold elsewhere.

A network that draws, remembers what it was asked, or looks at what is asked beside an input can answer every audit well
and something else afterwards. So can one that has no finite answer to a blank input. Nothing measured on such a network
counts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from audits.contract.examinee import Examinee, NetworkOutputError

__all__ = ["changed_state", "state_of", "unsteady"]

_log = logging.getLogger(__name__)
_ASKED: Final = 12  # audit inputs that are asked again
_APART: Final = 1e-3  # of the spread of a network's outputs; sums in another order differ less


def unsteady(examinee: Examinee) -> str:
    """Why a network's answers are none of the inputs alone, in words; empty where they are.

    Some audit inputs are asked twice, each alone, and in another order; and flat ones between the least and the largest
    value of the training inputs must have finite answers.

    Raises:
        NetworkOutputError: outputs are not finite, or not one row for each input.
    """
    x = examinee.data.x[examinee.sample(len(examinee.data.x), _ASKED, "steadiness")]
    first = examinee.logits(x)
    most = _APART * max(float(first.std(unbiased=False)), float(first.abs().mean()), 1e-6)

    def differs(again: Tensor) -> bool:
        return float((again - first).abs().max()) > most

    if differs(examinee.logits(x)):
        return "it answers the same inputs otherwise when they are asked again"
    if differs(torch.cat([examinee.logits(each[None]) for each in x])):
        return "it answers inputs otherwise when they are asked alone"
    if differs(examinee.logits(x.flip(0)).flip(0)):
        return "it answers inputs otherwise when they are asked in another order"
    return _unbounded(examinee, x[:1])


def _unbounded(examinee: Examinee, x: Tensor) -> str:
    """Whether a flat input has no finite answer; one that the network refuses to take is none of its answers."""
    data = examinee.data.x_train
    for value in (0.0, float(data.min()), float(data.max())):
        try:
            examinee.logits(torch.full_like(x, value))
        except NetworkOutputError as error:
            return f"on an input that is {value:.3g} throughout: {error}"
        except Exception as error:  # noqa: BLE001 - a foreign network may raise anything: then it says it does not answer
            _log.debug("refuses an input that is %s throughout", value, exc_info=error)
    return ""


def state_of(network: nn.Module) -> Mapping[str, Tensor]:
    """Copies of everything that a network holds."""
    return {name: value.detach().clone() for name, value in (*network.named_parameters(), *network.named_buffers())}


def changed_state(network: nn.Module, before: Mapping[str, Tensor]) -> str:
    """What a network holds otherwise than before it was asked, in words; empty where it holds the same."""
    now = dict((*network.named_parameters(), *network.named_buffers()))
    if now.keys() != before.keys():
        return "it holds other tensors than before it was asked"
    for name, value in before.items():
        if not torch.equal(now[name].detach(), value):
            return f"it remembers what it was asked: {name} has changed"
    return ""
