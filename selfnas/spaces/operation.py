"""An operation that an edge can carry, as one record: its names, its formulas, and where its module is built.

Nothing here needs torch: costs and rules read the formulas, and a builder named by text is imported when a network is
built. `operations.py` has our own; a plug-in brings records like those.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from selfnas.errors import ArchitectureError

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "EVERYWHERE",
    "Builder",
    "Form",
    "Kernel",
    "Operation",
    "convolution",
    "depthwise",
    "halved",
    "kinds_of_input",
    "linear",
    "passing",
    "pointwise",
    "pooling",
]

EVERYWHERE = 2**20  # reach of an operation whose every output depends on its whole input, however large that is
_FLOAT_BYTES = 4
_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")
_ALIAS = re.compile(r"[A-Za-z]\w{0,63}")
_RESERVED = ("none", "stem", "prepare", "reduction", "sum", "join", "head")  # no operation; parts in device files
_INPUTS = ("tables", "series", "images")  # by spatial dimensions
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")

# (channels, stride, spatial dimensions) -> module from (b, channels, *size) to (b, channels, *halved(size, stride));
# the builder of an operation that is `sized` takes the spatial size of its input as well
Builder: TypeAlias = "Callable[..., nn.Module]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One fused kernel on one example, in float32: what an inference engine would run.

    Attributes:
        macs: multiply-accumulates of convolutions and linear layers; pooling, norms and sums are not counted.
        params: trainable numbers, those of its norm included.
        activation_bytes: of its output, what a backward pass would keep.
        traffic_bytes: read and written, weights included; 0 where nothing is moved, and such a kernel is not run.
    """

    macs: int = 0
    params: int = 0
    activation_bytes: int = 0
    traffic_bytes: int = 0


class Form(Protocol):
    """The formulas of an operation; equal forms must compare equal, as frozen dataclasses do."""

    def kernels(self, channels: int, size: tuple[int, ...], stride: int) -> tuple[Kernel, ...]:
        """What it runs on an input of `channels` and spatial `size`; its output is of `halved(size, stride)`."""
        ...

    def reach(self, stride: int) -> int:
        """How far it looks beyond a point: receptive field minus one, in pixels of its input, or `EVERYWHERE`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation; equal records are one operation.

    Attributes:
        name: how it is written: a lower-case letter, then lower-case letters and digits. Composed ones read `a>b&c`.
        builder: constructor of its module, or where that is (`package.module:name`), imported when it is first built.
        aliases: spellings of published benchmarks, read but never written.
        identity: whether at stride 1 it hands on its input as it is, so that the digest contracts it.
        colour: of its arrows in pictures, `#rrggbb`.
        dimensions: numbers of spatial dimensions in which it exists: 0 for tables, 1 for series, 2 for images.
        sized: whether its weights depend on the spatial size of its input, which its builder then takes as well.

    Raises:
        ArchitectureError: a name, alias or colour that does not read so, or no dimensions.
    """

    name: str
    form: Form = field(hash=False)
    builder: Builder | str = field(hash=False)
    aliases: tuple[str, ...] = field(default=(), hash=False)
    identity: bool = field(default=False, hash=False)
    colour: str = field(default="#000000", hash=False)
    dimensions: tuple[int, ...] = field(default=(1, 2), hash=False)
    sized: bool = field(default=False, hash=False)

    def __post_init__(self) -> None:
        for step in re.split("[>&]", self.name):
            if not _NAME.fullmatch(step) or step in _RESERVED:
                raise ArchitectureError(
                    f"an operation's name is lower-case letters and digits, a letter first, and none of "
                    f"{', '.join(_RESERVED)}; not {step!r}"
                )
        for alias in self.aliases:
            if not _ALIAS.fullmatch(alias) or alias in _RESERVED:
                raise ArchitectureError(f"operation {self.name}: {alias!r} is no alias: use letters, digits and '_'")
        if not _COLOUR.fullmatch(self.colour):
            raise ArchitectureError(f"operation {self.name}: a colour reads '#rrggbb', not {self.colour!r}")
        if not self.dimensions or not set(self.dimensions) <= {0, 1, 2}:
            raise ArchitectureError(f"operation {self.name}: dimensions are some of 0, 1, 2, not {self.dimensions}")

    def kernels(self, channels: int, *, size: tuple[int, ...], stride: int = 1) -> tuple[Kernel, ...]:
        """What it runs on one example of `channels` and spatial `size`."""
        return self.form.kernels(channels, size, stride)

    def reach(self, *, stride: int = 1) -> int:
        """How far it looks beyond a point: receptive field minus one, in pixels of its input."""
        return self.form.reach(stride)

    def build(self, channels: int, *, stride: int, size: tuple[int, ...]) -> nn.Module:
        """A fresh module for an input of spatial `size`, initialised from torch's global generator.

        Raises:
            ArchitectureError: the builder is not where the record says, or the operation does not exist in so many
                dimensions.
        """
        if len(size) not in self.dimensions:
            here = kinds_of_input([len(size)])
            raise ArchitectureError(f"operation {self.name} is for {kinds_of_input(self.dimensions)}, not for {here}")
        builder: Any = self.builder
        if isinstance(builder, str):
            try:
                builder = pkgutil.resolve_name(builder)
            except (ImportError, AttributeError, ValueError) as error:
                raise ArchitectureError(f"operation {self.name}: no builder at {self.builder!r}: {error}") from error
        module: nn.Module = builder(channels, stride, len(size), *([size] if self.sized else []))
        return module


