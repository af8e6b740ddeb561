"""A stream built in Python, and how it becomes a stream file.

It is written out with everything it is made of, and then lived like any other file. So a life begun from Python can be
resumed, verified and audited again by whoever has its home.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML

from agent.stream.fidelities import HalvingSection
from agent.stream.file import (
    BudgetSection,
    MacroSection,
    SupernetSection,
    TuningSection,
)
from agent.stream.file import Stream as StreamModel
from agent.stream.objective import ObjectiveSection
from agent.stream.policy import SearchPolicy
from agent.stream.training import CrossValidationSection, FidelitySection, TrainingSection
from selfnas.data.tasks import Task, TaskSpec
from selfnas.documents import check_model
from selfnas.errors import InputError, cause

if TYPE_CHECKING:
    from audits import Suite
    from constraints import ConstraintSet

__all__ = ["Stream"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """Which tasks one agent lives through, in which space, under which guard and budget.

    The fields are the keys of a stream file, and so are their defaults. Beside names and files they take values: a
    task of `Task.from_arrays`, a constraint set, an audit suite. Relative paths start at the current directory.

    Attributes:
        name: letters, digits, - and _.
        tasks: in the order to live them; of `Task.from_arrays`, or as a stream file states them.
        seed: of the run.
        space: name of the search space; None takes for each task the one that fits its inputs.
        constraints: a shipped set by name, a file, or a set of `parse_set` or `load_set`.
        audits: a shipped suite by name, a file, or a suite of `parse_suite` or `load_suite`.
        macro: how cells are stacked; what it leaves open follows the inputs of each task.
        budget: the ceiling for each task.
        low: how thoroughly candidates are trained.
        full: how thoroughly finalists are trained.
        training: of the optimiser.
        cross_validation: of candidates of small tasks; None takes the defaults.
        refit: whether finalists are trained once more, on training and validation data together.
        policy: how the agent searches.
        objective: costs beside accuracy; None where accuracy alone counts.
        supernet: for guided strategies.
        halving: takes the place of `low`.
        tuning: how the agent may change its policy; None leaves it as it is.
        operators: most composed operators in force; None composes none.
        inherit: `motif` where full training of what was recalled starts from the motif's weights.
        baselines: what each task's winner is compared with: the usual ones of its kind, none, or some by name.
        curve_stop: whether low trainings are given up whose curve cannot reach the best any more.
        taught_before: what is done with audit examples that an earlier task was taught; None tells them.
        run_by: who runs the life, where the audit suite leaves that person out of review.

    Raises:
        InputError: a field that a stream file could not have, or a task that is neither.
    """

    name: str
    tasks: Sequence[Task | TaskSpec]
    seed: int = 0
    space: str | None = None
    constraints: str | Path | ConstraintSet = "baseline"
    audits: str | Path | Suite = "baseline"
    macro: MacroSection = field(default_factory=MacroSection)
    budget: BudgetSection = field(default_factory=BudgetSection)
    low: FidelitySection = field(default_factory=lambda: FidelitySection(epochs=3))
    full: FidelitySection = field(default_factory=lambda: FidelitySection(epochs=15, patience=6))
    training: TrainingSection = field(default_factory=TrainingSection)
    cross_validation: CrossValidationSection | None = None
    refit: bool = True
    policy: SearchPolicy = field(default_factory=SearchPolicy)
    objective: ObjectiveSection | None = None
    supernet: SupernetSection | None = None
    halving: HalvingSection | None = None
    tuning: TuningSection | None = None
    operators: int | None = None
    inherit: Literal["motif"] | None = None
    curve_stop: bool = False
    baselines: Literal["auto", "none"] | Sequence[str] = "auto"
    taught_before: Literal["tell", "leave_out", "refuse"] | None = None
    run_by: str | None = None

    def __post_init__(self) -> None:
        self.model()

    def model(self) -> StreamModel:
        """As a stream file states it; what is given as a value is named by a file that `write` makes."""
        stated: dict[str, object] = {
            "stream": self.name,
            "format": 1,
            "seed": self.seed,
            "space": self.space,
            "operators": self.operators,
            "macro": self.macro,
            "constraints": _reference(self.constraints),
            "audits": _reference(self.audits),
            "budget": self.budget,
            "low": self.low,
            "full": self.full,
            "training": self.training,
            "cross_validation": self.cross_validation,
            "refit": None if self.refit else False,
            "inherit": self.inherit,
            "policy": self.policy,
            "objective": self.objective,
            "supernet": self.supernet,
            "halving": self.halving,
            "curve_stop": self.curve_stop or None,
            "baselines": _baselines(self.baselines),
            "taught_before": self.taught_before,
            "run_by": self.run_by,
            "tuning": self.tuning,
            "tasks": [_stated(task) for task in self.tasks],
        }
        return check_model({key: value for key, value in stated.items() if value is not None}, StreamModel)

    def write(self, folder: Path) -> Path:
        """Write the stream file and all that it is made of into a folder; returns the stream file.

        Arrays become `.npz` files, sets and suites `.yaml` files, each named by a digest of its content. Equal streams
        give equal files, so that equal seeds give equal events wherever the folder is.

        Raises:
            InputError: the folder cannot be made or written.
        """
        path = folder / f"{self.name}.yaml"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for own in (task.own for task in self.tasks if isinstance(task, Task)):
                if own is not None:
                    own.arrays.write(folder / str(own.spec.path))
            if not isinstance(self.constraints, str | Path):
                (folder / _reference(self.constraints)).write_text(self.constraints.text, encoding="utf-8")
            if not isinstance(self.audits, str | Path):
                _write_suite(self.audits, folder / _reference(self.audits))
            writer = YAML(typ="safe", pure=True)
            writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # it is typed by its default
            with path.open("w", encoding="utf-8") as file:
                writer.dump(self._stated(), file)
        except OSError as error:
            raise InputError(f"{folder}: a stream cannot be written here: {cause(error)}") from error
        return path

    def _stated(self) -> dict[str, Any]:
        """What the file says: keys that are not at their defaults, and a person's own files by absolute paths."""
        stated = self.model().model_dump(mode="json", exclude_defaults=True)
        for key, value in (("constraints", self.constraints), ("audits", self.audits)):
            if key in stated and isinstance(value, str | Path):
                stated[key] = _absolute(stated[key])
        for section, key in (("objective", "device"), ("tuning", "envelope")):
            if key in stated.get(section, {}):
                stated[section][key] = _absolute(stated[section][key])
        for task, one in zip(stated["tasks"], self.tasks, strict=True):
            if isinstance(one, TaskSpec) and one.path is not None:
                task["path"] = str(Path(one.path).absolute())
        return stated


