"""A certificate of one input of a network, written and checked again."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from audits.contract.examinee import evaluation_mode
from selfnas.errors import InputError, Problem
from selfnas.robust.certificate import write_certificate
from selfnas.robust.checking import check_bound
from selfnas.robust.region import Region

__all__ = ["bound_example", "checked_bound"]


def bound_example(
    network: nn.Module,
    x_train: Tensor,
    x: Tensor,
    number: int,
    *,
    radius: float,
    output: Path,
    weights_sha256: str = "",
) -> tuple[str, bool]:
    """Write a certificate of one input to `output` and the arrays beside it; a line about it, and whether it is proved.

    Args:
        network: float32.
        x_train: `(n, channels, *size)` training inputs, which say what the range is.
        x: `(n, channels, *size)` inputs.
        number: which of them, from 0.
        radius: share of the range.
        output: a `.json`.
        weights_sha256: of the file that the weights were read from, where there is one.

    Raises:
        InputError: no such input, or radius; or inputs that are not scaled as the training inputs are.
        UnboundedOperationError: the network has a step that cannot be checked, which is named.
    """
    if not 0 <= number < len(x):
        raise InputError(f"there are {len(x)} examples, numbered from 0, so none is {number}")
    region = Region.of(x_train, radius=radius)
    region.check(x)
    with evaluation_mode(network), torch.no_grad():
        answer = int(network(x[number : number + 1]).argmax(1))
        write_certificate(network, x[number], answer, region, output, weights_sha256=weights_sha256)
    return checked_bound(output)


def checked_bound(path: Path) -> tuple[str, bool]:
    """What a certificate says, found out again with NumPy: a line for each thing said, and whether the class is proved.

    Raises:
        InputError: it is no certificate.
    """
    try:
        found = check_bound(path)
    except ValueError as error:
        raise InputError([Problem(str(error))]) from error
    said = "proved" if found.proved else "not proved"
    lines = [f"{path}: class {found.answer} {said}, least margin {found.margin:.6g}", *found.problems]
    return "\n".join(lines), found.proved
