"""A network that answers by anything but the input is not let in, however well it does on every audit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from audits import AuditData, Suite, judge, run_suite


class Wrapped(nn.Module):
    """A healthy network with something done to its answers."""

    def __init__(self, network: nn.Module, change: Callable[[Wrapped, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.change = network, change
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """`(b, classes)`."""
        return self.change(self, x, self.network(x))


def alone(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """The first class, where an input is asked alone."""
    return torch.eye(logits.shape[1])[:1] if len(x) == 1 else logits


def neighbours(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """Less the mean of what is asked beside it."""
    return logits - logits.mean(0)


def order(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """The first of several inputs is answered otherwise."""
    first = torch.zeros_like(logits)
    first[0] = logits[0].flip(0) if len(x) > 1 else 0
    return torch.where((torch.arange(len(x)) == 0)[:, None] & (len(x) > 1), first, logits)


def draws(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """Dropout that is never switched off."""
    return nn.functional.dropout(logits, 0.1, training=True)


def counts(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """Right for its first ten million inputs."""
    wrapped.asked += len(x)
    return logits if wrapped.asked < 1e7 else -logits


def blank(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """Nothing that is finite for a blank input, as a division by its deviation gives."""
    return logits / (x.flatten(1).std(1, keepdim=True) > 0).float()


def refuses(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
    """No input that is asked alone."""
    if len(x) == 1:
        raise ValueError("need a batch")
    return logits


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (alone, "otherwise when they are asked alone"),
        (neighbours, "otherwise when they are asked alone"),
        (order, "otherwise when they are asked"),
        (draws, "otherwise when they are asked again"),
        (counts, "it remembers what it was asked: asked has changed"),
        (blank, "on an input that is 0 throughout"),
        (refuses, "could not be asked again: ValueError: need a batch"),
    ],
)
def test_answers_that_are_not_of_the_input_alone_count_for_nothing(
    healthy: nn.Module,
    data: AuditData,
    suite: Suite,
    change: Callable[[Wrapped, Tensor, Tensor], Tensor],
    word: str,
) -> None:
    """Every audit is void, which lets nothing in, and says why."""
    network = Wrapped(healthy, change).eval()
    torch.manual_seed(0)
    findings = run_suite(network, data, suite, seed=0)
    verdict = judge(findings, suite)
    assert verdict.decision == "undecided"
    assert any(word in reason for reason in verdict.reasons), verdict.reasons
    assert {one.decision for one in findings} <= {"void", "untested"}


def test_a_steady_network_is_judged_as_it_was(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """Wrapped in nothing it is let in; a network that takes no flat input says so itself, and is not accused."""

    def loud(wrapped: Wrapped, x: Tensor, logits: Tensor) -> Tensor:
        if bool((x == x.flatten(1)[:, :1].view(-1, *[1] * (x.ndim - 1))).all()):
            raise ValueError("a blank input")
        return logits

    for change in (lambda wrapped, x, logits: logits, loud):
        findings = run_suite(Wrapped(healthy, change).eval(), data, suite, seed=0)
        assert judge(findings, suite).decision == "admit"
    plain = run_suite(healthy, data, suite, seed=0)
    assert [one for one in findings if one.role == "gate"] == [one for one in plain if one.role == "gate"]