def kinds_of_input(dimensions: Sequence[int]) -> str:
    """What inputs of such numbers of spatial dimensions are called.

    Example:
        >>> kinds_of_input((1, 2)), kinds_of_input((0,))
        ('series and images', 'tables')
    """
    return " and ".join(_INPUTS[count] for count in dimensions)


def halved(size: Sequence[int], stride: int) -> tuple[int, ...]:
    """Spatial size after an operation of that stride with 'same' padding: the shape rule of every operation.

    Example:
        >>> halved((7, 8), 2)
        (4, 4)
    """
    return tuple(-(-side // stride) for side in size)


def convolution(channels_in: int, channels_out: int, taps: int, *, before: int, after: int) -> Kernel:
    """A convolution without bias, with batch norm and activation fused into it.

    Args:
        taps: positions that it looks at, in all dimensions.
        before: positions of its input.
        after: positions of its output.
    """
    weights = taps * channels_in * channels_out
    params = weights + 2 * channels_out
    return Kernel(
        macs=weights * after,
        params=params,
        activation_bytes=_FLOAT_BYTES * channels_out * after,
        traffic_bytes=_FLOAT_BYTES * (channels_in * before + channels_out * after + params),
    )


def linear(features_in: int, features_out: int, *, positions: int = 1, bias: bool = True) -> Kernel:
    """A linear layer over features, at each of some positions."""
    params = features_in * features_out + bias * features_out
    return Kernel(
        macs=features_in * features_out * positions,
        params=params,
        activation_bytes=_FLOAT_BYTES * features_out * positions,
        traffic_bytes=_FLOAT_BYTES * ((features_in + features_out) * positions + params),
    )


def pointwise(channels: int, *, positions: int, params: int = 0, read: int = 1) -> Kernel:
    """A function of each number alone, such as a norm of its own or a sum, of `read` values of that size."""
    moved = channels * positions
    return Kernel(
        params=params,
        activation_bytes=_FLOAT_BYTES * moved,
        traffic_bytes=_FLOAT_BYTES * ((read + 1) * moved + params),
    )


def depthwise(channels: int, taps: int, *, before: int, after: int) -> Kernel:
    """A depthwise convolution without bias or norm."""
    weights = taps * channels
    return Kernel(
        macs=weights * after,
        params=weights,
        activation_bytes=_FLOAT_BYTES * channels * after,
        traffic_bytes=_FLOAT_BYTES * (channels * (before + after) + weights),
    )


def pooling(channels: int, *, before: int, after: int) -> Kernel:
    """Pooling, which has no weights."""
    return Kernel(
        activation_bytes=_FLOAT_BYTES * channels * after, traffic_bytes=_FLOAT_BYTES * channels * (before + after)
    )


def passing(channels: int, *, positions: int) -> Kernel:
    """Nothing run, but a value that is kept."""
    return Kernel(activation_bytes=_FLOAT_BYTES * channels * positions)
