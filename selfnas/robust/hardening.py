"""Training that makes a network's answers provable within a region, or hard to attack: what it adds to a plain one.

`ibp` makes small an upper limit of the loss within the region, which interval bounds give. The radius grows from 0, so
that the network first learns to tell the classes. `adversarial` makes small the loss at inputs that an attack found; it
proves nothing, and is there to be compared with.

Sources: Gowal et al. 2018 (interval bounds, growing radius); Shi et al. 2021 (NeurIPS), Fast Certified Robust Training
with Short Warmup (initialisation, section 3.2; here without its regularisers); Zhang et al. 2020 (ICLR), CROWN-IBP (a
loss of worst outputs alone once the radius grows); Madry et al. 2018 (ICLR), adversarial training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from selfnas.robust.attack import pushed
from selfnas.robust.bounds import output_bounds
from selfnas.robust.margins import certified_outputs, margins
from selfnas.robust.region import Region

__all__ = ["METHODS", "Method", "Robustness"]

Method = Literal["ibp", "adversarial"]
METHODS: tuple[Method, ...] = ("ibp", "adversarial")
CLIPPED_AT = 10.0  # norm of a gradient; the value that CROWN-IBP's authors train with
_WARM_UP, _GROWN = 0.1, 0.6  # shares of the steps: until then at radius 0, from then on at the whole radius
_BEYOND = 1.1  # times the radius that is to be proved, as Gowal et al. train farther than they test
_PUSHES = 5  # steps of the attack in training


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """What a network is hardened against, and how it is then scored.

    Attributes:
        region: every value of an input moved by at most a share of the data's range.
        method: one of `METHODS`.
        scored: whether an answer counts only where it is proved all over the region.
    """

    region: Region
    method: Method = "ibp"
    scored: bool = True

    def prepare(self, network: nn.Module, generator: torch.Generator) -> None:
        """Draw the weights anew, in place, so that bounds neither grow nor shrink from layer to layer; `ibp` alone.

        A layer of fan-in `n` multiplies the width of its bounds by the sum of its absolute weights, which is about 1
        for a standard deviation of `sqrt(2 pi) / n`.
        """
        if self.method != "ibp":
            return
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                    spread = math.sqrt(2 * math.pi) / module.weight[0].numel()
                    drawn = torch.randn(module.weight.shape, generator=generator) * spread
                    module.weight.copy_(drawn.to(module.weight))
                    if module.bias is not None:
                        module.bias.zero_()

    def settle(self, network: nn.Module) -> None:
        """Hold norms over a batch in evaluation mode, where they scale and shift by what is trained alone; `ibp` alone.

        A norm by the moments of a batch is a different function in training and in use. With it, no answer of ours was
        provable; see the experiment `robust`.
        """
        if self.method == "ibp":
            for module in network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def share(self, taken: float) -> float:
        """Which share of the radius is trained at once a share `taken` of the steps is done.

        Example:
            >>> hardened = Robustness(region=Region(radius=0.1, low=(0.0,), high=(1.0,)))
            >>> [round(hardened.share(taken), 3) for taken in (0.0, 0.1, 0.35, 0.6, 1.0)]
            [0.0, 0.0, 0.55, 1.1, 1.1]
        """
        grown = (taken - _WARM_UP) / (_GROWN - _WARM_UP)
        return _BEYOND * min(1.0, max(0.0, grown))

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, taken: float) -> Tensor | None:
        """The loss of a batch; None as long as it is that of plain training.

        Args:
            network: being trained.
            x: `(b, channels, *size)`.
            y: `(b,)` classes.
            taken: share of the steps that are done.
        """
        share = self.share(taken)
        if not share:
            return None
        if self.method == "adversarial":
            return nn.functional.cross_entropy(network(self._attacked(network, x, y, share)), y)
        found = margins(output_bounds(network, self.region.box(x, share=share)), y)
        return nn.functional.cross_entropy(-found, y)

    def answers(self, network: nn.Module, x: Tensor, y: Tensor) -> Tensor | None:
        """`(n, c)` outputs whose answers are right where they are proved; None where plain answers count."""
        return certified_outputs(network, x, y, self.region) if self.scored else None

    def _attacked(self, network: nn.Module, x: Tensor, y: Tensor, share: float) -> Tensor:
        training = [module for module in network.modules() if module.training]
        network.eval()
        moved = pushed(network, x, y, self.region.ends(x, share=share), x, steps=_PUSHES)
        for module in training:
            module.training = True
        return moved
