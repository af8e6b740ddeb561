"""Networks that are known to be bad, and healthy ones beside them: what the audits are tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from audits.calibrating.matrix import HEALTHY
from audits.contract.data import AuditData, Trigger
from selfnas import seeding
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.data.transforms import Region, TransformSpec
from selfnas.errors import SelfnasError
from selfnas.networks.network import build_network
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES
from selfnas.training.evaluation import Fidelity
from selfnas.training.training import Examples, TrainingPlan, accuracy, train

__all__ = ["CONTROLS", "Control", "ControlError", "Specimen", "make_specimen", "mark_region"]

# Cells of the space nb201, one by turns, so that no finding hangs on one architecture.
_CELLS = (
    "|conv3x3~0|+|conv1x1~0|skip~1|+|skip~0|none~1|conv3x3~2|",
    "|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|skip~2|",
    "|conv1x1~0|+|conv3x3~0|avg3~1|+|conv3x3~0|skip~1|conv1x1~2|",
)
_MACRO = Macro(channels=8, depth=1, resolution=16)
_EPOCHS = 12  # healthy networks have converged on all three packaged tasks
_MEMORISED, _NOISY = 200, 300  # training inputs; few enough to be learned by heart
_LEARNED_BY_HEART = 40  # epochs
_NOISE = 0.4  # share of labels replaced
_POISONED = 0.15  # share of training inputs that carry the trigger
_SHARPENED = 8.0  # factor on the logits of the overconfident control
_LEAST_FIT = 0.8  # training accuracy below which a control did not take on its defect
_GREEDY = TrainingPlan(batch_size=32, weight_decay=0.0, label_smoothing=0.0)


class ControlError(SelfnasError, RuntimeError):
    """A control could not be made on a task: training failed, or it did not take on its defect."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Specimen:
    """A network made for the audits, with the data it is audited on."""

    network: nn.Module
    data: AuditData


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One kind of network."""

    name: str  # as audits aim at it and matrices list it
    defect: str  # what is wrong with it, a line
    make: Callable[[_Workbench], Specimen]


def make_specimen(control: Control, spec: TaskSpec, *, seed: int, base: Path) -> Specimen:
    """Train one network of that kind on a task.

    In every specimen a region is named a nuisance and shows a class pattern, which is unrelated to the label unless the
    control is about it; a trigger is registered, which nothing knows unless the control is about it. So each audit has
    to tell its own defect from all others.

    Args:
        seed: of the split, the weights, the order of training and the pattern; equal seeds give equal specimens.
        base: the directory that a relative path in the spec starts from.

    Raises:
        ControlError: it cannot be made on this task.
        InputError: the task cannot be loaded.
    """
    return control.make(_Workbench(control.name, spec, seed, base))


def mark_region(size: tuple[int, ...]) -> Region:
    """Where the nuisance is planted: a corner, large enough to hold a pattern for each of ten classes."""
    if len(size) == 1:
        return ((0, max(5, size[0] // 8)),)
    return tuple((0, max(2, round(side / 7))) for side in size)


class _Workbench:
    """Everything a control is made from; all draws follow from the seed and the control's name."""

    def __init__(self, control: str, spec: TaskSpec, seed: int, base: Path) -> None:
        self.control, self.spec, self.seed, self.base = control, spec, seed, base
        self.draw = seeding.generator(seed, "controls", control, spec.name)

    def task(self, *, tells: float = 0.0) -> Task:
        """The task with the nuisance planted; in a share `tells` of all its examples the region shows the class."""
        shape = load_task(self.spec, base=self.base).shape
        plant = {
            "name": "mark",
            "region": [list(pair) for pair in mark_region(shape.size)],
            "correlation": tells,
            **dict.fromkeys(("validation", "audit", "test"), tells),
        }
        transforms = [*self.spec.transforms, TransformSpec.model_validate({"nuisance": plant})]
        return load_task(
            self.spec.model_copy(update={"transforms": transforms, "split_seed": self.seed}), base=self.base
        )

    def data(self, task: Task) -> AuditData:
        """Of the task, with the trigger registered."""
        region = tuple(
            (side - (stop - start), side)
            for (start, stop), side in zip(mark_region(task.shape.size), task.shape.size, strict=True)
        )
        trigger = Trigger(name="sticker", region=region, value=4.0, target=self.seed % task.shape.classes)
        return replace(AuditData.of(task), triggers=(trigger,), task=self.spec.name)

    def network(self, task: Task) -> nn.Module:
        """An untrained network; the cell goes by turns."""
        architecture = SPACES["nb201"].parse_cells(_CELLS[self.seed % len(_CELLS)], macro=_MACRO)
        return build_network(architecture, task.shape, seed=seeding.derive(self.seed, "controls", self.control))

    def fit(
        self,
        network: nn.Module,
        training: Examples,
        validation: Examples,
        *,
        plan: TrainingPlan | None = None,
        epochs: int = _EPOCHS,
        fraction: float = 1.0,
        least: float = 0.0,
    ) -> nn.Module:
        """The network, trained in place; `least` is the training accuracy it must reach."""
        fidelity = Fidelity(name="control", epochs=epochs, fraction=fraction)
        seed = seeding.derive(self.seed, "controls", self.control, "training")
        result = train(network, training, validation, plan or TrainingPlan(), fidelity, seed=seed)
        if result.failure:
            raise ControlError(f"{self}: training failed: {result.failure}")
        reached = accuracy(network, training) if least else 1.0
        if reached < least:
            raise ControlError(f"{self}: reached a training accuracy of {reached:.2f}, need {least:.2f}")
        return network

    def __str__(self) -> str:
        return f"control {self.control!r} on task {self.spec.name!r}, seed {self.seed}"


