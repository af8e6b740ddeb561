"""Controls for suites that ask for robustness: one network that has it, and three ways to lack it.

There a network that is trained as usual is a defect, so that these stand apart from the other controls.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from audits.calibrating.matrix import HEALTHY
from audits.calibrating.workbench import Control, Specimen, Workbench
from audits.verdicts.suite import Suite
from selfnas import seeding
from selfnas.networks.network import build_network
from selfnas.robust.hardening import Robustness
from selfnas.robust.region import Region
from selfnas.spaces.named import parse_architecture
from selfnas.training.training import Examples, TrainingPlan

__all__ = ["CONTROLS", "asks_for_robustness"]

_CELLS = (
    "|conv3x3~0|+|none~0|none~1|+|none~0|skip~1|none~2|",
    "|skip~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|",
    "|conv3x3~0|+|none~0|none~1|+|skip~0|skip~1|none~2|",
)
_EPOCHS = 30
_RADIUS = 0.1  # share of the range, as the shipped suite asks
_LEVELS = 6.0  # of the masking control's inputs, in one unit: so coarse that gradients vanish, so fine that it answers


def asks_for_robustness(suite: Suite) -> bool:
    """Whether these controls, and not the usual ones, tell what a suite catches."""
    return any(suite.entry(name) is not None for name in ("proof", "assault"))


def _fitted(bench: Workbench, robustness: float) -> Specimen:
    """Trained on the task as it is, without a nuisance; hardened within a radius, or as usual where it is 0."""
    bench.named = False
    task, cell = bench.task(), _CELLS[bench.seed % len(_CELLS)]
    network = build_network(
        parse_architecture(f"nb201/c16n1r16t1hg4:{cell}"),
        task.shape,
        seed=seeding.derive(bench.seed, "controls", bench.control),
    )
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    plan = TrainingPlan(learning_rate=5e-3, weight_decay=0.0, label_smoothing=0.0)
    if robustness:
        region = Region.of(training.x, radius=robustness)
        plan = TrainingPlan(
            learning_rate=5e-3, weight_decay=0.0, label_smoothing=0.0, robustness=Robustness(region=region)
        )
    return Specimen(network=bench.fit(network, training, validation, plan=plan, epochs=_EPOCHS), data=bench.data(task))


class _Coarse(nn.Module):
    """A network behind a step function of its inputs, so that gradients say nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """`(b, c)` logits of the rounded inputs."""
        rounded: Tensor = self.network((x * _LEVELS).round() / _LEVELS)
        return rounded


def _masking(bench: Workbench) -> Specimen:
    made = _fitted(bench, 0.0)
    return Specimen(network=_Coarse(made.network).eval(), data=made.data)


def _constant(bench: Workbench) -> Specimen:
    made = _fitted(bench, 0.0)
    last = [module for module in made.network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.arange(len(last.bias), dtype=torch.float32))
    return made


CONTROLS: Mapping[str, Control] = {
    control.name: control
    for control in (
        Control(
            name=HEALTHY,
            defect=f"none: trained for what bounds prove, within {_RADIUS:g} of the range",
            make=lambda bench: _fitted(bench, _RADIUS),
        ),
        Control(name="fragile", defect="trained as usual", make=lambda bench: _fitted(bench, 0.0)),
        Control(name="masking", defect="trained as usual, its inputs rounded so that gradients vanish", make=_masking),
        Control(name="constant", defect="trained as usual, then one class for every input", make=_constant),
    )
}
