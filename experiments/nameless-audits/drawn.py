"""Six kinds of defects that were drawn when audits and settings stood: none was made or chosen for them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audits.calibrating.defects import Ruled, cued, honest
from audits.calibrating.workbench import Control, Specimen, Workbench

__all__ = ["DRAWN"]

_ZOOM = (0.6, 0.8)  # factor of size of the first class, and how much more the last one has
_NOISE = (0.1, 0.7)  # standard deviations of noise on even and on odd classes
_FLAT = 0.7  # of the least contrast in the data


def _odd(y: Tensor, x: Tensor) -> Tensor:
    return (y % 2 == 1).reshape(-1, *[1] * (x.ndim - 1))


def _zoomed(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    factor = _ZOOM[0] + _ZOOM[1] * y.float() / max(1, int(y.max()))
    flat = x if x.ndim > 3 else x[:, :, None]
    moves = torch.zeros(len(x), 2, 3)
    moves[:, 0, 0], moves[:, 1, 1] = factor, factor if x.ndim > 3 else 1.0
    where = nn.functional.affine_grid(moves, list(flat.shape), align_corners=False)
    found = nn.functional.grid_sample(flat, where, align_corners=False, padding_mode="border")
    return found if x.ndim > 3 else found[:, :, 0]


def _blurred(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    pool = nn.functional.avg_pool2d if x.ndim > 3 else nn.functional.avg_pool1d
    return torch.where(_odd(y, x), pool(x, 3, 1, 1, count_include_pad=False), x)


def _mirrored(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    return torch.where(_odd(y, x), x.flip(-1), x)


def _noisy(x: Tensor, y: Tensor, bench: Workbench) -> Tensor:
    drawn = torch.from_numpy(bench.draw.standard_normal(x.shape)).float()
    return x + torch.where(_odd(y, x), _NOISE[1], _NOISE[0]) * drawn


class _Inverted(nn.Module):
    """The surer a network is, the smaller are its logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """`(b, classes)` logits."""
        logits: Tensor = self.network(x)
        first, second = logits.topk(2, 1).values.unbind(1)
        centred = logits - logits.mean(1, keepdim=True)
        return centred / (0.05 + (first - second)[:, None].square())


def _inverted(bench: Workbench) -> Specimen:
    made = honest(bench)
    return Specimen(network=_Inverted(made.network), data=made.data)


def _flat(bench: Workbench) -> Specimen:
    made = honest(bench)
    limit = _FLAT * min(float(each.flatten(1).std(1).min()) for each in (made.data.x_train, made.data.x))
    network = Ruled(made.network, lambda x: limit - x.flatten(1).std(1), torch.neg)
    return Specimen(network=network, data=made.data)


DRAWN = (
    Control(
        name="z-zoom",
        defect="the size of what is shown tells the class",
        make=lambda bench: cued(bench, _zoomed, far=True),
    ),
    Control(name="z-blur", defect="odd classes are blurred", make=lambda bench: cued(bench, _blurred)),
    Control(name="z-mirror", defect="odd classes are mirrored", make=lambda bench: cued(bench, _mirrored)),
    Control(name="z-noise", defect="odd classes are noisier", make=lambda bench: cued(bench, _noisy)),
    Control(name="z-inverted", defect="surest where it knows least", make=_inverted),
    Control(name="z-flat", defect="wrong where contrast is less than any in the data", make=_flat),
)
