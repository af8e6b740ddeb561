"""Copies: are the audit inputs new at all, or training inputs again?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from audits.contract.audit import EVERY_KIND, Audit, Measurement, Setting, Statistic
from audits.contract.data import AuditData
from audits.contract.examinee import Examinee, some
from audits.methods.measured import measured_share
from selfnas import seeding

__all__ = ["AUDIT", "before", "measure"]

_CLOSE = 0.25  # of the usual distance between neighbours in training, below which two inputs are copies
_ROWS = 2_000  # training inputs that are looked at for the usual distance
_SOON = 2**24  # training values up to which it is measured before anything is trained
_CELLS = 4_000_000  # distances at once; bounds memory


def measure(examinee: Examinee, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """Share of audit inputs that lie much closer to a training input than training inputs lie to each other.

    The network is asked nothing but whether it works: where this share is large, no audit of it that needs new inputs
    says anything.
    """
    examinee.audit_logits()
    return _of_data(examinee.data, settings, examinee.sample)


def before(data: AuditData, settings: Mapping[str, float]) -> Sequence[Measurement]:
    """The same before there is a network; nothing of data so large that this takes more than seconds."""
    if data.x_train.numel() > _SOON:
        return ()

    def sample(total: int, count: int, *names: str | int) -> Tensor:
        return some(total, count, seeding.torch_generator(0, "audits", *names))

    return _of_data(data, settings, sample)


def _of_data(data: AuditData, settings: Mapping[str, float], sample: Callable[..., Tensor]) -> Sequence[Measurement]:
    chosen = sample(len(data.x), int(settings["samples"]), "copies")
    train = data.x_train.flatten(1)
    rows = sample(len(train), _ROWS, "copies", "usual")
    usual = float(_nearest(train[rows], train, own=rows).median()) if len(train) > 1 else 0.0
    nearest = _nearest(data.x[chosen].flatten(1).to(train.device), train)
    copied = int((nearest < _CLOSE * usual).sum())
    note = f"median distance to the nearest training input {float(nearest.median()):.3g}; among these {usual:.3g}"
    return (measured_share("share", copied, len(chosen), note=note),)


def _nearest(x: Tensor, train: Tensor, *, own: Tensor | None = None) -> Tensor:
    """`(b,)` distance to the nearest training input other than the one it is itself."""
    size = max(1, _CELLS // len(train))
    found = []
    for start in range(0, len(x), size):
        distances = torch.cdist(x[start : start + size], train)
        if own is not None:
            distances.scatter_(1, own[start : start + size, None].to(distances.device), torch.inf)
        found.append(distances.amin(1))
    return torch.cat(found).cpu()


AUDIT = Audit(
    name="copies",
    measure=measure,
    before=before,
    remedy="examples that belong together, as days do that follow each other, need `groups`",
    counts_all=True,
    kinds=EVERY_KIND,
    statistics=(
        Statistic(
            name="share", bound="ceiling", meaning="audit inputs that are near copies of training inputs", counted=True
        ),
    ),
    settings=(Setting(name="samples", low=20, high=5_000),),
    aims=("leak",),
    catches="a leak: audit inputs that training has shown, so that what was learned by heart looks like knowledge",
    misses="copies that were turned, cropped or rescaled",
    source="nearest neighbours; Clopper and Pearson 1934 (exact interval)",
    cost="30 ms",
)
