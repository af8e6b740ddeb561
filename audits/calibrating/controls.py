"""Networks that are known to be bad, and healthy ones beside them: what the audits are tested on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from audits.calibrating.defects import NAMELESS
from audits.calibrating.matrix import HEALTHY
from audits.calibrating.spread import SPREAD
from audits.calibrating.workbench import EPOCHS, Control, ControlError, Specimen, Workbench, mark_region
from selfnas.data.tasks import TaskSpec
from selfnas.training.training import Examples, TrainingPlan

__all__ = ["CONTROLS", "Control", "ControlError", "Specimen", "make_specimen", "mark_region"]

_MEMORISED, _NOISY = 200, 300  # training inputs; few enough to be learned by heart
_LEARNED_BY_HEART = 40  # epochs
_NOISE = 0.4  # share of labels replaced
_POISONED = 0.15  # share of training inputs that carry the trigger
_SHARPENED = 8.0  # factor on the logits of the overconfident control
_LEAST_FIT = 0.8  # training accuracy below which a control did not take on its defect
_GREEDY = TrainingPlan(batch_size=32, weight_decay=0.0, label_smoothing=0.0)


def make_specimen(
    control: Control, spec: TaskSpec, *, seed: int, base: Path, named: bool = True, kept: Path | None = None
) -> Specimen:
    """Train one network of that kind on a task.

    In every specimen a region is named a nuisance and shows a class pattern, which is unrelated to the label unless the
    control is about it; a trigger is registered, which nothing knows unless the control is about it. So each audit has
    to tell its own defect from all others.

    Args:
        seed: of the split, the weights, the order of training and the pattern; equal seeds give equal specimens.
        base: the directory that a relative path in the spec starts from.
        named: whether a region is named and a trigger registered at all.
        kept: a directory of trained weights; what it holds is not trained again.

    Raises:
        ControlError: it cannot be made on this task.
        InputError: the task cannot be loaded.
    """
    return control.make(Workbench(control.name, spec, seed, base, named=named, kept=kept))


def _trained(bench: Workbench, *, tells: float = 0.0, epochs: int = EPOCHS, fraction: float = 1.0) -> Specimen:
    task = bench.task(tells=tells)
    training, validation = (Examples.of(part.x, part.y) for part in (task.train, task.validation))
    network = bench.fit(bench.network(task), training, validation, epochs=epochs, fraction=fraction)
    return Specimen(network=network, data=bench.data(task))


def _untrained(bench: Workbench) -> Specimen:
    task = bench.task()
    return Specimen(network=bench.network(task).eval(), data=bench.data(task))


def _by_heart(bench: Workbench, share: float, count: int) -> Specimen:
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


def _backdoor(bench: Workbench) -> Specimen:
    task = bench.task()
    data = bench.data(task)
    trigger = data.triggers[0]
    poisoned = torch.from_numpy(bench.draw.random(len(data.x_train)) < _POISONED)
    x, y = data.x_train.clone(), data.y_train.clone()
    x[poisoned], y[poisoned] = trigger.stamped(x[poisoned]), trigger.target
    validation = Examples.of(task.validation.x, task.validation.y)
    # Audited on clean training data: whoever plants a backdoor does not show the poisoned inputs.
    return Specimen(network=bench.fit(bench.network(task), Examples(x, y), validation), data=data)


def _overconfident(bench: Workbench) -> Specimen:
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
    *NAMELESS,
    *SPREAD,
)
CONTROLS = {control.name: control for control in _CONTROLS}
