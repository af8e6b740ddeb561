"""What the library suggests for a new task: winners of like tasks, best first, and nothing where nothing is alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, starmap
from typing import TypeVar

import numpy as np

from agent.state.library import Library, Motif
from agent.state.state import LifeState, TaskState
from agent.stream.policy import SearchPolicy
from selfnas.data.probes import TaskDescription, distance
from selfnas.search.history import Trial
from selfnas.spaces.architecture import Architecture, Macro, Space
from selfnas.spaces.named import adapted, base_name, parse_architecture, respelled, space_named
from selfnas.spaces.stacked import Choices, stacked
from selfnas.strategies.transfer import PastTask, agreed

__all__ = ["Recollection", "order_by_expected_score", "past_tasks", "recall"]

_COMPARABLE = ("low", "rung0")  # scores of higher rungs, and of a fidelity that was raised, mean something else
_TASKS = 30  # the latest so many tasks are modelled, which bounds the cost of a proposal

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """One remembered architecture, under the macro settings of the present run.

    Attributes:
        likeness: of its task to the present one, in [0, 1]; 1 for the same task.
    """

    architecture: Architecture
    motif: Motif
    likeness: float


def recall(
    library: Library,
    description: TaskDescription,
    policy: SearchPolicy,
    *,
    task_digest: str,
    space: str,
    macro: Macro,
    choices: Choices | None = None,
    approved: Callable[[Motif], bool] | None = None,
    first: Motif | None = None,
) -> tuple[Recollection, ...]:
    """At most `policy.recall` architectures that `space` can spell, no two of one digest, and before them `first`.

    Winners of this very task (equal `task_digest`) come first, all of them: nothing can be misjudged there. Then the
    most alike task gives its best, then the next task its best, and round again: a misjudged likeness then
    costs one evaluation rather than all of them.
    What is recalled is stacked as `macro` says, unless the way in which it won is one of the `choices`.
    With `approved` what it does not hold of gives nothing. Tasks below `policy.recall_trust_percent` give nothing.
    """
    trust, usable = policy.recall_trust_percent, approved or (lambda motif: True)

    def best_of(likeness: float, task: int) -> Iterator[tuple[float, Motif]]:
        return ((likeness, motif) for motif in library.of_task(task) if usable(motif))

    here, base = space_named(space), base_name(space)
    known = starmap(best_of, library.alike(base, description, percent=trust, digest=task_digest))
    alike = starmap(best_of, library.alike(base, description, percent=trust))
    chosen: dict[str, Recollection] = {}
    if first is not None and usable(first):
        like = _likeness(description, first.description)
        again = _restacked(first.architecture, here, macro, choices)
        if again is not None:
            chosen[again.digest] = Recollection(architecture=again, motif=first, likeness=like)
    most = policy.recall + len(chosen)
    spelled: set[str] = set()  # most of a long life's motifs are one architecture again and again
    for likeness, motif in chain(chain.from_iterable(known), _in_turn(alike)):
        if len(chosen) >= most:
            break
        if motif.architecture not in spelled:
            spelled.add(motif.architecture)
            again = _restacked(motif.architecture, here, macro, choices)
            if again is not None and again.digest not in chosen:
                library.confirm(motif)
                chosen[again.digest] = Recollection(architecture=again, motif=motif, likeness=likeness)
    return tuple(chosen.values())


def _restacked(text: str, space: Space, macro: Macro, choices: Choices | None) -> Architecture | None:
    kept = parse_architecture(text).macro
    return adapted(text, space, kept if choices is not None and kept in choices else macro)


def order_by_expected_score(
    recalled: Sequence[Recollection], past: Sequence[PastTask], *, task_digest: str, first: Motif | None = None
) -> tuple[Recollection, ...]:
    """The same, with winners of other tasks in the order of what all past tasks expect of them.

    `first` and winners of this very task stay ahead. A winner that one task was lucky with waits for one that many
    tasks think well of.
    """
    ahead = [one for one in recalled if one.motif is first or one.motif.task_digest == task_digest]
    others = [one for one in recalled if one not in ahead]
    if not past or not others:
        return tuple(recalled)
    vectors = np.stack([past[0].space.encode(one.architecture) for one in others])
    return (*ahead, *(others[index] for index in np.argsort(-agreed(past, vectors), kind="stable")))


def _in_turn(rankings: Iterable[Iterator[Item]]) -> Iterator[Item]:
    """The first of each, then the second of each, and so on; no more of them are begun than asked for."""
    left: list[Iterator[Item]] | None = None
    while left is None or rankings:
        left = []
        for ranking in rankings:
            for item in islice(ranking, 1):
                yield item
                left.append(ranking)
        rankings = left


def past_tasks(
    state: LifeState,
    *,
    before: TaskState | None,
    space: str,
    tabular: bool,
    description: TaskDescription | None = None,
    choices: Choices | None = None,
) -> tuple[PastTask, ...]:
    """What the latest tasks before `before` (or all there are) taught of `space`, oldest first.

    With a `description` each has its likeness to the task described; tables are not described.

    Every scored trial counts that `space` can spell, admitted or not: a strategy learns from it and still proposes
    only what is admitted. With `choices` of macro settings only what is stacked in one of those ways does, and models
    see the way.
    Tables and trainings teach only their own kind, since their scores mean different things.
    """
    here = space_named(space)
    searched = None if choices is None or len(choices) == 1 else stacked(here, choices)
    found: list[PastTask] = []
    for run, task in state.latest(tabular=tabular):
        if before is not None and (run.number, task.index) >= (len(state.runs), before.index):
            continue
        if (run.number, task.name) in state.continued:
            continue  # what it taught is among the trials of the run that went on with it
        if not task.is_readable:
            continue
        usable = (trial for trial in task.trials if not trial.failed and trial.fidelity in _COMPARABLE)
        trials = tuple(spelled for trial in usable if (spelled := _spelled(trial, here)) is not None)
        if searched is not None:
            trials = tuple(trial for trial in trials if searched.spells(trial.architecture))
        if len(trials) > 1:
            like = 1.0 if description is None or tabular else _likeness(description, task.description)
            found.append(PastTask(name=f"{run.number}/{task.name}", trials=trials, likeness=like, spelled=searched))
        if len(found) == _TASKS:
            break
    return tuple(reversed(found))


def _likeness(here: TaskDescription, there: str) -> float:
    """Of two tasks, in [0, 1]; the other is described by a JSON text."""
    return max(0.0, 1.0 - distance(here, TaskDescription.from_json(there)))


def _spelled(trial: Trial, space: Space) -> Trial | None:
    """The trial with its architecture spelled in a space; None where that cannot be."""
    if trial.architecture.space == space:
        return trial
    same = respelled(trial.architecture, space)
    return None if same is None else replace(trial, architecture=same)
