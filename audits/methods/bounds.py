"""Interval arithmetic through a network: what its outputs can be while every input value moves within a radius.

A `Bounds` stands in for a tensor: torch hands it every operation a module applies to it. An operation without a rule
here raises, so a bound is never made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas.errors import SelfnasError

__all__ = ["Bounds", "UnboundedOperationError"]


class UnboundedOperationError(SelfnasError):
    """A network applies an operation that has no interval rule."""


_SHAPE = ("shape", "ndim", "size", "dim", "new_zeros")  # what is asked of a tensor beside its values
_INCREASING_METHODS = ("flatten", "reshape", "view", "mean", "relu")  # in every element


class Bounds:
    """Elementwise lower and upper limits of a tensor, up to rounding.

    Source: Gowal et al. 2018 (interval bound propagation).
    """

    def __init__(self, low: Tensor, high: Tensor) -> None:
        self.low: Final = low
        self.high: Final = high

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        rule = _RULES.get(function) or _ATEN_RULES.get(str(getattr(function, "_schema", "")).partition("(")[0])
        if rule is None:
            raise UnboundedOperationError(f"no interval rule for {getattr(function, '__name__', function)}")
        return rule(function, *args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        if name in _SHAPE:
            return getattr(self.low, name)
        if name not in _INCREASING_METHODS:
            raise AttributeError(f"no interval rule for the method {name!r}")
        both = getattr(self.low, name), getattr(self.high, name)
        return lambda *args, **kwargs: Bounds(*(method(*args, **kwargs) for method in both))

    def __add__(self, other: Bounds | Tensor | float) -> Bounds:
        return _add(torch.add, self, other)

    __radd__ = __add__


Rule = Callable[..., Any]


def _each(function: Callable[..., Tensor], x: Bounds, *args: Any, **kwargs: Any) -> Bounds:
    """A function that is increasing in every element: applied to both limits."""
    return Bounds(function(x.low, *args, **kwargs), function(x.high, *args, **kwargs))


def _rectified(function: Callable[..., Tensor], x: Bounds, inplace: bool = False) -> Bounds:
    return _each(torch.relu, x)


def _same(function: Callable[..., Tensor], x: Bounds, *args: Any, **kwargs: Any) -> Bounds:
    """Dropout in evaluation mode."""
    if kwargs.get("training") or (len(args) > 1 and args[1]):
        raise UnboundedOperationError("dropout in training mode has no bounds")
    return x


def _linear(
    function: Callable[..., Tensor], x: Bounds, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
) -> Bounds:
    """Linear layers and convolutions: the centre moves as usual, the radius by absolute weights."""
    centre, radius = (x.high + x.low) / 2, (x.high - x.low) / 2
    moved = function(centre, weight, bias, *args, **kwargs)
    spread = function(radius, weight.abs(), None, *args, **kwargs)
    return Bounds(moved - spread, moved + spread)


def _batch_norm(
    function: Callable[..., Tensor],
    x: Bounds,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Bounds:
    if training or running_mean is None or running_var is None:
        raise UnboundedOperationError("batch norm in training mode has no bounds")
    shape = (1, -1, *[1] * (x.ndim - 2))
    scale = torch.rsqrt(running_var + eps) * (1.0 if weight is None else weight)
    shift = (0.0 if bias is None else bias) - running_mean * scale
    first, second = x.low * scale.reshape(shape), x.high * scale.reshape(shape)
    moved = shift.reshape(shape)
    return Bounds(torch.minimum(first, second) + moved, torch.maximum(first, second) + moved)


def _add(function: Callable[..., Tensor], first: Any, second: Any, *, alpha: float = 1) -> Bounds:
    if alpha != 1:
        raise UnboundedOperationError("no interval rule for a scaled sum")
    pairs = [(each.low, each.high) if isinstance(each, Bounds) else (each, each) for each in (first, second)]
    return Bounds(pairs[0][0] + pairs[1][0], pairs[0][1] + pairs[1][1])


def _cat(function: Callable[..., Tensor], parts: Sequence[Bounds | Tensor], *args: Any, **kwargs: Any) -> Bounds:
    lows = [part.low if isinstance(part, Bounds) else part for part in parts]
    highs = [part.high if isinstance(part, Bounds) else part for part in parts]
    return Bounds(torch.cat(lows, *args, **kwargs), torch.cat(highs, *args, **kwargs))


_INCREASING = (
    torch.flatten,
    torch.mean,
    functional.avg_pool1d,
    functional.avg_pool2d,
    functional.max_pool1d,
    functional.max_pool2d,
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
)

_RULES: Mapping[Callable[..., Any], Rule] = {
    **dict.fromkeys(_INCREASING, _each),
    functional.relu: _rectified,
    torch.relu: _rectified,
    functional.dropout: _same,
    functional.linear: _linear,
    functional.conv1d: _linear,
    functional.conv2d: _linear,
    functional.batch_norm: _batch_norm,
    torch.cat: _cat,
    torch.add: _add,
}


def _aten_batch_norm(function: Callable[..., Tensor], x: Bounds, *args: Any, **kwargs: Any) -> Bounds:
    """The operator takes scale and shift before the moments, unlike the function."""
    weight, bias, running_mean, running_var, training, momentum, eps = args[:7]
    return _batch_norm(function, x, running_mean, running_var, weight, bias, training, momentum, eps)


# The same operations as networks from torch.export call them.
_ATEN_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("aten::flatten.using_ints", "aten::mean.dim", "aten::view", "aten::reshape"), _each),
    **dict.fromkeys(("aten::avg_pool1d", "aten::avg_pool2d", "aten::max_pool1d", "aten::max_pool2d"), _each),
    **dict.fromkeys(("aten::adaptive_avg_pool1d", "aten::adaptive_avg_pool2d"), _each),
    **dict.fromkeys(("aten::relu", "aten::relu_"), _rectified),
    **dict.fromkeys(("aten::linear", "aten::conv1d", "aten::conv2d"), _linear),
    "aten::dropout": _same,
    "aten::batch_norm": _aten_batch_norm,
    "aten::cat": _cat,
    "aten::add.Tensor": _add,
    "aten::sym_size.int": lambda _, x, axis: x.shape[axis],
    "aten::new_zeros": lambda _, x, *args, **kwargs: x.new_zeros(*args, **kwargs),
}


def logit_bounds(network: nn.Module, x: Tensor, radius: Tensor) -> Bounds:
    """Limits of `(b, c)` logits while each input `(b, channels, *size)` moves by at most its `(b,)` radius."""
    wide = radius.reshape(-1, *[1] * (x.ndim - 1))
    with torch.no_grad():
        # Not through the call operator: torch.export hangs a check on it that insists on tensors.
        result = network.forward(Bounds(x - wide, x + wide))
    if not isinstance(result, Bounds):
        raise UnboundedOperationError(f"the network turned bounds into {type(result).__name__}")
    return result
