"""One cell of a template as circuit pieces: which edges are present, live, of some operations; what is connected.

Everything the conditions on a cell are built from, each piece built once.
"""

from __future__ import annotations

from collections.abc import Iterable

from constraints.circuit import FALSE, TRUE, Circuit, NodeId
from constraints.syntax import EdgeFilter, End, Ops
from selfnas.space import CellTemplate

__all__ = ["CellCircuit"]

Slot = tuple[int, int]  # source, target


class CellCircuit:
    """Circuit pieces of one cell.

    Args:
        circuit: where nodes are added.
        template: the cell's template.
        first_slot: where its slots start in the whole vector.
    """

    def __init__(self, circuit: Circuit, template: CellTemplate, first_slot: int) -> None:
        self.circuit, self.template = circuit, template
        self.index = {slot: first_slot + position for position, slot in enumerate(template.slots)}
        self.inputs = frozenset(range(template.inputs))
        self.outputs = frozenset(template.outputs)
        self._connects: dict[Slot, NodeId] = {}

    def values(self, ops: Ops) -> list[int]:
        """The slot values that stand for a set of operations here."""
        return [
            value
            for value, name in enumerate(self.template.operations, start=1)
            if ops.names is None or name in ops.names
        ]

    def carries(self, slot: Slot, ops: Ops) -> NodeId:
        """An edge is present with one of some operations."""
        return self.circuit.literal(self.index[slot], self.values(ops))

    def carries_value(self, slot: Slot, values: Iterable[int]) -> NodeId:
        """An edge has one of some slot values."""
        return self.circuit.literal(self.index[slot], values)

    def into(self, node: int) -> list[Slot]:
        """The slots that may run into a node."""
        return [slot for slot in self.index if slot[1] == node]

    def out_of(self, node: int) -> list[Slot]:
        """The slots that may leave a node."""
        return [slot for slot in self.index if slot[0] == node]

    def ends(self, end: End) -> frozenset[int]:
        """The nodes that an end stands for."""
        if end.kind == "node":
            return frozenset({end.number})
        return self.inputs if end.kind == "input" else self.outputs

    def connects(self, start: int, stop: int) -> NodeId:
        """Some path over present edges leads from one node to another; every node reaches itself."""
        if start >= stop:
            return TRUE if start == stop else FALSE
        if (start, stop) not in self._connects:
            steps = [self._both(self.carries(slot, Ops()), self.connects(start, slot[0])) for slot in self.into(stop)]
            self._connects[start, stop] = self.circuit.disjunction(steps)
        return self._connects[start, stop]

    def live(self, slot: Slot) -> NodeId:
        """The edge's place lies between what an input reaches and what reaches an output, present or not."""
        reached = self.circuit.disjunction(self.connects(start, slot[0]) for start in sorted(self.inputs))
        useful = self.circuit.disjunction(self.connects(slot[1], stop) for stop in sorted(self.outputs))
        return self._both(reached, useful)

    def matches(self, slot: Slot, edges: EdgeFilter) -> NodeId:
        """The edge is present and passes a filter."""
        if edges.source is not None and slot[0] not in self.ends(edges.source):
            return FALSE
        if edges.target is not None and slot[1] not in self.ends(edges.target):
            return FALSE
        present = self.carries(slot, edges.ops)
        if edges.live is None:
            return present
        live = self.live(slot)
        return self._both(present, live if edges.live else self.circuit.negation(live))

    def weighted(self, weights: dict[Slot, dict[str, int]]) -> list[tuple[NodeId, int]]:
        """Terms of a sum over live edges of a weight by slot and operation."""
        terms = []
        for slot, by_operation in weights.items():
            groups: dict[int, list[int]] = {}
            for value, name in enumerate(self.template.operations, start=1):
                groups.setdefault(by_operation.get(name, 0), []).append(value)
            for weight, values in groups.items():
                if weight:
                    terms.append((self._both(self.carries_value(slot, values), self.live(slot)), weight))
        return terms

    def _both(self, left: NodeId, right: NodeId) -> NodeId:
        return self.circuit.conjunction((left, right))
