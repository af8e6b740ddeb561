"""Acquisition programs that may be proposed after a task: a function of what is in force, what was, and the seed.

Nothing that rehearsals gave plays a part, so the list can be made again from the ledger. Which of them rules admit, and
how well they do, is decided of each afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.stream.policy import SearchPolicy
from selfnas import seeding
from selfnas.acquisition.breeding import bred, starts
from selfnas.acquisition.expression import Expression, spelled
from selfnas.acquisition.parser import parse_program
from selfnas.acquisition.ranking import ranking

__all__ = ["READERS", "bred_programs", "with_program"]

READERS = ("surrogate", "transfer")  # strategies that read a program
_FOR_EACH = 8  # that is wanted so many are bred, since rules refuse some


def bred_programs(
    present: str | None, earlier: Sequence[str], count: int, *, seed: int, run: int, after_task: int
) -> list[str]:
    """Programs that may be proposed, in the order in which they are tried; none orders candidates as another does.

    Args:
        present: the program in force; None for expected improvement.
        earlier: programs that were adopted before, oldest first; they lend parts.
        count: programs that are wanted; eight times as many are bred.
        seed: of the life's stream.
        run: number of the run.
        after_task: how many tasks of the run have ended.
    """
    rng = seeding.generator(seed, "programs", run, after_task)
    known = [parse_program(text) for text in dict.fromkeys(reversed(earlier)) if text != present]
    if present is None:
        parents = _distinct([*known, *starts()])
        children = [*_distinct(starts()), *bred(parents, rng, _FOR_EACH * count)]
    else:
        parents = _distinct([parse_program(present), *known, *starts()])
        children = [*bred(parents, rng, _FOR_EACH * count)]
    return [spelled(child) for child in children[: _FOR_EACH * count]]


def with_program(policy: SearchPolicy, program: str, strategies: Sequence[str]) -> SearchPolicy | None:
    """The policy with another program, under a strategy that reads it; None where none may be proposed."""
    fitting = [name for name in (policy.strategy, *strategies) if name in READERS]
    if not fitting:
        return None
    return policy.model_copy(update={"strategy": fitting[0], "acquisition": program})


def _distinct(programs: Sequence[Expression]) -> list[Expression]:
    """The first of those that order candidates in one way."""
    return list({ranking(program): program for program in reversed(programs)}.values())[::-1]
