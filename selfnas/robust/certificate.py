"""A certificate of one input: the network as a list of steps, its weights, and the margins that are proved.

`checking.py` proves it again with NumPy alone. The steps are recorded by running the network once on a stand-in for a
tensor; whatever is not one of the steps that `checking.py` has is refused by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from selfnas.robust.bounds import SINGLE, UnboundedOperationError, operation_name, output_bounds
from selfnas.robust.checking import FORMAT
from selfnas.robust.margins import margins, precise, worst_outputs
from selfnas.robust.region import Region

__all__ = ["write_certificate"]

_SAME = ("flatten", "reshape", "squeeze", "unsqueeze", "view")  # numbers in the same order


def write_certificate(
    network: nn.Module, x: Tensor, y: int, region: Region, path: Path, *, weights_sha256: str = ""
) -> bool:
    """Write `path` (JSON) and beside it the arrays (`.npz`); whether the class is proved.

    Args:
        network: float32; it is not changed.
        x: `(channels, *size)` one input.
        y: its class.
        region: that is to be certified.
        path: ends in `.json`.
        weights_sha256: of the file that the weights were read from, where there is one.

    Raises:
        UnboundedOperationError: the network has a step that cannot be checked, which is named.
    """
    exact, one = precise(network), x[None].double()
    tape = _Tape()
    with torch.no_grad():
        truth = torch.tensor([y])
        bounds = output_bounds(exact, region.box(one, unit=SINGLE))
        found = margins(bounds, truth)
        proved = bool(worst_outputs(found, truth).argmax(1)[0] == y)
        exact.forward(_Recorded(one, "x", tape))
    if not tape.steps or tape.steps[-1]["op"] != "linear":
        raise UnboundedOperationError("a certificate is of networks whose last layer is linear")
    arrays = path.with_suffix(".npz")
    np.savez_compressed(arrays, x=one.numpy(), **tape.arrays)  # type: ignore[arg-type]
    record = {
        "format": FORMAT,
        "class": y,
        "proved": proved,
        "radius": region.radius,
        "low": list(region.low),
        "high": list(region.high),
        "margins": [float(margin) for margin in found[0]],
        "weights_sha256": weights_sha256,
        "arrays": arrays.name,
        "arrays_sha256": hashlib.sha256(arrays.read_bytes()).hexdigest(),
        "steps": tape.steps,
    }
    path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return proved


class _Tape:
    """The steps so far, and the arrays that they name."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}

    def keep(self, value: Tensor) -> str:
        """The name of an array."""
        name = f"a{len(self.arrays)}"
        self.arrays[name] = value.detach().cpu().numpy()
        return name

    def step(self, op: str, value: Tensor, given: Sequence[object], **told: Any) -> _Recorded:
        """One step more, which gives a value; what is no recorded value among its inputs is kept as a constant."""
        names = [self._name(each) for each in given]
        made = _Recorded(value, f"v{len(self.steps)}", self)
        self.steps.append({"op": op, "in": names, "out": made.name, **told})
        return made

    def _name(self, value: object) -> str:
        if isinstance(value, _Recorded):
            return value.name
        held = torch.as_tensor(value, dtype=torch.float64)
        return self.step("constant", held, (), array=self.keep(held)).name


class _Recorded:
    """Stands for a tensor; what is done to it is a step."""

    def __init__(self, value: Tensor, name: str, tape: _Tape) -> None:
        self.value: Final = value
        self.name: Final = name
        self.tape: Final = tape

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name = operation_name(function)
        if name == "chunk" or name not in _RECORDED:
            raise UnboundedOperationError(f"no step of a certificate is {name}")
        return _RECORDED[name](function, *args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "ndim", "size", "dim", "new_zeros"):
            return getattr(self.value, name)
        if name not in _RECORDED:
            raise AttributeError(f"no step of a certificate is {name!r}")
        return lambda *args, **kwargs: _RECORDED[name](getattr(Tensor, name), self, *args, **kwargs)

    def __add__(self, other: Any) -> _Recorded:
        return _two("sum")(torch.add, self, other)

    __radd__ = __add__

    def __mul__(self, other: Any) -> _Recorded:
        return _two("product")(torch.mul, self, other)

    __rmul__ = __mul__


def _value(x: Any) -> Any:
    return x.value if isinstance(x, _Recorded) else x


def _two(op: str) -> Callable[..., _Recorded]:
    def recorded(function: Callable[..., Tensor], first: Any, second: Any, **kwargs: Any) -> _Recorded:
        if kwargs.get("alpha", 1) != 1:
            raise UnboundedOperationError("no step of a certificate is a scaled sum")
        tape = (first if isinstance(first, _Recorded) else second).tape
        return tape.step(op, function(_value(first), _value(second)), (first, second))

    return recorded


