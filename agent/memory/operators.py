"""Operators that an agent composes of its mined sub-cells: proposed, judged, in force, revoked, re-checked.

After a task at most one sub-cell in force that leads from one node to one other becomes an operator: an edge of later
tasks' cells may then carry it (`selfnas/spaces/composed.py`). Before that the operator itself passes the gate like any
cell: the cell that is this operator alone, from input to output, is judged by Z3 and the referee on what it is written
out. Under another constraint set it is out of force until it is judged again. Whatever cell carries it is judged
anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import constraints  # whose names load the engines on first use
from agent.gate.admission import decide
from agent.gate.review import answered, only
from agent.ledger import events
from agent.state.state import LifeState, RunState, TaskState
from selfnas.search.subcells import SubCell
from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
from selfnas.spaces.cell import Cell, Edge
from selfnas.spaces.named import composed_space, space_named
from selfnas.strategies.mining import MinedSubCell

if TYPE_CHECKING:
    from constraints import ConstraintSet

__all__ = [
    "alone",
    "composing_entries",
    "find_operator",
    "next_operator",
    "operator_digest",
    "operator_of",
    "operator_revocation",
    "operators_in_force",
    "space_in_force",
]

_DECIDED: dict[str, type[events.OperatorDecided]] = {
    one.verdict: one for one in (events.OperatorAdmitted, events.OperatorRefused, events.OperatorUndecided)
}


def operator_digest(space: str, operator: str) -> str:
    """SHA-256 over space and spelling, in hexadecimal."""
    return hashlib.sha256(f"{space}\x1f{operator}".encode()).hexdigest()


def operator_of(sub_cell: SubCell) -> str | None:
    """The operator that a sub-cell is between its one source and its one target; None where it has several.

    A chain with a `skip` is left out too: it is a shorter operator, or an operation that is there already.

    Example:
        >>> operator_of(SubCell(space_named("nb201"), 0, "a-conv1x1>out in0-conv3x3>a"))
        'conv3x3>conv1x1'
    """
    edges = sub_cell.edges
    into, out_of = {target for _, _, target in edges}, {source for source, _, _ in edges}
    starts, stops = sorted(out_of - into), sorted(into - out_of)
    if len(starts) != 1 or len(stops) != 1:
        return None
    by_ends = {(s, t): name for s, name, t in edges}
    beside = by_ends.pop((starts[0], stops[0]), None)
    steps, here = [], starts[0]
    while here != stops[0]:
        onward = [(t, name) for (s, t), name in by_ends.items() if s == here]
        if len(onward) != 1:
            return None
        here, name = onward[0]
        steps.append(name)
    if sub_cell.space.identities.intersection(steps):
        return None
    return ">".join(steps) + (f"&{beside}" if beside else "")


def alone(space: Space, operator: str, macro: Macro) -> Architecture:
    """The cell that is one operator from its first input to its last output."""
    cells = tuple(
        Cell(
            inputs=template.inputs,
            nodes=template.nodes,
            outputs=template.outputs,
            edges=(Edge(target=template.outputs[-1], source=0, operation=operator),),
        )
        for template in space.templates
    )
    return Architecture(space=space, cells=cells, macro=macro)


def operators_in_force(state: LifeState, *, space: str, set_digest: str) -> tuple[str, ...]:
    """Admitted under the set in force and not revoked, in order of admission."""
    return tuple(
        one.operator
        for one in state.operators
        if isinstance(one, events.OperatorAdmitted)
        and (one.space, one.constraint_set_digest) == (space, set_digest)
        and one.digest not in state.revoked
        and one.sub_cell not in state.revoked
    )


def space_in_force(state: LifeState, *, space: str, most: int, set_digest: str) -> Space:
    """The space that the next task of trained networks is searched in."""
    return composed_space(space_named(space), operators_in_force(state, space=space, set_digest=set_digest)[:most])


def composing_entries(
    state: LifeState,
    run: RunState,
    task: TaskState,
    mined: Sequence[MinedSubCell],
    set_: ConstraintSet,
    *,
    space: str,
    macro: Macro,
    shape: TaskShape,
    most: int,
    previous: str,
) -> list[events.OperatorDecided]:
    """What composing after a task says: at most one decision about an operator.

    Args:
        mined: the sub-cells in force after the task, the surest gain first.
        most: how many may be in force.
        previous: hash of an earlier event.
    """
    found = next_operator(state, mined, space=space, set_digest=set_.digest, most=most)
    if found is None:
        return []
    operator, sub_cell = found
    here = composed_space(space_named(space), (operator,))
    cell = alone(here, operator, macro)
    judged = decide(constraints.Guard(set_, space=here, macro=macro, shape=shape), cell, previous=previous)
    broken = judged if isinstance(judged, events.Rejected | events.Quarantined) else None
    return [
        _DECIDED[judged.verdict](
            run=run.number,
            task=task.name,
            space=space,
            operator=operator,
            digest=operator_digest(space, operator),
            sub_cell=sub_cell.digest,
            constraint_set_digest=set_.digest,
            architecture=judged.architecture,
            certificate=judged.certificate,
            failed=broken.failed if broken else [],
            messages=broken.messages if broken else [],
        )
    ]


def find_operator(state: LifeState, digest: str) -> events.OperatorAdmitted | None:
    """The admitted, unrevoked operator whose digest begins so; None where none does.

    Raises:
        InputError: several do.
    """
    found = {
        one.digest: one
        for one in state.operators
        if digest
        and isinstance(one, events.OperatorAdmitted)
        and one.digest.startswith(digest)
        and one.digest not in state.revoked
    }
    return only(found, "operators", digest)


def operator_revocation(state: LifeState, digest: str, *, author: str, reason: str) -> events.OperatorRevoked | None:
    """The event that takes an operator out of use for good; None where no operator has such a digest.

    Raises:
        InputError: several have; or nobody or nothing to answer for it.
    """
    found = find_operator(state, digest)
    if found is None:
        return None
    answers = answered(author, reason)
    return events.OperatorRevoked(digest=found.digest, space=found.space, operator=found.operator, **answers)


def next_operator(
    state: LifeState, mined: Sequence[MinedSubCell], *, space: str, set_digest: str, most: int
) -> tuple[str, SubCell] | None:
    """The first operator that mining gives, that this set has not judged yet and nobody revoked."""
    if len(operators_in_force(state, space=space, set_digest=set_digest)) >= most:
        return None
    judged = {one.operator for one in state.operators if (one.space, one.constraint_set_digest) == (space, set_digest)}
    for one in mined:
        operator = operator_of(one.sub_cell)
        if operator and operator not in judged and operator_digest(space, operator) not in state.revoked:
            return operator, one.sub_cell
    return None
