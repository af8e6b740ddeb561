"""A trained network made whole: raw examples in, named outputs out, all of it one graph of tensor operations.

What `selfnas.data.preparation` does with arrays is done here with tensors, step by step, and what
`selfnas.training.outputs` makes of a network's numbers is in the graph too. So what is exported needs no scaling, no
class names and no units from anywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import singledispatch

import torch
from torch import Tensor, nn

from selfnas.data.columns import Column
from selfnas.data.preparation import (
    AmplitudeStep,
    ColumnStep,
    FillStep,
    LayoutStep,
    OneHotStep,
    PadStep,
    Preparation,
    ReorderStep,
    ResizeStep,
    ScaleStep,
    TurnStep,
)
from selfnas.data.targets import Target, TargetKind
from selfnas.training.outputs import in_units, predicted, probabilities, sorted_quantiles

__all__ = ["OUTPUTS", "NamedOutputs", "PreparedInputs", "WholeNetwork"]

# By name what a whole network gives for `b` examples, in words.
OUTPUTS: Mapping[TargetKind, Mapping[str, str]] = {
    "classification": {
        "logits": "(b, classes) what the network gives for each class",
        "probabilities": "(b, classes) that add up to 1",
        "predicted": "(b,) the number of the likeliest class, a place in its names",
    },
    "ordinal": {
        "logits": "(b, classes - 1) what the network gives for lying above each class but the last",
        "probabilities": "(b, classes) that add up to 1",
        "predicted": "(b,) the number of the middle class, a place in its names",
    },
    "multilabel": {
        "logits": "(b, labels) what the network gives for each label",
        "probabilities": "(b, labels) of each label on its own",
        "predicted": "(b, labels) 1 where the label is the likelier, else 0",
    },
    "regression": {
        "predicted": "(b, numbers) in the units of the data",
    },
}
_QUANTILES = {"quantiles": "(b, quantiles) in the units of the data, ascending"}
_CLIP = 3.0  # as `selfnas.data.preparation.ColumnStep` bends numbers


class PreparedInputs(nn.Module):
    """The steps of a preparation, as tensor operations.

    Args:
        preparation: whose steps they are.
    """

    def __init__(self, preparation: Preparation) -> None:
        super().__init__()
        self.steps = nn.ModuleList([in_tensors(step) for step in preparation.steps])

    def forward(self, x: Tensor) -> Tensor:
        """`(b, *raw)` numbers of any type to what a network sees, float32."""
        for step in self.steps:
            x = step(x)
        return x.to(torch.float32)


class WholeNetwork(nn.Module):
    """A network with what stands before and behind it.

    Args:
        network: from prepared inputs to `(b, outputs)`; used as it is, in the mode that it is in.
        preparation: of its task.
    """

    def __init__(self, network: nn.Module, preparation: Preparation) -> None:
        super().__init__()
        self.preparation, self.network, self.target = PreparedInputs(preparation), network, preparation.target
        self.named = NamedOutputs(preparation.target)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`(b, *raw)` raw examples to outputs by name; `described` says what each of them is."""
        named: dict[str, Tensor] = self.named(self.network(self.preparation(x)))
        return named

    @property
    def described(self) -> dict[str, str]:
        """By name what each output is, in words."""
        return {**OUTPUTS[self.target.kind], **(_QUANTILES if self.target.quantiles else {})}


class NamedOutputs(nn.Module):
    """What stands behind a network.

    Args:
        target: of its task.
    """

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def forward(self, outputs: Tensor) -> dict[str, Tensor]:
        """`(b, outputs)` of a network to outputs by name."""
        return _NAMED[self.target.kind](outputs, self.target)


def _classes(outputs: Tensor, target: Target) -> dict[str, Tensor]:
    found = {"logits": outputs, "probabilities": probabilities(outputs, target)}
    return {**found, "predicted": predicted(outputs, target)}


def _numbers(outputs: Tensor, target: Target) -> dict[str, Tensor]:
    answers = {"predicted": predicted(outputs, target)}
    if target.quantiles:
        answers["quantiles"] = in_units(sorted_quantiles(outputs, target), target)
    return answers


_NAMED: Mapping[TargetKind, Callable[[Tensor, Target], dict[str, Tensor]]] = {
    "classification": _classes, "ordinal": _classes, "multilabel": _classes, "regression": _numbers,
}  # fmt: skip


