"""Where a control is made: a task, small networks for it, and training that is the same each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

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

__all__ = ["EPOCHS", "Control", "ControlError", "Specimen", "Workbench", "mark_region"]

# Cells of the space nb201, one by turns, so that no finding hangs on one architecture.
_CELLS = (
    "|conv3x3~0|+|conv1x1~0|skip~1|+|skip~0|none~1|conv3x3~2|",
    "|conv3x3~0|+|none~0|conv3x3~1|+|skip~0|none~1|skip~2|",
    "|conv1x1~0|+|conv3x3~0|avg3~1|+|conv3x3~0|skip~1|conv1x1~2|",
)
_MACRO = Macro(channels=8, depth=1, resolution=16)
EPOCHS = 12  # healthy networks have converged on all three packaged tasks
_STEPS = 200  # optimiser steps at least, which small data make more epochs of


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
    make: Callable[[Workbench], Specimen]
    unused: bool = False  # whether no threshold was chosen on it, and no audit was made for it


def mark_region(size: tuple[int, ...]) -> Region:
    """Where the nuisance is planted: a corner, large enough to hold a pattern for each of ten classes."""
    if len(size) == 1:
        return ((0, max(5, size[0] // 8)),)
    return tuple((0, max(2, round(side / 7))) for side in size)


class Workbench:
    """Everything a control is made from; all draws follow from the seed and the control's name.

    Args:
        control: its name.
        spec: of the task.
        seed: of everything that is drawn.
        base: the directory that a relative path in the spec starts from.
        named: whether a nuisance is planted and a trigger registered, as audits about named things need them.
        kept: a directory of trained weights; what it holds is not trained again.
    """

    def __init__(
        self, control: str, spec: TaskSpec, seed: int, base: Path, *, named: bool = True, kept: Path | None = None
    ) -> None:
        self.control, self.spec, self.seed, self.base, self.named, self.kept = control, spec, seed, base, named, kept
        self.draw = seeding.generator(seed, "controls", control, spec.name)

    def task(self, *, tells: float = 0.0) -> Task:
        """The task with the nuisance planted; in a share `tells` of all its examples the region shows the class."""
        if not self.named and not tells:
            return load_task(self.spec.model_copy(update={"split_seed": self.seed}), base=self.base)
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
        """Of the task, with the trigger registered; with nothing named where nothing is to be."""
        if not self.named:
            return replace(AuditData.of(task), nuisances=(), task=self.spec.name)
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
        epochs: int = EPOCHS,
        fraction: float = 1.0,
        least: float = 0.0,
    ) -> nn.Module:
        """The network, trained in place; `least` is the training accuracy it must reach."""
        file = self.kept and self.kept / f"{self.control}-{self.spec.name}-{self.seed}-{self.named}.safetensors"
        if file and file.exists():
            network.load_state_dict(load_file(file))
            return network
        fidelity = Fidelity(name="control", epochs=epochs, steps=_STEPS if epochs >= EPOCHS else 0, fraction=fraction)
        seed = seeding.derive(self.seed, "controls", self.control, "training")
        result = train(network, training, validation, plan or TrainingPlan(), fidelity, seed=seed)
        if result.failure:
            raise ControlError(f"{self}: training failed: {result.failure}")
        reached = accuracy(network, training) if least else 1.0
        if reached < least:
            raise ControlError(f"{self}: reached a training accuracy of {reached:.2f}, need {least:.2f}")
        if file:
            save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)
        return network

    def __str__(self) -> str:
        return f"control {self.control!r} on task {self.spec.name!r}, seed {self.seed}"
