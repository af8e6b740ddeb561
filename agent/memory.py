"""What the library suggests for a new task: winners of like tasks, best first, and nothing where nothing is alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from agent.policy import SearchPolicy
from agent.state import LifeState, Motif, TaskState
from selfnas.architecture import Architecture, Macro
from selfnas.probes import TaskDescription, distance
from selfnas.space import parse_architecture
from selfnas.strategies.transfer import PastTask

__all__ = ["Recollection", "past_tasks", "recall"]

_COMPARABLE = ("low", "rung0")  # scores of dearer rungs mean something else
_TASKS = 30  # the latest so many tasks are modelled, which bounds the cost of a proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """One remembered architecture, under the macro settings of the present run.

    Attributes:
        architecture: what to try.
        motif: where it comes from.
        likeness: of its task to the present one, in [0, 1]; 1 for the same task.
    """

    architecture: Architecture
    motif: Motif
    likeness: float


def recall(
    library: Sequence[Motif],
    description: TaskDescription,
    policy: SearchPolicy,
    *,
    task_digest: str,
    space: str,
    macro: Macro,
    reviewed_only: bool = False,
) -> tuple[Recollection, ...]:
    """At most `policy.recall` architectures of `space`, no two of one digest.

    Winners of this very task (equal `task_digest`) come first, all of them: nothing can be misjudged there. Then the
    most alike task gives its best, then the next task its best, and round again: a misjudged likeness then
    costs one evaluation rather than all of them.
    With `reviewed_only` what no person let in gives nothing. Tasks below `policy.recall_trust_percent` give nothing.
    """
    likeness: dict[str, float] = {}  # of a description; tasks are far fewer than motifs
    by_task: dict[str, list[Motif]] = {}
    for motif in library:
        if (reviewed_only and not motif.review) or motif.architecture.partition("/")[0] != space:
            continue
        text = motif.description
        if text not in likeness:
            likeness[text] = max(0.0, 1.0 - distance(description, TaskDescription.from_json(text)))
        if 100 * likeness[text] >= policy.recall_trust_percent:
            by_task.setdefault(motif.task_digest, []).append(motif)
    groups = [sorted(group, key=lambda motif: (-motif.validation, motif.seq)) for group in by_task.values()]
    groups.sort(key=lambda group: (-likeness[group[0].description], group[0].seq))
    known = sorted(by_task.get(task_digest, []), key=lambda motif: (-motif.validation, motif.seq))
    in_turn = (group[rank] for rank in range(max(map(len, groups), default=0)) for group in groups if rank < len(group))
    chosen: dict[str, Recollection] = {}
    for motif in chain(known, in_turn):
        if len(chosen) == policy.recall:
            break
        adapted = replace(parse_architecture(motif.architecture), macro=macro)
        found = Recollection(architecture=adapted, motif=motif, likeness=likeness[motif.description])
        chosen.setdefault(adapted.digest, found)
    return tuple(chosen.values())


def past_tasks(state: LifeState, *, before: TaskState | None, space: str, tabular: bool) -> tuple[PastTask, ...]:
    """What the latest tasks before `before` (or all there are) taught of `space`, oldest first.

    Every scored trial counts, admitted or not: a strategy learns from it and still proposes only what is admitted.
    Tables and trainings teach only their own kind, since their scores mean different things.
    """
    found: list[PastTask] = []
    for run in state.runs:
        for task in run.tasks:
            if task is before:
                return tuple(found[-_TASKS:])
            trials = tuple(
                trial
                for trial in task.trials
                if trial.architecture.space == space and not trial.failed and trial.fidelity in _COMPARABLE
            )
            if len(trials) > 1 and ("table" in task.started) == tabular:
                found.append(PastTask(name=f"{run.number}/{task.name}", trials=trials))
    return tuple(found[-_TASKS:])
