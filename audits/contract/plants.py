"""Nuisances and triggers that a suite adds to a task: known to the audits, not to the task, so not to the search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from audits.contract.data import AuditData, Trigger
from selfnas.data.tasks import Nuisance
from selfnas.data.transforms import NuisanceSpec
from selfnas.documents import StrictModel
from selfnas.errors import InputError, Problem, suggestion

__all__ = ["PlantSpec", "Plants", "unplanted", "with_plants"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plants:
    """What a suite adds to one task."""

    task: str  # the task's name
    nuisances: tuple[Nuisance, ...] = ()  # regions whose influence is tested
    triggers: tuple[Trigger, ...] = ()  # patches to fire at networks
    optional: bool = field(default=False, compare=False)  # whether a stream may lack that task
    where: Problem = field(default=Problem(""), compare=False)  # its place in the suite's file

    def meaning(self) -> dict[str, object]:
        """For the suite's digest."""
        return {
            "nuisances": sorted([each.name, [list(pair) for pair in each.region]] for each in self.nuisances),
            "triggers": sorted(
                [each.name, [list(pair) for pair in each.region], float(each.value), each.target]
                for each in self.triggers
            ),
        }


class TriggerSpec(NuisanceSpec):
    """A trigger as written in a suite."""

    value: Annotated[float, Field(allow_inf_nan=False)]
    target: Annotated[int, Field(ge=0)]

    def trigger(self) -> Trigger:
        """The value it stands for, not yet checked against an input."""
        return Trigger(name=self.name, region=self.nuisance().region, value=self.value, target=self.target)


class PlantSpec(StrictModel):
    """The plants of one task as written in a suite; `optional` ones may name a task that a stream does not have."""

    task: str
    optional: bool = False
    nuisances: list[NuisanceSpec] = Field(default_factory=list)
    triggers: list[TriggerSpec] = Field(default_factory=list)

    def plants(self, where: Problem) -> Plants:
        """The value it stands for, read from that place."""
        return Plants(
            where=where,
            optional=self.optional,
            task=self.task,
            nuisances=tuple(spec.nuisance() for spec in self.nuisances),
            triggers=tuple(spec.trigger() for spec in self.triggers),
        )


def unplanted(plants: Sequence[Plants], tasks: Collection[str]) -> tuple[Problem, ...]:
    """A problem for each plant whose task is none of these: misspelt, it would leave its gates nothing to test."""
    return tuple(
        replace(
            each.where,
            message=f"plants of task {each.task!r}, which the stream does not have"
            f"{suggestion(each.task, sorted(tasks))}; 'optional: true' says that streams may lack it",
        )
        for each in plants
        if each.task not in tasks and not each.optional
    )


def with_plants(data: AuditData, plants: Sequence[Plants]) -> AuditData:
    """The data with what is planted for its task.

    Raises:
        InputError: a region outside the input, a target that is no class, or a name that the data have already.
    """
    for each in plants:
        if data.task and each.task == data.task:
            try:
                data = replace(
                    data,
                    nuisances=(*data.nuisances, *each.nuisances),
                    triggers=(*data.triggers, *each.triggers),
                )
            except InputError as error:
                raise InputError([replace(each.where, message=f"plants of task {each.task!r}: {error}")]) from error
    return data
