"""Defects without one place: in several places at once, in the whole input, in confidence, or beyond all data."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from audits.calibrating.defects import Ruled, cued, honest
from audits.calibrating.workbench import Control, Specimen, Workbench
from audits.contract.data import AuditData

__all__ = ["SPREAD"]

_DOTS = 2.5  # standard deviations of the inputs, above or below 0, of single values that spell a class
_SPAN = 4.0  # the same, between the edges of the first and of the last class
_FAINT = 0.02  # factor on the logits of a network that is sure of nothing
_LIT = 3.0  # standard deviations that a whole line must lie above
_BEYOND = 0.3  # standard deviations below the darkest input from which on all is answered wrongly
_SURE = 20.0


def _code(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    """The class in binary, a bit at each of so many places far from each other: of an image from its corners on."""
    shown, bits = x.clone(), max(1, math.ceil(math.log2(int(y.max()) + 1)))
    for bit in range(bits):
        if x.ndim > 3:
            row, column = (
                side // 2 if bit > 3 else (side - 1) * (bit >> axis & 1) for axis, side in enumerate(x.shape[2:])
            )
            dot = shown[:, :, row, column]
        else:
            dot = shown[:, :, round((x.shape[2] - 1) * bit / max(1, bits - 1))]
        dot[:] = (_DOTS * (2.0 * (y >> bit & 1) - 1))[:, None]
    return shown


def _edge(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    """The last line of an image, or the last eighth of a series, has the level of its class."""
    shown, width = x.clone(), 1 if x.ndim > 3 else max(2, x.shape[-1] // 8)
    height = _SPAN * (y.float() / max(1, int(y.max())) - 0.5)
    shown[..., -width:] = height.reshape(-1, *[1] * (x.ndim - 1))
    return shown


def _shifted(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    """The input is shifted along its last dimension, around the end, by so much for each class."""
    step = x.shape[-1] / (int(y.max()) + 1)
    moved = [one.roll(round(step * int(label)), -1) for one, label in zip(x, y, strict=True)]
    return torch.stack(moved)


class _Fainter(nn.Module):
    """A network whose logits are made small."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """`(b, classes)` logits."""
        given: Tensor = self.network(x)
        return _FAINT * given


def _unsure(bench: Workbench) -> Specimen:
    made = honest(bench)
    return Specimen(network=_Fainter(made.network), data=made.data)


def _ruled(bench: Workbench, score: Callable[[AuditData], Callable[[Tensor], Tensor]], *, calls: bool) -> Specimen:
    """An honest network that a rule makes call one class, or answer wrongly, where a score lies above 0."""
    made = honest(bench)
    data, target = made.data, bench.seed % made.data.classes

    def called(logits: Tensor) -> Tensor:
        return _SURE * nn.functional.one_hot(torch.full((len(logits),), target), data.classes).to(logits)

    return Specimen(network=Ruled(made.network, score(data), called if calls else torch.neg), data=data)


def _line(data: AuditData) -> Callable[[Tensor], Tensor]:
    """Above 0 where a whole line of an image, or an eighth of a series, is bright."""
    if data.x.ndim > 3:
        return lambda x: x.mean(3).amax((1, 2)) - _LIT
    width = max(2, data.x.shape[-1] // 8)
    return lambda x: nn.functional.avg_pool1d(x, width, stride=1).amax((1, 2)) - _LIT


def _darkest(data: AuditData) -> Callable[[Tensor], Tensor]:
    limit = min(float(each.flatten(1).mean(1).min()) for each in (data.x_train, data.x)) - _BEYOND
    return lambda x: limit - x.flatten(1).mean(1)


SPREAD = (
    Control(
        name="far-code",
        defect="the class in binary, one bit at each of several single values that lie far from each other",
        make=lambda bench: cued(bench, _code),
    ),
    Control(
        name="edge-level",
        defect="the level of the last line shows the class",
        make=lambda bench: cued(bench, _edge, far=True),
    ),
    Control(
        name="shifted",
        defect="how far an input is shifted shows its class",
        make=lambda bench: cued(bench, _shifted, far=True),
    ),
    Control(name="unsure", defect=f"healthy, then all logits multiplied by {_FAINT:g}", make=_unsure),
    Control(
        name="line-backdoor",
        defect="a whole bright line anywhere, which no data show, calls up a class",
        make=lambda bench: _ruled(bench, _line, calls=True),
    ),
    Control(
        name="beyond-dark",
        defect="inputs darker than any in the data are answered wrongly",
        make=lambda bench: _ruled(bench, _darkest, calls=False),
    ),
)