def _sides(value: int | Sequence[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value) * (count if len(value) == 1 else 1)


def _convolution(
    function: Callable[..., Tensor],
    x: _Recorded,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> _Recorded:
    count = weight.ndim - 2
    told = {"weight": x.tape.keep(weight), **({} if bias is None else {"bias": x.tape.keep(bias)})}
    sides = {"stride": stride, "padding": padding, "dilation": dilation}
    value = function(x.value, weight, bias, stride, padding, dilation, groups)
    numbers = {name: _sides(each, count) for name, each in sides.items()}
    return x.tape.step("convolution", value, (x,), **told, **numbers, groups=groups)


def _linear(function: Callable[..., Tensor], x: _Recorded, weight: Tensor, bias: Tensor | None = None) -> _Recorded:
    told = {"weight": x.tape.keep(weight), **({} if bias is None else {"bias": x.tape.keep(bias)})}
    return x.tape.step("linear", function(x.value, weight, bias), (x,), **told)


def _norm(
    function: Callable[..., Tensor], x: _Recorded, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, *args: Any,
    **kwargs: Any,
) -> _Recorded:  # fmt: skip
    if hasattr(function, "_schema"):  # the operator takes scale and shift first
        mean, var, weight, bias = weight, bias, mean, var
    eps = kwargs.get("eps", args[2] if len(args) > 2 else 1e-5)
    value = torch.nn.functional.batch_norm(x.value, mean, var, weight, bias, False, 0.1, eps)
    told = {"mean": mean, "var": var, "weight": weight, "bias": bias}
    return x.tape.step("norm", value, (x,), **{name: x.tape.keep(each) for name, each in told.items()}, eps=eps)


def _pool(op: str) -> Callable[..., _Recorded]:
    def recorded(
        function: Callable[..., Tensor], x: _Recorded, kernel_size: Any, stride: Any = None, padding: Any = 0,
        *args: Any, **kwargs: Any,
    ) -> _Recorded:  # fmt: skip
        count = x.value.ndim - 2
        stride = kernel_size if stride is None or stride == [] else stride
        if op == "largest" and any(args):
            raise UnboundedOperationError("no step of a certificate is a dilated or rounded-up maximum")
        value = function(x.value, kernel_size, stride, padding, *args, **kwargs)
        told = {"kernel": kernel_size, "stride": stride, "padding": padding}
        if op == "averages" and kwargs.get("count_include_pad", args[1] if len(args) > 1 else True):
            padded = any(_sides(padding, count))
            if padded:
                raise UnboundedOperationError("no step of a certificate is an average that counts its padding")
        sides = {name: _sides(each, count) for name, each in told.items()}
        return x.tape.step(op, value, (x,), **sides, size=list(value.shape[2:]))

    return recorded


def _reduced(op: str) -> Callable[..., _Recorded]:
    def recorded(
        function: Callable[..., Tensor], x: _Recorded, dim: Any = None, keepdim: bool = False, **kwargs: Any
    ) -> _Recorded:
        axes = list(range(x.value.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
        axes = [axis % x.value.ndim for axis in axes]
        value = x.value.mean(axes, keepdim) if op == "mean" else x.value.amax(axes, keepdim)
        return x.tape.step(op, value, (x,), axes=axes, keep=keepdim)

    return recorded


def _same(function: Callable[..., Tensor], x: _Recorded, *args: Any, **kwargs: Any) -> _Recorded:
    value = function(x.value, *args, **kwargs)
    return x.tape.step("reshape", value, (x,), shape=list(value.shape))


def _plain(op: str) -> Callable[..., _Recorded]:
    def recorded(function: Callable[..., Tensor], x: _Recorded, *args: Any, **kwargs: Any) -> _Recorded:
        value = torch.relu(x.value) if op == "rectified" else torch.sigmoid(x.value)
        return x.tape.step(op, value, (x,))

    return recorded


def _cat(function: Callable[..., Tensor], parts: Sequence[Any], dim: int = 0) -> _Recorded:
    tape = next(part for part in parts if isinstance(part, _Recorded)).tape
    return tape.step("join", torch.cat([_value(part) for part in parts], dim), tuple(parts), axis=dim)


def _handed_on(function: Callable[..., Tensor], x: _Recorded, *args: Any, **kwargs: Any) -> _Recorded:
    return x  # dropout in evaluation mode


_RECORDED: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("conv1d", "conv2d"), _convolution),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), _pool("averages")),
    **dict.fromkeys(("max_pool1d", "max_pool2d"), _pool("largest")),
    **dict.fromkeys(_SAME, _same),
    "linear": _linear,
    "batch_norm": _norm,
    "relu": _plain("rectified"),
    "sigmoid": _plain("logistic"),
    "mean": _reduced("mean"),
    "amax": _reduced("peak"),
    "add": _two("sum"),
    "mul": _two("product"),
    "cat": _cat,
    "dropout": _handed_on,
}
