"""A network under audit: held in evaluation mode, its outputs checked at one place, its random draws by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn

from audits.contract.data import AuditData
from selfnas import seeding
from selfnas.data.targets import Target, TargetKind
from selfnas.errors import SelfnasError
from selfnas.training.outputs import midmost, predicted

__all__ = ["Examinee", "NetworkOutputError", "evaluation_mode", "some"]

_BATCH: Final = 256  # inputs per forward pass, as far as
_VALUES: Final = 8_000_000  # input values per pass allow; bounds memory


class NetworkOutputError(SelfnasError, ArithmeticError):
    """A network's outputs are not finite, or not one row of logits per input."""


class Examinee:
    """One network with the data it is audited on.

    Attributes:
        network: in evaluation mode (see `evaluation_mode`).
        data: the task's splits and nuisances.
        seed: all draws derive from it by name.
        device: where the network lives.
    """

    def __init__(self, network: nn.Module, data: AuditData, *, seed: int) -> None:
        self.network: Final = network
        self.data: Final = data
        self.seed: Final = seed
        self.device: Final = next((each.device for each in (*network.parameters(), *network.buffers())), data.x.device)
        self._logits: dict[str, Tensor] = {}

    def generator(self, *names: str | int) -> torch.Generator:
        """A CPU generator for one named purpose."""
        return seeding.torch_generator(self.seed, "audits", *names)

    def sample(self, total: int, count: int, *names: str | int) -> Tensor:
        """`(min(total, count),)` distinct indexes below `total`, ascending."""
        return some(total, count, self.generator(*names))

    def logits(self, x: Tensor, *, network: nn.Module | None = None) -> Tensor:
        """`(b, outputs)` float64 on the CPU, of the network or of another in its place.

        Raises:
            NetworkOutputError: not that shape, or not finite.
        """
        used = self.network if network is None else network
        size = max(1, min(_BATCH, _VALUES // max(1, x[:1].numel())))
        with torch.no_grad():
            parts = [self._checked(used(part.to(self.device)), len(part)) for part in torch.split(x, size)]
        return torch.cat(parts)

    def audit_logits(self) -> Tensor:
        """The logits of the whole audit split, computed once."""
        if "audit" not in self._logits:
            self._logits["audit"] = self.logits(self.data.x)
        return self._logits["audit"]

    def probes(self, count: int, *names: str | int) -> tuple[Tensor, Tensor]:
        """Inputs and their logits for questions that do not depend on whether the network has seen them.

        They are of the audit split; where this holds fewer than `count`, training inputs make up the number.
        """
        data = self.data
        chosen = self.sample(len(data.x), count, *names)
        x, logits = data.x[chosen], self.audit_logits()[chosen]
        if len(chosen) < count:
            further = data.x_train[self.sample(len(data.x_train), count - len(chosen), *names, "train")]
            x, logits = torch.cat([x, further]), torch.cat([logits, self.logits(further)])
        return x, logits

    def predictions(self) -> Tensor:
        """Its answers on the audit split: `(n,)` classes, `(n, labels)` 0 or 1, or `(n, numbers)` in their units."""
        return predicted(self.audit_logits(), self.data.target)

    def explained(self, logits: Tensor) -> Tensor:
        """`(b,)` which of `(b, outputs)` an attribution explains: the one that says most about the answer."""
        return _EXPLAINED[self.data.target.kind](logits, self.data.target)

    def _checked(self, output: object, count: int) -> Tensor:
        if not isinstance(output, Tensor) or output.shape != (count, self.data.classes):
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise NetworkOutputError(f"expected logits of shape ({count}, {self.data.classes}), got {shape}")
        if not bool(torch.isfinite(output).all()):
            raise NetworkOutputError("the network's outputs are not finite")
        return output.detach().to("cpu", torch.float64)


def _strongest(logits: Tensor, target: Target) -> Tensor:
    return logits.argmax(1)


def _midmost(logits: Tensor, target: Target) -> Tensor:
    """Of quantiles the one that answers; of several numbers the one furthest from its mean."""
    if target.quantiles:
        return torch.full((len(logits),), midmost(target), dtype=torch.int64)
    return logits.abs().argmax(1)


def _last_passed(logits: Tensor, target: Target) -> Tensor:
    """The highest threshold that the answer lies above, the lowest where it lies above none."""
    return (predicted(logits, target) - 1).clamp_min(0)


_EXPLAINED: Final[Mapping[TargetKind, Callable[[Tensor, Target], Tensor]]] = {
    "classification": _strongest,
    "multilabel": _strongest,
    "regression": _midmost,
    "ordinal": _last_passed,
}


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Hold a network in evaluation mode without gradients of its parameters, then put everything back.

    The flags are set directly because the modules of `torch.export` refuse the method that sets them.
    """
    modules = [(module, module.training) for module in network.modules()]
    parameters = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        for module, _ in modules:
            module.training = False
        for parameter, _ in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modules:
            module.training = training
        for parameter, required in parameters:
            parameter.requires_grad_(required)


def some(total: int, count: int, generator: torch.Generator) -> Tensor:
    """`(min(total, count),)` distinct indexes below `total`, ascending."""
    if count >= total:
        return torch.arange(total)
    return torch.randperm(total, generator=generator)[:count].sort().values
