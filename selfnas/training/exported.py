"""A whole network as a `.pt2` file: written, described, and checked against the network that it was made of."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from selfnas.data.originals import Originals
from selfnas.data.preparation import PadStep, Preparation, ResizeStep
from selfnas.data.targets import Target
from selfnas.data.tasks import Task
from selfnas.errors import SelfnasError
from selfnas.training.metrics import METRICS, measure
from selfnas.training.outputs import predict
from selfnas.training.whole import WholeNetwork

__all__ = [
    "FACTS",
    "Answer",
    "Check",
    "ExportError",
    "answered",
    "check",
    "compare",
    "described",
    "free_sides",
    "network_outputs",
    "program",
    "whole_program",
]

FACTS = "selfnas.json"  # what the file says of itself, among the extra files of a torch.export program
Answer: TypeAlias = Callable[[Tensor], Mapping[str, Tensor]]  # raw examples to outputs by name
_BATCH = 256
_BEYOND = 1e300
_SPARE = 4  # how much longer a side that differs is traced than the least that it can be


class ExportError(SelfnasError, RuntimeError):
    """What would be written does not answer as the network did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a file answers on raw test examples, beside what the network answers on prepared ones.

    Attributes:
        count: raw test examples that were run; other raw examples where there are none of these.
        of: test examples of the task; the others cannot be had, since the task draws noise or plants a nuisance.
        metric: that the task is measured by.
        estimate: what it says of the file's answers; None where no test example could be run.
        otherwise: answered otherwise than by the network; of numbers, further off than a thousandth of their spread.
        furthest: largest difference of an output from the network's own, by its size where that is above 1; numbers
            are taken by their spread.
    """

    count: int
    of: int
    metric: str
    estimate: float | None
    otherwise: int
    furthest: float

    @property
    def whole(self) -> bool:
        """Whether every test example could be run."""
        return self.estimate is not None and self.count == self.of

    def __str__(self) -> str:
        if self.estimate is None:
            what = "its test examples cannot be had raw, for the task draws noise or plants a nuisance in them"
            return f"{what}; {self.otherwise} of {self.count} other raw examples otherwise than by the network"
        share, found = "" if self.whole else f" of {self.of}", METRICS[self.metric]
        measured = f"{found.title} {found.shown(self.estimate)}{found.suffix}"
        return f"{measured} on {self.count}{share} raw test examples, {self.otherwise} otherwise than by the network"


def program(
    network: nn.Module, example: Tensor, facts: Mapping[str, object], *, free: Mapping[int, Any] | None = None
) -> bytes:
    """The bytes of a `.pt2` file.

    Args:
        network: in evaluation mode, of one argument `x`; its parameters take no gradients any more.
        example: what it is traced with.
        facts: what the file says of itself.
        free: by axis, what is of any length; the batch alone where it is left out.
    """
    shapes = {"x": dict(free or {0: torch.export.Dim("batch", min=1)})}
    made = torch.export.export(network.requires_grad_(False), (example,), dynamic_shapes=shapes)
    buffer = io.BytesIO()
    torch.export.save(made, buffer, extra_files={FACTS: json.dumps(facts, ensure_ascii=False)})
    return buffer.getvalue()


def whole_program(whole: WholeNetwork, preparation: Preparation, facts: Mapping[str, object]) -> bytes:
    """The same of a whole network, for raw examples of any number; sides that differ in the source may differ here."""
    sides, free = free_sides(preparation)
    return program(whole, torch.zeros((2, *sides)), facts, free=free)


def free_sides(preparation: Preparation) -> tuple[list[int], dict[int, Any]]:
    """Sides of a raw example to trace a preparation with; and by axis what may differ, the batch as axis 0."""
    raw = preparation.raw
    least = _least(preparation)
    sides = [side or least + _SPARE for side in raw]
    free = {axis: torch.export.Dim(f"side{axis}", min=max(1, least)) for axis, side in enumerate(raw, 1) if not side}
    return sides, {0: torch.export.Dim("batch", min=1), **free}


def _least(preparation: Preparation) -> int:
    """The least that a side may have which differs from example to example."""
    first = next((step for step in preparation.steps if isinstance(step, ResizeStep | PadStep)), None)
    return max(first.size) if isinstance(first, ResizeStep) else 1


def described(whole: WholeNetwork, task: Task, found: Originals) -> dict[str, object]:
    """What a file says of what it takes and gives."""
    preparation, target = task.preparation, task.target
    table = task.inputs == "table"
    seen = [_range(*each) for each in zip(found.low, found.high, strict=True)]
    taken: dict[str, object] = {
        "kind": task.inputs,
        "shape": ["b", *(side or "any" for side in preparation.raw)],
        "axes": preparation.axes,
        "type": f"any; the source has {preparation.dtype}",
    }
    if table:
        taken["columns"] = [
            {"name": column.name, "codes": list(column.categories)} if column.categorical
            else {"name": column.name, "seen": each}
            for column, each in zip(preparation.columns, seen, strict=True)
        ]  # fmt: skip
    else:
        taken["seen"] = seen[0]
    given = {"kind": target.kind, "names": list(target.names), "units": list(preparation.units)}
    quantiles = {"quantiles": list(target.quantiles)} if target.quantiles else {}
    return {"input": taken, "target": {**given, **quantiles}, "outputs": whole.described}


def _range(low: float, high: float) -> dict[str, float] | None:
    """Of the numbers seen in training; None where there were none."""
    return None if np.isnan(low) or np.isnan(high) else {"low": float(low), "high": float(high)}


def check(content: bytes, whole: WholeNetwork, task: Task, found: Originals, *, metric: str) -> Check:
    """Read a `.pt2` file back, run it on raw test examples, and compare.

    Args:
        content: of the file, which this process has made.
        whole: that it was made of.
        task: with its test split.
        found: the raw test examples.
        metric: that the task is measured by.
    """
    module = torch.export.load(io.BytesIO(content)).module()
    return compare(module, whole, task, found, metric=metric)


def compare(
    answer: Answer, whole: WholeNetwork, task: Task, found: Originals, *, metric: str, batch: int = _BATCH
) -> Check:
    """The same of whatever answers.

    Args:
        answer: raw examples to outputs by name.
        batch: so many examples are asked about at once, at most.
    """
    target, places = task.target, np.asarray(found.places, dtype=np.int64)
    examples = found.x or tuple(found.some)
    x = task.test.x[places] if found.x else task.preparation.apply(found.some)
    count, of = len(examples), len(task.test)
    given = answered(answer, examples, batch=batch)
    with torch.no_grad():
        wanted = whole.named(predict(whole.network, torch.from_numpy(x)))
    outputs, estimate = network_outputs(given, target), None
    if found.x:
        estimate = measure(metric, outputs, torch.from_numpy(task.test.y[places]), target).estimate
    spread = torch.as_tensor(target.scale or 1.0, dtype=torch.float64)
    apart = (given["predicted"].to(torch.float64) - wanted["predicted"].to(torch.float64)).abs() / spread > 1e-3
    return Check(
        count=count, of=of, metric=metric, estimate=estimate, furthest=_furthest(given, wanted, target),
        otherwise=int(apart.reshape(count, -1).any(dim=1).sum()),
    )  # fmt: skip


def answered(answer: Answer, examples: Sequence[NDArray[Any]], *, batch: int = _BATCH) -> dict[str, Tensor]:
    """What is answered to raw examples, by name of the output."""
    with torch.no_grad():
        parts = [answer(each) for each in _batches(examples, batch)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _furthest(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], target: Target) -> float:
    pairs = [(network_outputs(given, target), network_outputs(wanted, target))]
    pairs += [(given[name], wanted[name]) for name in ("probabilities",) if name in wanted]
    return max(_apart(one.to(torch.float64), other.to(torch.float64)) for one, other in pairs)


def _apart(one: Tensor, other: Tensor) -> float:
    """Largest difference; where both are no number there is none, where one is it is beyond measure."""
    found = ((one - other).abs() / other.abs().clamp(min=1)).masked_fill(one.isnan() & other.isnan(), 0.0)
    return float(found.nan_to_num(nan=_BEYOND, posinf=_BEYOND).max())


def network_outputs(answers: Mapping[str, Tensor], target: Target) -> Tensor:
    """What a network gave for what a file answered."""
    if "logits" in answers:
        return answers["logits"]
    values = answers.get("quantiles", answers["predicted"])
    scale, center = (values.new_tensor(each) for each in (target.scale, target.center))
    return ((values - center) / scale).to(torch.float32)


def _batches(examples: Sequence[NDArray[Any]], most: int) -> Iterator[Tensor]:
    """Raw examples in their order, those of one shape that follow each other together."""
    start = 0
    while start < len(examples):
        stop = start + 1
        while stop < min(len(examples), start + most) and examples[stop].shape == examples[start].shape:
            stop += 1
        yield torch.from_numpy(np.ascontiguousarray(np.stack(examples[start:stop])))
        start = stop
