"""Interval arithmetic through a network: what its outputs can be while every input value moves within a radius.

A `Bounds` stands in for a tensor: torch hands it every operation a module applies to it. An operation without a rule
here raises, so a bound is never made up.
"""

from __future__ import annotations

import math
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
_INCREASING_METHODS = (  # in every element
    "amax", "clamp", "flatten", "mean", "permute", "relu", "reshape", "sigmoid", "squeeze", "sum", "transpose",
    "unsqueeze", "view",
)  # fmt: skip
_GELU_LOWEST = -0.7517916  # where gelu has its one minimum, to within rounding


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

    def __sub__(self, other: Tensor | float) -> Bounds:
        return _subtract(torch.sub, self, other)

    def __mul__(self, other: Bounds | Tensor | float) -> Bounds:
        return _multiply(torch.mul, self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> Bounds:
        return _multiply(torch.mul, self, 1 / other)

    def __matmul__(self, other: Bounds) -> Bounds:
        return _matrix_product(torch.matmul, self, other)

    def softmax(self, dim: int) -> Bounds:
        """Of each share at most and at least, the others taken at their other ends."""
        return _softmax(torch.softmax, self, dim)

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Bounds, ...]:
        """In equal parts."""
        parts = zip(self.low.chunk(chunks, dim), self.high.chunk(chunks, dim), strict=True)
        return tuple(Bounds(low, high) for low, high in parts)


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


def _subtract(function: Callable[..., Tensor], x: Bounds, other: Tensor | float) -> Bounds:
    """A number from each end."""
    return Bounds(x.low - other, x.high - other)


def _ends(x: Any) -> tuple[Any, Any]:
    return (x.low, x.high) if isinstance(x, Bounds) else (x, x)


def _multiply(function: Callable[..., Tensor], first: Any, second: Any) -> Bounds:
    """Element by element: the least and the most of the products of the ends."""
    products = torch.stack([torch.as_tensor(one * other) for one in _ends(first) for other in _ends(second)])
    return Bounds(products.amin(dim=0), products.amax(dim=0))


def _matrix_product(function: Callable[..., Tensor], first: Any, second: Any) -> Bounds:
    """Centre and radius of each side; the radius of a product is at most what the absolute values allow."""
    sides = [((high + low) / 2, (high - low) / 2) for low, high in (_ends(first), _ends(second))]
    (one, around), (other, beside) = sides
    moved, spread = one @ other, one.abs() @ beside + around @ (other.abs() + beside)
    return Bounds(moved - spread, moved + spread)


def _softmax(function: Callable[..., Tensor], x: Bounds, dim: int, *args: Any, **kwargs: Any) -> Bounds:
    top = x.high.amax(dim=dim, keepdim=True)
    low, high = (x.low - top).exp(), (x.high - top).exp()
    others = [each.sum(dim=dim, keepdim=True) - each for each in (low, high)]
    return Bounds(low / (low + others[1].clamp_min(0)), high / (high + others[0].clamp_min(0)))


def _normalised(x: Bounds, dims: tuple[int, ...], eps: float) -> Bounds:
    """Mean 0 and variance 1 over some dimensions, by the example's own moments."""
    low = x.low - x.high.mean(dim=dims, keepdim=True)
    high = x.high - x.low.mean(dim=dims, keepdim=True)
    if bool((x.low == x.high).all()):
        least = most = low.square()
    else:
        least = torch.where((low <= 0) & (high >= 0), torch.zeros_like(low), torch.minimum(low.square(), high.square()))
        most = torch.maximum(low.square(), high.square())
    scale = Bounds(
        torch.rsqrt(most.mean(dim=dims, keepdim=True) + eps), torch.rsqrt(least.mean(dim=dims, keepdim=True) + eps)
    )
    found = _multiply(torch.mul, Bounds(low, high), scale)
    # No value lies farther from the mean of n values than this many of their standard deviations.
    farthest = (math.prod(x.shape[dim] for dim in dims) - 1) ** 0.5
    return Bounds(found.low.clamp_min(-farthest), found.high.clamp_max(farthest))


def _affine(x: Bounds, weight: Tensor | None, bias: Tensor | None) -> Bounds:
    scaled = x if weight is None else _multiply(torch.mul, x, weight)
    return scaled if bias is None else scaled + bias


def _layer_norm(
    function: Callable[..., Tensor],
    x: Bounds,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *args: Any,
) -> Bounds:
    return _affine(_normalised(x, tuple(range(-len(shape), 0)), eps), weight, bias)


def _group_norm(
    function: Callable[..., Tensor],
    x: Bounds,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *args: Any,
) -> Bounds:
    found = _normalised(x.reshape(x.shape[0], groups, -1), (2,), eps).reshape(x.shape)
    wide = [None if each is None else each.reshape(1, -1, *[1] * (x.ndim - 2)) for each in (weight, bias)]
    return _affine(found, *wide)


def _gelu(function: Callable[..., Tensor], x: Bounds, *args: Any, **kwargs: Any) -> Bounds:
    """It falls until its one minimum and rises from there."""
    ends = function(x.low, *args, **kwargs), function(x.high, *args, **kwargs)
    inside = (x.low < _GELU_LOWEST) & (x.high > _GELU_LOWEST)
    lowest = function(torch.full_like(x.low, _GELU_LOWEST), *args, **kwargs)
    return Bounds(torch.where(inside, lowest, torch.minimum(*ends)), torch.maximum(*ends))


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
    torch.sigmoid,
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
    functional.layer_norm: _layer_norm,
    functional.group_norm: _group_norm,
    functional.gelu: _gelu,
    torch.cat: _cat,
    torch.add: _add,
    torch.mul: _multiply,
    torch.sub: _subtract,
    Tensor.sub: _subtract,
    Tensor.mul: _multiply,
}


def _aten_batch_norm(function: Callable[..., Tensor], x: Bounds, *args: Any, **kwargs: Any) -> Bounds:
    """The operator takes scale and shift before the moments, unlike the function."""
    weight, bias, running_mean, running_var, training, momentum, eps = args[:7]
    return _batch_norm(function, x, running_mean, running_var, weight, bias, training, momentum, eps)


# The same operations as networks from torch.export call them.
_ATEN_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("aten::flatten.using_ints", "aten::mean.dim", "aten::view", "aten::reshape"), _each),
    **dict.fromkeys(("aten::avg_pool1d", "aten::avg_pool2d", "aten::max_pool1d", "aten::max_pool2d"), _each),
    **dict.fromkeys(("aten::amax", "aten::clamp", "aten::permute", "aten::sigmoid", "aten::sum.dim_IntList"), _each),
    **dict.fromkeys(("aten::squeeze.dim", "aten::transpose.int", "aten::unsqueeze"), _each),
    **dict.fromkeys(("aten::adaptive_avg_pool1d", "aten::adaptive_avg_pool2d"), _each),
    **dict.fromkeys(("aten::relu", "aten::relu_"), _rectified),
    **dict.fromkeys(("aten::linear", "aten::conv1d", "aten::conv2d"), _linear),
    "aten::dropout": _same,
    "aten::batch_norm": _aten_batch_norm,
    "aten::cat": _cat,
    "aten::chunk": lambda _, x, *args: x.chunk(*args),
    "aten::div.Tensor": lambda _, x, other: x / other,
    "aten::gelu": _gelu,
    "aten::group_norm": _group_norm,
    "aten::layer_norm": _layer_norm,
    "aten::matmul": _matrix_product,
    "aten::mul.Tensor": _multiply,
    "aten::softmax.int": _softmax,
    "aten::sub.Tensor": _subtract,
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
