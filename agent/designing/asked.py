"""What a specification asks for, once its constraint set and the data of its task are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.designing.spec import DesignSpec, read_spec
from constraints import ConstraintSet, load_set
from constraints.language.examples import format_shape
from selfnas import plugins
from selfnas.data.tasks import Task, TaskSpec, load_task
from selfnas.documents import Document, Place
from selfnas.errors import InputError, Problem
from selfnas.networks.defaults import default_macro, default_space
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import space_named
from selfnas.spaces.operation import kinds_of_input

__all__ = ["Asked", "read_asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A specification with nothing left open that its data decide.

    Attributes:
        spec: with space, ways to stack cells and shape stated.
        text: of its file.
        set_: the constraint set that holds besides.
        task: whose relative paths start at the folder of the file; None where nothing is to be searched.
    """

    spec: DesignSpec
    text: str
    set_: ConstraintSet
    task: TaskSpec | None


def read_asked(path: Path) -> Asked:
    """A specification with all that it names.

    Raises:
        InputError: the file is no specification, its set is none, its data cannot be read, or they do not fit what is
            asked.
    """
    document = read_spec(path)
    spec = document.value
    own = spec.constraints.endswith((".yaml", ".yml"))
    set_ = load_set(path.parent / spec.constraints if own else spec.constraints)
    if spec.task is None:
        return Asked(spec=spec, text=document.text, set_=set_, task=None)
    task = _placed(spec.task, path.parent.absolute())
    with plugins.in_force(*set_.plugins):
        loaded = load_task(task, base=Path(), report=lambda place, message: document.problem(("task", *place), message))
        return Asked(spec=_stated(document, loaded, set_), text=document.text, set_=set_, task=task)


def _placed(task: TaskSpec, base: Path) -> TaskSpec:
    """With absolute paths, so that the life that searches may lie anywhere."""
    update = {key: str(base / value) for key in ("path", "labels") if (value := getattr(task, key)) is not None}
    return task.model_copy(update=update)


def _stated(document: Document[DesignSpec], task: Task, set_: ConstraintSet) -> DesignSpec:
    """What the specification leaves open, by the data; what does not fit them is refused."""
    spec, problems = document.value, list[Problem]()

    def wrong(place: Place, message: str) -> None:
        problems.append(document.problem(place, message))

    if spec.shape is not None and spec.task_shape != task.shape:
        wrong(("shape",), f"the data of task {task.name!r} have shape {format_shape(task.shape)}")
    if "accuracy" in spec.targets and not task.target.counted:
        wrong(("targets", "accuracy"), f"accuracy is of classes, and the task is {task.target.kind}")
    space = spec.space or _space(task.shape, set_)
    if not space:
        kinds = kinds_of_input([task.shape.dimensions])
        wrong(("constraints",), f"none of the spaces that set {set_.name!r} is for fits {kinds}")
    elif task.shape.dimensions not in (fits := space_named(space).dimensions):
        wrong(("space",), f"space {space} is for {kinds_of_input(fits)}, and task {task.name!r} has another shape")
    if problems:
        raise InputError(problems)
    macro = spec.macro or str(default_macro(task.shape))
    return spec.model_copy(update={"space": space, "macro": macro, "shape": format_shape(task.shape)})


def _space(shape: TaskShape, set_: ConstraintSet) -> str:
    found = default_space(shape.dimensions, set_.spaces)
    return "" if found is None else found.name
