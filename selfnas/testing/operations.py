"""What every operation promises: its formulas are those of the module that it builds."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from selfnas.spaces.operation import EVERYWHERE, Operation, halved
from selfnas.testing.promises import promise

__all__ = ["check_operation"]

_SIZES = ((), (8,), (13,), (8, 8), (9, 12))
_CHANNELS = (2, 6)
_FLOAT_BYTES = 4
_WHOLE = 15  # side of an input that is looked at as a whole


def check_operation(
    operation: Operation, *, channels: Sequence[int] = _CHANNELS, sizes: Sequence[tuple[int, ...]] = _SIZES
) -> None:
    """Formulas against built modules, at both strides, for tables, series and images as far as it exists there.

    Args:
        operation: any record; it need not be in a space.
        channels: widths to try.
        sizes: spatial sizes to try, those of as many dimensions as it exists in.

    Raises:
        ConformanceError: a promise that it breaks.
    """
    promise(copy.deepcopy(operation.form) == operation.form, f"{operation.name}: equal forms must compare equal")
    sizes = [size for size in sizes if len(size) in operation.dimensions]
    for stride in (1, 2):
        for width, size in itertools.product(channels, sizes):
            _check_costs(operation, width, size, stride)
        for dimensions in sorted({len(size) for size in sizes if size}):
            _check_reach(operation, stride, dimensions)


def _built(operation: Operation, channels: int, stride: int, size: tuple[int, ...]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return operation.build(channels, stride=stride, size=size).eval()


def _check_costs(operation: Operation, channels: int, size: tuple[int, ...], stride: int) -> None:
    where = f"{operation.name} at {channels} channels, size {size}, stride {stride}"
    module, again = (_built(operation, channels, stride, size) for _ in range(2))
    same = all(map(torch.equal, module.state_dict().values(), again.state_dict().values()))
    promise(same, f"{where}: weights come from torch's global generator alone")
    x = torch.rand(1, channels, *size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = module(x)
    wanted = (1, channels, *halved(size, stride))
    promise(tuple(out.shape) == wanted, f"{where}: gives shape {tuple(out.shape)}, not {wanted}")
    kernels = operation.kernels(channels, size=size, stride=stride)
    params, macs, kept = (
        sum(getattr(kernel, name) for kernel in kernels) for name in ("params", "macs", "activation_bytes")
    )
    built = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    promise(params == built, f"{where}: the formula says {params} parameters, the module has {built}")
    done = counter.get_total_flops() // 2
    promise(macs == done, f"{where}: the formula says {macs} multiply-accumulates, the module does {done}")
    promise(kept >= _FLOAT_BYTES * out.numel(), f"{where}: {kept} activation bytes are less than its output's")
    for kernel in kernels:
        idle = not (kernel.macs or kernel.params)
        least = _FLOAT_BYTES * kernel.params + kernel.activation_bytes
        promise(
            kernel.traffic_bytes >= least or (idle and not kernel.traffic_bytes),
            f"{where}: a kernel moves {kernel.traffic_bytes} bytes, less than its weights and output, {least}",
        )
    if operation.identity and stride == 1:
        promise(torch.equal(out, x), f"{where}: an identity hands on its input")


def _check_reach(operation: Operation, stride: int, dimensions: int) -> None:
    """Which lines of the input one output depends on, found by raising one after another."""
    reach = operation.reach(stride=stride)
    side = _WHOLE if reach == EVERYWHERE else reach + 9
    module = _built(operation, 2, stride, (side,) * dimensions).double()
    weights = torch.Generator().manual_seed(2)
    for parameter in module.parameters():  # positive, so that nothing cancels out, and small, so that nothing saturates
        nn.init.uniform_(parameter, 0.05, 0.15, generator=weights)
    base = torch.rand(1, 2, *[side] * dimensions, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for axis in range(2, 2 + dimensions):
        raised = base.repeat(side + 1, *[1] * (dimensions + 1))
        for line in range(side):
            raised[line, 0].select(axis - 2, line).add_(10.0)
            raised[line, 1].select(axis - 2, line).add_(15.0)  # not alike, which a norm over channels would take away
        with torch.no_grad():
            out = module(raised)
        centre = out[(slice(None), slice(None), *[out.shape[-1] // 2] * dimensions)]
        seen = ((centre[:-1] - centre[-1]).abs() > 1e-9).any(dim=1).nonzero()[:, 0]
        extent = int(seen.max() - seen.min()) if len(seen) else -1
        wanted = side - 1 if reach == EVERYWHERE else reach
        promise(
            extent == wanted,
            f"{operation.name} at stride {stride} in {dimensions} dimension(s): the formula says that it looks "
            f"{wanted} beyond a point, the module looks {extent}",
        )