def _write_suite(suite: Suite, path: Path) -> None:
    """A suite's file, and beside it the calibration that its gates need."""
    from audits.calibrating.proof import calibration_file, calibration_of, write_calibration

    path.write_text(suite.text, encoding="utf-8")
    calibration = calibration_of(suite)
    if calibration is not None:
        write_calibration(calibration, calibration_file(replace(suite, file=str(path))))


def _reference(value: str | Path | ConstraintSet | Suite) -> str:
    """How a stream names a set or a suite; a value by the file that it is written to."""
    if isinstance(value, str):
        return value
    return str(value.absolute()) if isinstance(value, Path) else f"{value.name}-{value.digest[:16]}.yaml"


def _baselines(wanted: str | Sequence[str]) -> str | list[str] | None:
    """As a stream file states them; nothing where they are the usual ones."""
    named = wanted if isinstance(wanted, str) else list(wanted)
    return None if named == "auto" else named


def _absolute(name: str) -> str:
    """A shipped name as it is; a file by its absolute path."""
    from agent.life.preparation import reference

    return reference(name, Path.cwd())


def _stated(task: Task | TaskSpec) -> TaskSpec:
    if isinstance(task, TaskSpec):
        return task
    if not isinstance(task, Task) or task.own is None:
        name = getattr(task, "name", task)
        raise InputError(f"task {name!r} cannot be written out: need one of Task.from_arrays, or a TaskSpec")
    return task.own.spec