@singledispatch
def in_tensors(step: object) -> nn.Module:
    """A step of a preparation as a module that does the same with tensors.

    Raises:
        TypeError: no step of a preparation.
    """
    raise TypeError(f"{type(step).__name__} is no step of a preparation")


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Numbers of another type, whatever theirs is; `Tensor.to` would tie a traced graph to one type."""
    cast: Tensor = torch.ops.aten._to_copy.default(x, dtype=dtype)
    return cast


class _Layout(nn.Module):
    def __init__(self, step: LayoutStep) -> None:
        super().__init__()
        self.axes = step.axes
        self.offset = nn.Buffer(torch.tensor(step.offset, dtype=torch.float64)) if step.offset else None

    def forward(self, x: Tensor) -> Tensor:
        moved = x.unsqueeze(1) if self.axes in ("hw", "l") else x
        if self.axes in ("hwc", "lc"):
            moved = x.movedim(-1, 1)
        if self.offset is None:
            return _cast(moved, torch.float32)
        offset = self.offset.reshape(1, -1, *(1,) * (moved.ndim - 2))
        return (_cast(moved, torch.float64) - offset).to(torch.float32)


class _Pad(nn.Module):
    def __init__(self, step: PadStep) -> None:
        super().__init__()
        self.length = step.length

    def forward(self, x: Tensor) -> Tensor:
        behind = torch.full((x.shape[0], x.shape[1], self.length), torch.nan, dtype=x.dtype, device=x.device)
        return torch.cat([x, behind], dim=-1)[..., : self.length]


class _Resize(nn.Module):
    def __init__(self, step: ResizeStep) -> None:
        super().__init__()
        self.size = step.size

    def forward(self, x: Tensor) -> Tensor:
        for axis, side in enumerate(self.size, start=2):
            weights = _area_weights(x.shape[axis], side, x.device)
            missing = x.isnan()
            covered = _along((~missing).to(torch.float64), weights, axis)
            total = _along(torch.where(missing, 0.0, x).to(torch.float64), weights, axis)
            mean = torch.where(covered > 0, total / covered, torch.nan)
            x = torch.where(missing.any(), mean, total).to(torch.float32)
        return x


def _area_weights(old: int, new: int, device: torch.device) -> Tensor:
    """`(new, old)` as `selfnas.data.preparation.area_weights`; the old side may be known at run time alone."""
    edges = torch.arange(new + 1, dtype=torch.float64, device=device) * old / new
    cells = torch.arange(old, dtype=torch.float64, device=device)
    overlap = torch.minimum(edges[1:, None], cells + 1) - torch.maximum(edges[:-1, None], cells)
    return overlap.clamp(min=0) * new / old


def _along(x: Tensor, weights: Tensor, axis: int) -> Tensor:
    return (x.movedim(axis, -1) @ weights.T).movedim(-1, axis)


class _Amplitude(nn.Module):
    def __init__(self, step: AmplitudeStep) -> None:
        super().__init__()
        self.channels = _places(list(step.channels))
        self.floor, self.unit = (
            nn.Buffer(torch.tensor(each, dtype=torch.float64).reshape(1, -1, 1)) for each in (step.floor, step.unit)
        )

    def forward(self, x: Tensor) -> Tensor:
        own = x[:, self.channels].to(torch.float64)
        present = ~own.isnan()
        count = present.sum(dim=2, keepdim=True).clamp(min=1)
        mean = torch.where(present, own, 0.0).sum(dim=2, keepdim=True) / count
        moved = own - mean
        spread = (torch.where(present, moved, 0.0).square().sum(dim=2, keepdim=True) / count).sqrt()
        spread = torch.maximum(spread, self.floor)
        told = [
            torch.where(present, each, torch.nan) for each in (_asinh(mean / self.unit), (spread / self.unit).log())
        ]
        kept = x.index_copy(1, self.channels, (moved / spread).to(torch.float32))
        return torch.cat([kept, *(each.to(torch.float32) for each in told)], dim=1)


def _asinh(x: Tensor) -> Tensor:
    """As `Tensor.asinh`, which ONNX Runtime has in float32 alone; as near to it as float64 is at 1."""
    size = x.abs()
    return x.sign() * (size + (size.square() + 1).sqrt()).log()


class _Scale(nn.Module):
    def __init__(self, step: ScaleStep) -> None:
        super().__init__()
        self.center, self.scale = (
            nn.Buffer(torch.tensor(each, dtype=torch.float32)) for each in (step.center, step.scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        one = (1, -1, *(1,) * (x.ndim - 2))
        return (x - self.center.reshape(one)) / self.scale.reshape(one)


class _Fill(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        observed = (~missing).to(torch.float64).mean(dim=1, keepdim=True).to(torch.float32)
        return torch.cat([torch.where(missing, 0.0, x), observed], dim=1)


class _Turn(nn.Module):
    def __init__(self, step: TurnStep) -> None:
        super().__init__()
        self.turns = step.turns

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(-1) if x.ndim == 3 else torch.rot90(x, self.turns, (2, 3))


class _Reorder(nn.Module):
    def __init__(self, step: ReorderStep) -> None:
        super().__init__()
        self.order = nn.Buffer(torch.tensor(step.order, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2)[..., self.order].reshape(x.shape)


class _OneHot(nn.Module):
    def __init__(self, step: OneHotStep) -> None:
        super().__init__()
        self.size = step.size

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.arange(self.size, dtype=x.dtype, device=x.device)
        return (x == tokens[None, :, None]).to(torch.float32)


class _Columns(nn.Module):
    """Features by what they are, all of one sort at once, then put into the order of the columns.

    A sort that there is none of has no module: torch.export takes all tensors without elements for one.
    """

    def __init__(self, step: ColumnStep) -> None:
        super().__init__()
        columns = list(enumerate(step.columns))
        numbers = [(index, column) for index, column in columns if not column.categorical]
        named = [(index, column) for index, column in columns if column.categorical]
        missing = [index for index, column in columns if column.missing]
        self.parts = nn.ModuleList()
        found: list[tuple[int, int]] = []  # of each feature so far: its column, and its place among the column's own
        if numbers:
            self.parts.append(_Numbers(numbers))
            found += [(index, 0) for index, _ in numbers]
        codes = [(index, place) for index, column in named for place in range(len(column.kept))]
        if codes:
            self.parts.append(_Codes(named))
            found += codes
        if named:
            self.parts.append(_Others(named))
            found += [(index, len(column.kept)) for index, column in named]
        if missing:
            self.parts.append(_Missing(missing))
            found += [(index, len(step.columns[index].features)) for index in missing]
        self.order = _places(sorted(range(len(found)), key=found.__getitem__))

    def forward(self, x: Tensor) -> Tensor:
        wide = _cast(x, torch.float64)
        return torch.cat([part(wide) for part in self.parts], dim=1)[:, self.order]


_Placed = list[tuple[int, Column]]


class _Numbers(nn.Module):
    def __init__(self, columns: _Placed) -> None:
        super().__init__()
        self.columns = _places([index for index, _ in columns])
        self.center, self.factor = (
            nn.Buffer(torch.tensor(each, dtype=torch.float64))
            for each in ([column.center for _, column in columns], [column.factor for _, column in columns])
        )

    def forward(self, x: Tensor) -> Tensor:
        values = x[:, self.columns]
        scaled = (values - self.center) * self.factor
        bent = scaled / torch.sqrt(1 + (scaled / _CLIP) ** 2)
        return torch.where(values.isnan(), 0.0, bent).to(torch.float32)


class _Codes(nn.Module):
    def __init__(self, columns: _Placed) -> None:
        super().__init__()
        self.columns = _places([index for index, column in columns for _ in column.kept])
        kept = [code for _, column in columns for code in column.kept]
        self.codes = nn.Buffer(torch.tensor(kept, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, self.columns] == self.codes).to(torch.float32)


class _Others(nn.Module):
    """1 where a code is none of those that have a feature of their own, or missing and not told apart."""

    def __init__(self, columns: _Placed) -> None:
        super().__init__()
        self.columns = _places([index for index, _ in columns])
        self.told = nn.Buffer(torch.tensor([column.missing for _, column in columns]))
        most = max(1, *(len(column.kept) for _, column in columns))
        kept = [[*column.kept, *[math.nan] * (most - len(column.kept))] for _, column in columns]  # equals nothing
        self.kept = nn.Buffer(torch.tensor(kept, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        values = x[:, self.columns]
        own = (values.unsqueeze(2) == self.kept).any(dim=2)
        return (~own & ~(values.isnan() & self.told)).to(torch.float32)


class _Missing(nn.Module):
    def __init__(self, columns: list[int]) -> None:
        super().__init__()
        self.columns = _places(columns)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.columns].isnan().to(torch.float32)


def _places(of: list[int]) -> nn.Buffer:
    return nn.Buffer(torch.tensor(of, dtype=torch.int64))


in_tensors.register(LayoutStep, _Layout)
in_tensors.register(PadStep, _Pad)
in_tensors.register(ResizeStep, _Resize)
in_tensors.register(AmplitudeStep, _Amplitude)
in_tensors.register(ScaleStep, _Scale)
in_tensors.register(FillStep, lambda step: _Fill())
in_tensors.register(TurnStep, _Turn)
in_tensors.register(ReorderStep, _Reorder)
in_tensors.register(OneHotStep, _OneHot)
in_tensors.register(ColumnStep, _Columns)
