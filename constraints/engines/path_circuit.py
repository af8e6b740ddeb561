"""Quantifiers over paths as circuits: dynamic programming over what a partial path has gathered so far.

The condition on a path is read as a small automaton (a flag per `all`/`any`, a saturating number per measure); the
circuit says for each node and state whether some path arrives so. No path is ever listed.
"""

from __future__ import annotations

from collections.abc import Iterator

from constraints.engines.cell_circuit import CellCircuit
from constraints.engines.circuit import TRUE, NodeId
from constraints.language import syntax
from selfnas.errors import InputError

__all__ = ["every_path", "exists_path", "extreme"]

_MAX_STATES = 20_000  # (node, state) pairs of one rule; reached only by sums of many unlike numbers with huge limits

_State = tuple[int, ...]
_Atom = syntax.OnPath | syntax.MeasureComparison


def exists_path(cell: CellCircuit, paths: syntax.Paths, where: syntax.PathCondition) -> NodeId:
    """Some path satisfies `where`."""
    circuit = cell.circuit
    atoms = list(dict.fromkeys(_atoms(where)))
    avoided = frozenset().union(*(cell.ends(end) for end in paths.avoiding))
    starts, stops = cell.ends(paths.start) - avoided, cell.ends(paths.stop) - avoided
    arrivals: list[dict[_State, NodeId]] = []
    for node in range(cell.nodes):
        gathered: dict[_State, list[NodeId]] = {}
        if node in starts:
            gathered[tuple(map(_initial, atoms))] = [TRUE]
        for slot in cell.into(node) if node not in avoided else ():
            for state, arrives in arrivals[slot[0]].items():
                for following, values in _steps(cell, atoms, state).items():
                    step = circuit.conjunction((cell.carries_value(slot, values), arrives))
                    gathered.setdefault(following, []).append(step)
        arrivals.append({state: circuit.disjunction(steps) for state, steps in gathered.items()})
        if sum(map(len, arrivals)) > _MAX_STATES:
            raise InputError(
                f"a path condition has more than {_MAX_STATES:,} states: use smaller limits or coarser tables"
            )
    accepted = [
        arrives
        for node in sorted(stops)
        for state, arrives in arrivals[node].items()
        if _accepts(where, dict(zip(atoms, state, strict=True)))
    ]
    return circuit.disjunction(accepted)


def every_path(cell: CellCircuit, paths: syntax.Paths, where: syntax.PathCondition) -> NodeId:
    """Each path satisfies `where`."""
    return cell.circuit.negation(exists_path(cell, paths, syntax.PathNode("not", (where,))))


def extreme(cell: CellCircuit, rule: syntax.Extreme) -> NodeId:
    """The largest or smallest measure against a limit."""

    def some(comparison: syntax.Comparison) -> NodeId:
        beyond = syntax.MeasureComparison(rule.measure, comparison, rule.limit)
        return exists_path(cell, rule.paths, syntax.PathNode("and", (rule.where, beyond)))

    at_least, beyond, at_most, short = (">=", ">", "<=", "<") if rule.side == "max" else ("<=", "<", ">=", ">")
    circuit = cell.circuit
    if rule.comparison in (at_least, beyond):
        return some(rule.comparison)
    if rule.comparison in (at_most, short):
        return circuit.negation(some(beyond if rule.comparison == at_most else at_least))  # type: ignore[arg-type]
    equal = circuit.conjunction((some("=="), circuit.negation(some(beyond))))  # type: ignore[arg-type]
    return equal if rule.comparison == "==" else circuit.negation(equal)


def _atoms(where: syntax.PathCondition) -> Iterator[_Atom]:
    if isinstance(where, syntax.PathNode):
        for item in where.items:
            yield from _atoms(item)
    elif not isinstance(where, syntax.Constant):
        yield where


def _initial(atom: _Atom) -> int:
    if isinstance(atom, syntax.OnPath):
        return int(atom.quantifier == "all")
    return min(1 if atom.measure.kind == "product" else 0, _ceiling(atom))


def _ceiling(atom: syntax.MeasureComparison) -> int:
    """From here on every number compares alike."""
    return max(atom.limit, 0) + 1


def _steps(cell: CellCircuit, atoms: list[_Atom], state: _State) -> dict[_State, list[int]]:
    """The state after one more edge, with the slot values that lead there."""
    steps: dict[_State, list[int]] = {}
    for value, operation in enumerate(cell.operations, start=1):
        following = tuple(_step(atom, number, operation) for atom, number in zip(atoms, state, strict=True))
        steps.setdefault(following, []).append(value)
    return steps


def _step(atom: _Atom, number: int, operation: str) -> int:
    if isinstance(atom, syntax.OnPath):
        inside = atom.ops.names is None or operation in atom.ops.names
        return int(number and inside) if atom.quantifier == "all" else int(number or inside)
    measure = atom.measure
    if measure.kind == "length":
        number += 1
    elif measure.kind == "count":
        number += measure.ops.names is None or operation in measure.ops.names
    else:
        entry = dict(measure.table)[operation]
        number = number * entry if measure.kind == "product" else number + entry
    return min(number, _ceiling(atom))


def _accepts(where: syntax.PathCondition, state: dict[_Atom, int]) -> bool:
    if isinstance(where, syntax.Constant):
        return where.value
    if isinstance(where, syntax.PathNode):
        answers = [_accepts(item, state) for item in where.items]
        if where.operator == "not":
            return not answers[0]
        return all(answers) if where.operator == "and" else any(answers)
    if isinstance(where, syntax.OnPath):
        return bool(state[where])
    return syntax.compare(state[where], where.comparison, where.limit)
