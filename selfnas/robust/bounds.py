"""Interval arithmetic through a network: what its outputs can be while every input value moves within a radius.

A `Bounds` stands in for a tensor: torch hands it every operation a module applies to it. An operation without a rule
here raises, so a bound is never made up.

Bounds are of exact arithmetic, up to their own rounding. With a `unit` they are wider, so that they also hold what a
network computes in that precision: each rule adds what rounding can do, for sums in any order. Norms with moments of
the example, softmax and GELU have no such rule and raise. So bounds with the unit `SINGLE`, computed in float64, hold
the answers of the float32 network itself.

Sources: Gowal et al. 2018 (interval bound propagation); Higham 2002, Accuracy and Stability of Numerical Algorithms,
section 3.1 (sums of `n` products are off by at most `n u / (1 - n u)` of the sum of their absolute values).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfnas.errors import SelfnasError

__all__ = ["SINGLE", "Bounds", "Product", "UnboundedOperationError", "logit_bounds", "operation_name", "output_bounds"]

SINGLE: Final = 2.0**-23  # twice what float32 is off by when it rounds, which leaves room for the bounds' own rounding
_LEAST = 1e-30  # more than numbers too small for float32 can add up to
_FUNCTION = 16  # units that a function of the C library may be off by
_NORM_ROUNDINGS = 10  # of a batch norm in evaluation mode, however its scale and shift are computed
_ROWS = 2  # dimensions of what a last layer reads
_MOST_TERMS = 50_000  # of one sum, for which the bound on its rounding is proved


class UnboundedOperationError(SelfnasError):
    """A network applies an operation that has no interval rule."""


_SHAPE = ("shape", "ndim", "size", "dim", "new_zeros")  # what is asked of a tensor beside its values
_INCREASING_METHODS = (  # in every element
    "amax", "clamp", "flatten", "mean", "permute", "relu", "reshape", "sigmoid", "squeeze", "sum", "transpose",
    "unsqueeze", "view",
)  # fmt: skip
_GELU_LOWEST = -0.7517916  # where gelu has its one minimum, to within rounding


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """The linear layer that bounds came from, so that differences of its outputs can be bounded at once."""

    x: Bounds
    weight: Tensor
    bias: Tensor | None


class Bounds:
    """Elementwise lower and upper limits of a tensor.

    Attributes:
        unit: by how much of itself a computed number may be off; 0 bounds exact arithmetic.
        product: the linear layer that these are the outputs of; None where they are of anything else.
    """

    def __init__(self, low: Tensor, high: Tensor, *, unit: float = 0.0, product: Product | None = None) -> None:
        self.low: Final = low
        self.high: Final = high
        self.unit: Final = unit
        self.product: Final = product

    @property
    def size_of(self) -> Tensor:
        """The largest absolute value of each element."""
        return torch.maximum(self.low.abs(), self.high.abs())

    def moved(self, low: Tensor, high: Tensor) -> Bounds:
        """Others in the same precision."""
        return Bounds(low, high, unit=self.unit)

    def widened(self, low: Tensor, high: Tensor, sizes: Tensor | float, *, terms: int) -> Bounds:
        """Others, wider by what rounding can do.

        Args:
            low: without rounding.
            high: likewise.
            sizes: sum of the absolute values of the terms of each element.
            terms: how many roundings each element goes through, at most.
        """
        if not self.unit:
            return Bounds(low, high)
        by = _share(terms, self.unit) * sizes + _LEAST
        return Bounds(low - by, high + by, unit=self.unit)

    def rounded_only_if_exact(self, name: str) -> None:
        """Raise where a rule does not know what rounding does."""
        if self.unit:
            raise UnboundedOperationError(f"no rule for what rounding does to {name}")

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
        return lambda *args, **kwargs: _each(getattr(Tensor, name), self, *args, **kwargs)

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
        return tuple(self.moved(low, high) for low, high in parts)


Rule = Callable[..., Any]


def _share(terms: int, unit: float) -> float:
    """By which share of their absolute sum so many terms may be off."""
    if terms > _MOST_TERMS:
        raise UnboundedOperationError(f"no rule for what rounding does to a sum of {terms} terms")
    return 1.01 * terms * unit


def _each(function: Callable[..., Tensor], x: Bounds, *args: Any, **kwargs: Any) -> Bounds:
    """A function that is increasing in every element: applied to both limits."""
    low, high = function(x.low, *args, **kwargs), function(x.high, *args, **kwargs)
    if not x.unit or operation_name(function) in _EXACT:
        return x.moved(low, high)
    if operation_name(function) == "sigmoid":
        return x.widened(low, high, 1.0, terms=_FUNCTION)
    sizes = function(x.size_of, *args, **kwargs)
    return x.widened(low, high, sizes, terms=_summed(operation_name(function), x.low, low, args, kwargs) + 2)


def _summed(name: str, before: Tensor, after: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """How many numbers a sum or mean takes together, at most."""
    if name in ("mean", "sum"):
        return before.numel() // after.numel()
    if name in ("avg_pool1d", "avg_pool2d"):
        kernel = kwargs["kernel_size"] if "kernel_size" in kwargs else args[0]
        sides = [kernel] * (before.ndim - 2) if isinstance(kernel, int) else kernel
        return math.prod(sides)
    return before[0].numel()


def operation_name(function: Callable[..., Any]) -> str:
    """Of a function of torch, a method or an operator of ATen, the same for all three."""
    schema = str(getattr(function, "_schema", ""))
    name = schema.partition("(")[0].partition("::")[2].partition(".")[0] if schema else function.__name__
    return str(name).rstrip("_")


# Increasing functions that hand numbers on as they are.
_EXACT = frozenset(
    {"amax", "clamp", "flatten", "max_pool1d", "max_pool2d", "permute", "relu", "reshape",
     "squeeze", "transpose", "unsqueeze", "view"}
)  # fmt: skip


def _rectified(function: Callable[..., Tensor], x: Bounds, inplace: bool = False) -> Bounds:
    return x.moved(torch.relu(x.low), torch.relu(x.high))


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
    if x.unit:
        radius = radius + _share(weight[0].numel() + 2, x.unit) * (centre.abs() + radius)
    spread = function(radius, weight.abs(), None, *args, **kwargs)
    if x.unit:
        sizes = 0.0 if bias is None else bias.abs().reshape(-1, *[1] * (spread.ndim - 2))
        spread = spread + 2 * x.unit * sizes + _LEAST
    product = Product(x, weight, bias) if x.ndim == _ROWS and weight.ndim == _ROWS else None
    return Bounds(moved - spread, moved + spread, unit=x.unit, product=product)


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
    sizes: Tensor | float = 0.0
    if x.unit:
        of_shift = (running_mean * scale).abs() + (0.0 if bias is None else bias.abs())
        sizes = x.size_of * scale.abs().reshape(shape) + of_shift.reshape(shape)
    low, high = torch.minimum(first, second) + moved, torch.maximum(first, second) + moved
    return x.widened(low, high, sizes, terms=_NORM_ROUNDINGS)


def _add(function: Callable[..., Tensor], first: Any, second: Any, *, alpha: float = 1) -> Bounds:
    if alpha != 1:
        raise UnboundedOperationError("no interval rule for a scaled sum")
    (low, high), (least, most) = _ends(first), _ends(second)
    return _either(first, second).widened(low + least, high + most, _size(first) + _size(second), terms=1)


def _subtract(function: Callable[..., Tensor], x: Bounds, other: Tensor | float) -> Bounds:
    """A number from each end."""
    return x.widened(x.low - other, x.high - other, x.size_of + _size(other), terms=1)


def _either(first: Any, second: Any) -> Bounds:
    """The one that is bounds, for its precision."""
    return first if isinstance(first, Bounds) else second


def _size(x: Any) -> Any:
    return x.size_of if isinstance(x, Bounds) else abs(x)


def _ends(x: Any) -> tuple[Any, Any]:
    return (x.low, x.high) if isinstance(x, Bounds) else (x, x)


def _multiply(function: Callable[..., Tensor], first: Any, second: Any) -> Bounds:
    """Element by element: the least and the most of the products of the ends."""
    products = torch.stack([torch.as_tensor(one * other) for one in _ends(first) for other in _ends(second)])
    found, sizes = _either(first, second), products.abs().amax(dim=0)
    return found.widened(products.amin(dim=0), products.amax(dim=0), sizes, terms=1)


def _matrix_product(function: Callable[..., Tensor], first: Any, second: Any) -> Bounds:
    """Centre and radius of each side; the radius of a product is at most what the absolute values allow."""
    _either(first, second).rounded_only_if_exact("products of two inputs")
    sides = [((high + low) / 2, (high - low) / 2) for low, high in (_ends(first), _ends(second))]
    (one, around), (other, beside) = sides
    moved, spread = one @ other, one.abs() @ beside + around @ (other.abs() + beside)
    return Bounds(moved - spread, moved + spread)


def _softmax(function: Callable[..., Tensor], x: Bounds, dim: int, *args: Any, **kwargs: Any) -> Bounds:
    x.rounded_only_if_exact("softmax")
    top = x.high.amax(dim=dim, keepdim=True)
    low, high = (x.low - top).exp(), (x.high - top).exp()
    others = [each.sum(dim=dim, keepdim=True) - each for each in (low, high)]
    return Bounds(low / (low + others[1].clamp_min(0)), high / (high + others[0].clamp_min(0)))


def _normalised(x: Bounds, dims: tuple[int, ...], eps: float) -> Bounds:
    """Mean 0 and variance 1 over some dimensions, by the example's own moments."""
    x.rounded_only_if_exact("norms with moments of the example")
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
    x.rounded_only_if_exact("GELU")
    ends = function(x.low, *args, **kwargs), function(x.high, *args, **kwargs)
    inside = (x.low < _GELU_LOWEST) & (x.high > _GELU_LOWEST)
    lowest = function(torch.full_like(x.low, _GELU_LOWEST), *args, **kwargs)
    return Bounds(torch.where(inside, lowest, torch.minimum(*ends)), torch.maximum(*ends))


def _cat(function: Callable[..., Tensor], parts: Sequence[Bounds | Tensor], *args: Any, **kwargs: Any) -> Bounds:
    lows, highs = zip(*map(_ends, parts), strict=True)
    known = next(part for part in parts if isinstance(part, Bounds))
    return known.moved(torch.cat(lows, *args, **kwargs), torch.cat(highs, *args, **kwargs))


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
        return output_bounds(network, Bounds(x - wide, x + wide))


def output_bounds(network: nn.Module, inputs: Bounds) -> Bounds:
    """Limits of `(b, c)` outputs while each input stays within its limits.

    Raises:
        UnboundedOperationError: the network applies an operation without a rule, which is named.
    """
    # Not through the call operator: torch.export hangs a check on it that insists on tensors.
    result = network.forward(inputs)
    if not isinstance(result, Bounds):
        raise UnboundedOperationError(f"the network turned bounds into {type(result).__name__}")
    return result
