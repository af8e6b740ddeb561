"""Sub-cells that an agent has mined from its winners: recorded, in force, revoked, re-checked.

After each task the whole list is mined again from the latest tasks of the space; it is an event where it differs from
the list known before. Search uses the list in force without what a person revoked. A recorded sub-cell that cannot be
read, or whose digest is not its own, is passed over: a damaged entry costs a building block and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from agent.gate.review import answered, only
from agent.ledger.events import Facts, MinedRecord, SubcellRevoked, SubcellsMined
from agent.memory.recall import past_tasks
from agent.state.state import LifeState, RunState, TaskState
from selfnas.errors import ArchitectureError, InputError
from selfnas.search.subcells import SubCell
from selfnas.spaces.named import base_name, space_named
from selfnas.strategies.mining import LEAST_SHARE, LEAST_TASKS, MinedSubCell, mine

__all__ = [
    "blocks_in_force",
    "check_mining",
    "due_mining",
    "find_sub_cell",
    "mined_in_force",
    "mining_entries",
    "revocation",
    "sentence",
]
_FIGURES = ("support", "winners", "trials", "gain", "low", "high")  # of a sub-cell, mined or recorded

_log = logging.getLogger(__name__)


def mining_entries(
    state: LifeState, run: RunState, task: TaskState, *, space: str, tabular: bool
) -> list[SubcellsMined]:
    """What mining after a task says: one list, or nothing where nothing is new."""
    found = [_record(one) for one in _mine(state, space=space, tabular=tabular)]
    known = state.mined.get((space, tabular))
    if found == (known.subcells if known else []):
        return []
    return [
        SubcellsMined(
            run=run.number,
            task=task.name,
            space=space,
            tabular=tabular,
            least_tasks=LEAST_TASKS,
            least_share=LEAST_SHARE,
            subcells=found,
        )
    ]


def due_mining(state: LifeState) -> list[SubcellsMined]:
    """The list that must follow the end of the latest task, if one must, by the same code that writes it."""
    run = state.runs[-1]
    task = run.tasks[len(run.tasks) - 1]
    space = base_name(run.started.record.space_of(task.started))
    return mining_entries(state, run, task, space=space, tabular=task.tabular)


def mined_in_force(
    state: LifeState, *, space: str, tabular: bool, latest: Sequence[Facts] = ()
) -> tuple[MinedSubCell, ...]:
    """The latest list of a space, without revoked and unreadable ones; `latest` may hold a newer one."""
    newer = [facts for facts in latest if isinstance(facts, SubcellsMined)]
    mined = newer[-1] if newer else state.mined.get((space, tabular))
    if mined is None:
        return ()
    found = []
    for record in mined.subcells:
        try:
            one = _read(record)
        except (ArchitectureError, LookupError, ValueError) as error:
            _log.warning("a mined sub-cell is passed over: %s", error)
            continue
        if one.sub_cell.digest not in state.revoked:
            found.append(one)
    return tuple(found)


def blocks_in_force(state: LifeState, *, space: str, tabular: bool) -> tuple[SubCell, ...]:
    """What evolution may build with."""
    return tuple(one.sub_cell for one in mined_in_force(state, space=space, tabular=tabular))


def find_sub_cell(state: LifeState, digest: str) -> tuple[MinedSubCell, bool] | None:
    """The mined sub-cell in force whose digest begins so, and whether it comes from tables; None where none does.

    Raises:
        InputError: several do.
    """
    found = {
        one.sub_cell.digest: (one, tabular)
        for space, tabular in state.mined
        for one in mined_in_force(state, space=space, tabular=tabular)
        if digest and one.sub_cell.digest.startswith(digest)
    }
    return only(found, "sub-cells", digest)


def revocation(state: LifeState, digest: str, *, author: str, reason: str) -> SubcellRevoked:
    """The event that takes a mined sub-cell out of use for good.

    Raises:
        InputError: no sub-cell in force, or several, with such a digest; or nobody or nothing to answer for it.
    """
    answers = answered(author, reason)
    found = find_sub_cell(state, digest)
    if found is None:
        raise InputError(f"no mined sub-cell in force has a digest that begins with {digest!r}")
    sub_cell = found[0].sub_cell
    return SubcellRevoked(digest=sub_cell.digest, space=sub_cell.space.name, text=sub_cell.text, **answers)


def check_mining(state: LifeState, mined: SubcellsMined, *, due: Sequence[SubcellsMined] = ()) -> Iterator[str]:
    """Problems of a list of sub-cells: it is mined again from the trials before it, by the same code.

    Args:
        due: the list that was to follow the task before, where that is known.
    """
    if due:
        if mined.subcells != due[0].subcells:
            yield "its sub-cells are not what the trials before it give"
        elif mined != due[0]:
            yield "it names another task, space or kind of task than it was mined after, or other limits"
    elif mined.subcells != [_record(one) for one in _mine(state, space=mined.space, tabular=mined.tabular)]:
        yield "its sub-cells are not what the trials before it give"


def sentence(one: MinedSubCell) -> str:
    """Support and gain in words."""
    return (
        f"in {one.support} of {one.winners} winners, of {len(one.tasks)} tasks; {one.trials} trials with it rank "
        f"{one.gain:+.1f} [{one.low:.1f}, {one.high:.1f}] percentile points against those without"
    )


def _mine(state: LifeState, *, space: str, tabular: bool) -> tuple[MinedSubCell, ...]:
    return mine(past_tasks(state, before=None, space=space, tabular=tabular), revoked=frozenset(state.revoked))


def _record(one: MinedSubCell) -> MinedRecord:
    return MinedRecord(
        digest=one.sub_cell.digest,
        space=one.sub_cell.space.name,
        template=one.sub_cell.template,
        text=one.sub_cell.text,
        tasks=list(one.tasks),
        **{name: getattr(one, name) for name in _FIGURES},
    )


def _read(record: MinedRecord) -> MinedSubCell:
    sub_cell = SubCell(space_named(record.space), record.template, record.text)
    if sub_cell.digest != record.digest:
        raise ArchitectureError(f"sub-cell {sub_cell.text!r} does not have the digest {record.digest!r}")
    figures = {name: getattr(record, name) for name in _FIGURES}
    return MinedSubCell(sub_cell=sub_cell, tasks=tuple(record.tasks), **figures)