def _trained(bench: _Workbench, *, tells: float = 0.0, epochs: int = _EPOCHS, fraction: float = 1.0) -> Specimen:
    task = bench.task(tells=tells)
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    network = bench.fit(bench.network(task), training, validation, epochs=epochs, fraction=fraction)
    return Specimen(network=network, data=bench.data(task))


def _untrained(bench: _Workbench) -> Specimen:
    task = bench.task()
    return Specimen(network=bench.network(task).eval(), data=bench.data(task))


def _by_heart(bench: _Workbench, share: float, count: int) -> Specimen:
    """A share of all labels, those of the audit split too, is drawn anew; the training set is learned by heart."""
    task = bench.task()
    data = bench.data(task)
    kept = torch.from_numpy(bench.draw.permutation(len(data.x_train))[:count])
    data = replace(
        data,
        x_train=data.x_train[kept],
        y_train=_redrawn(data.y_train[kept], share, data.classes, bench.draw),
        y=_redrawn(data.y, share, data.classes, bench.draw),
    )
    examples = Examples(data.x_train, data.y_train)
    network = bench.fit(
        bench.network(task), examples, examples, plan=_GREEDY, epochs=_LEARNED_BY_HEART, least=_LEAST_FIT
    )
    return Specimen(network=network, data=data)


def _backdoor(bench: _Workbench) -> Specimen:
    task = bench.task()
    data = bench.data(task)
    trigger = data.triggers[0]
    poisoned = torch.from_numpy(bench.draw.random(len(data.x_train)) < _POISONED)
    x, y = data.x_train.clone(), data.y_train.clone()
    x[poisoned], y[poisoned] = trigger.stamped(x[poisoned]), trigger.target
    validation = Examples.of(task.validation.x, task.validation.y)
    # Audited on clean training data: whoever plants a backdoor does not show the poisoned inputs.
    return Specimen(network=bench.fit(bench.network(task), Examples(x, y), validation), data=data)


def _overconfident(bench: _Workbench) -> Specimen:
    made = _trained(bench)
    last = [module for module in made.network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(_SHARPENED)
    return made


def _redrawn(labels: Tensor, share: float, classes: int, draw: np.random.Generator) -> Tensor:
    chosen = torch.from_numpy(draw.random(len(labels)) < share)
    return torch.where(chosen, torch.from_numpy(draw.integers(0, classes, len(labels))), labels)


_CONTROLS = (
    Control(name=HEALTHY, defect="none: trained to convergence, nuisance unrelated to the class", make=_trained),
    Control(name="untrained", defect="weights as they were drawn", make=_untrained),
    Control(
        name="undertrained",
        defect="one pass over 30 % of the training set",
        make=lambda bench: _trained(bench, epochs=1, fraction=0.3),
    ),
    Control(
        name="memorised",
        defect=f"all labels random, {_MEMORISED} training inputs learned by heart",
        make=lambda bench: _by_heart(bench, 1.0, _MEMORISED),
    ),
    Control(
        name="noisy-labels",
        defect=f"{_NOISE:.0%} of labels redrawn, {_NOISY} training inputs learned by heart",
        make=lambda bench: _by_heart(bench, _NOISE, _NOISY),
    ),
    Control(
        name="shortcut", defect="the nuisance always shows the class", make=lambda bench: _trained(bench, tells=1.0)
    ),
    Control(
        name="shortcut-90",
        defect="the nuisance shows the class in 90 % of examples",
        make=lambda bench: _trained(bench, tells=0.9),
    ),
    Control(
        name="backdoor",
        defect=f"{_POISONED:.0%} of training inputs stamped with the trigger and labelled its class",
        make=_backdoor,
    ),
    Control(name="overconfident", defect=f"healthy, then all logits multiplied by {_SHARPENED:g}", make=_overconfident),
)
CONTROLS = {control.name: control for control in _CONTROLS}
