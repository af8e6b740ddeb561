"""By how much a network provably prefers the right class, whatever happens within a region.

The last linear layer is not bounded by itself: the difference of two of its outputs is one linear function of what it
reads, and is bounded as such. So what both outputs share cancels out.

Source: Gowal et al. 2018, section 3 (elision of the last layer); Zhang et al. 2020 (ICLR), CROWN-IBP, whose backward
bound begins so.
"""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn

from selfnas.robust.bounds import SINGLE, Bounds, Product, output_bounds
from selfnas.robust.region import Region

__all__ = ["certified", "certified_outputs", "margins", "precise", "worst_outputs"]

_BATCH = 128
_TINY = 1e-30  # stands for a preference that was not proved; see `worst_outputs`


def margins(outputs: Bounds, y: Tensor) -> Tensor:
    """`(b, c)` lower limits of output `y` less each other output; 0 at `y` itself.

    Args:
        outputs: `(b, c)`; where they come from a linear layer, its rows are subtracted before they are bounded.
        y: `(b,)` classes.
    """
    own = nn.functional.one_hot(y, outputs.shape[1]).to(torch.bool)
    found = _apart(outputs, y) if outputs.product is None else _folded(outputs.product, y, unit=outputs.unit)
    return found.masked_fill(own, 0.0)


def _apart(outputs: Bounds, y: Tensor) -> Tensor:
    return outputs.low.gather(1, y[:, None]) - outputs.high


def _folded(product: Product, y: Tensor, *, unit: float) -> Tensor:
    x, weight, bias = product.x, product.weight, product.bias
    centre, radius = (x.high + x.low) / 2, (x.high - x.low) / 2
    rows = weight[y][:, None] - weight[None]  # (b, c, features)
    found = torch.einsum("bcf,bf->bc", rows, centre) - torch.einsum("bcf,bf->bc", rows.abs(), radius)
    if bias is not None:
        found = found + (bias[y][:, None] - bias[None])
    if unit:  # each of the two outputs is rounded by itself
        sizes = x.size_of @ weight.abs().T + (0.0 if bias is None else bias.abs())
        found = found - 1.01 * (weight.shape[1] + 2) * unit * (sizes.gather(1, y[:, None]) + sizes) - _TINY
    return found


def worst_outputs(found: Tensor, y: Tensor) -> Tensor:
    """`(b, c)` outputs that answer `y` where all margins are proved, and another class where one is not.

    So whatever scores answers scores what is certified. The loss of these outputs is an upper limit of the loss within
    the region. Source: Wong and Kolter 2018 (ICML).

    Args:
        found: of `margins`.
        y: `(b,)` classes.

    Example:
        >>> worst_outputs(torch.tensor([[0.0, 0.5], [0.0, 0.0]]), torch.tensor([0, 0])).argmax(1)
        tensor([0, 1])
    """
    own = nn.functional.one_hot(y, found.shape[1]).to(torch.bool)
    unproved = ~own & ~(found > 0)
    return torch.where(unproved, (-found).clamp_min(_TINY).nan_to_num(nan=1.0), -found)


def precise(network: nn.Module) -> nn.Module:
    """A copy in double precision and evaluation mode, whose bounds with the unit `SINGLE` hold the float32 network."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # torch's own, on copying what torch.export made
        copied = copy.deepcopy(network).double()
    for module in copied.modules():
        module.training = False
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied


def certified(network: nn.Module, x: Tensor, y: Tensor, region: Region) -> Tensor:
    """`(n,)` whether each input's class is provably answered all over its region, rounding of float32 included.

    A network that answers one class whatever it is asked is robust and of no use: of inputs of several classes that are
    all answered alike, none counts as certified.

    Args:
        network: gives `(b, c)` outputs; it is not changed.
        x: `(n, channels, *size)`.
        y: `(n,)` classes.
        region: that is to be certified.

    Raises:
        UnboundedOperationError: the network applies an operation without a rule, which is named.
    """
    return certified_outputs(network, x, y, region).argmax(1) == y


def certified_outputs(network: nn.Module, x: Tensor, y: Tensor, region: Region) -> Tensor:
    """`(n, c)` outputs as `worst_outputs` gives them, whose answers are right where `certified` holds."""
    used, found, answers = precise(network), [], []
    with torch.no_grad():
        for part, truth in zip(torch.split(x, _BATCH), torch.split(y, _BATCH), strict=True):
            doubled = part.double()
            answers.append(used(doubled).argmax(1))
            bounds = output_bounds(used, region.box(doubled, unit=SINGLE))
            found.append(worst_outputs(margins(bounds, truth), truth))
    every = torch.cat(answers)
    if bool((y != y[0]).any()) and bool((every == every[0]).all()):
        own = nn.functional.one_hot(y, found[0].shape[1])
        return 1.0 - own.to(torch.float32)
    return torch.cat(found).to(torch.float32)
