"""Who was made from whom: recalled, trained again, or like an earlier trial of the task but for some edits.

The ledger says where a trial came from, but not which one a strategy changed. That is inferred here: the earlier trial
of the task with the fewest differing edges and settings, of equally near ones the best. Pages say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.desk.cells import difference
from agent.state.task import TaskState
from selfnas.search.history import Trial
from selfnas.spaces.macro import HEADS

__all__ = ["Origin", "ancestry", "origins"]

_FAR = 0.5  # share of edges beyond which two architectures have little to do with each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one trial came from.

    Attributes:
        number: of the trial in its task, from 1.
        parent: number of the earlier trial that it is likest; None where it came from elsewhere or is like none.
        said: how, in words.
        inferred: whether the ledger does not say so.
    """

    number: int
    parent: int | None
    said: str
    inferred: bool


def origins(task: TaskState) -> list[Origin]:
    """Of every trial of a task, in order."""
    trials = task.trials
    recalled = {one.digest: f"recalled from {one.from_task}, run {one.from_run}" for one in task.started.recalled}
    first: dict[str, int] = {}
    found = []
    near = list(_nearest(trials))
    for number, (evaluated, trial) in enumerate(zip(task.evaluations, trials, strict=True), 1):
        earlier = first.setdefault(evaluated.architecture, number)
        if earlier != number:
            found.append(_known(number, f"trained again, at fidelity {evaluated.fidelity}", parent=earlier))
        elif evaluated.origin == "recalled":
            found.append(_known(number, recalled.get(evaluated.digest, "recalled from an earlier task")))
        elif evaluated.origin == "published":
            found.append(_known(number, "a cell that others published"))
        elif evaluated.origin == "scored":
            found.append(_known(number, "among the best scores of an earlier task"))
        else:
            found.append(_searched(number, trials, trial, near[number - 1]))
    return found


def ancestry(task: TaskState, digest: str) -> list[str]:
    """How the latest trial of an architecture came about, from it back to where it began; a sentence for each step."""
    numbers = [number for number, one in enumerate(task.evaluations, 1) if one.digest == digest]
    every = origins(task)
    sentences: list[str] = []
    at = numbers[0] if numbers else None
    while at is not None:
        origin, score = every[at - 1], task.evaluations[at - 1].score
        sentences.append(f"trial {at}{'' if score is None else f', score {score:.3f}'}: {origin.said}")
        at = origin.parent
    return sentences


def _known(number: int, said: str, *, parent: int | None = None) -> Origin:
    return Origin(number=number, parent=parent, said=said, inferred=False)


def _searched(number: int, trials: Sequence[Trial], trial: Trial, near: tuple[int, int] | None) -> Origin:
    if near is None:
        return Origin(number=number, parent=None, said="the first that was drawn", inferred=False)
    parent, edits = near
    slots = len(trial.architecture.space.slots)
    if edits > _FAR * slots:
        said = f"drawn afresh: the likest, trial {parent}, differs in {edits} places"
        return Origin(number=number, parent=None, said=said, inferred=True)
    changes = "; ".join(difference(trials[parent - 1].architecture, trial.architecture)) or "spelled otherwise"
    return Origin(number=number, parent=parent, said=f"like trial {parent} but for {changes}", inferred=True)


def _nearest(trials: Sequence[Trial]) -> Iterator[tuple[int, int] | None]:
    """Of each the number of the likest earlier trial in the same space, and in how many places they differ."""
    known: dict[str, list[tuple[int, NDArray[np.int64], float]]] = {}  # by space: number, what it is made of, worth
    for number, trial in enumerate(trials, 1):
        earlier, row = known.setdefault(trial.architecture.space.name, []), _row(trial)
        if earlier:
            apart = (np.stack([one for _, one, _ in earlier]) != row).sum(axis=1)
            least = int(apart.min())
            nearest = max((earlier[at] for at in np.flatnonzero(apart == least)), key=lambda one: one[2])
            yield nearest[0], least
        else:
            yield None
        earlier.append((number, row, float("-inf") if trial.failed else trial.value))


def _row(trial: Trial) -> NDArray[np.int64]:
    """`(slots + settings,)` what two trials are compared by."""
    macro = trial.architecture.macro
    settings = (macro.channels, macro.depth, macro.resolution, list(HEADS).index(macro.head), macro.stem)
    return np.array([*np.frombuffer(trial.code, dtype=np.int8), *settings], dtype=np.int64)
