"""The check of a device finds one that computes otherwise."""

import torch
from torch import Tensor, nn

from experiments.gpu import check


class Forgetful(nn.Module):
    """Gives another output each time, as a device does that does not compute what it should."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """The input, a little larger at each call."""
        self.calls += 1
        return x * self.weight * (1 + 0.01 * self.calls)


def test_a_device_that_computes_otherwise_is_found() -> None:
    """By more than rounding; the processor agrees with itself."""
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert check._apart(nn.Linear(8, 8), x, "cpu") == 0
    assert check._apart(Forgetful(), x, "cpu") > check._TOLERANCE


def test_every_operation_is_looked_at() -> None:
    """None of ours is left out."""
    found = list(check._operations("cpu"))
    assert len(found) == len(check.OPERATIONS)
    assert all(one.right for one in found)
