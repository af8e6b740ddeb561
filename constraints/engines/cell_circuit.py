"""One cell of a template as circuit pieces: which edges are present, live, of some operations; what is connected.

Everything the conditions on a cell are built from, each piece built once. Composed operators are written out: a slot
that may carry some has inner nodes of its own, and an edge of the written-out graph is there for some of its values.
"""

from __future__ import annotations

from collections.abc import Iterable

from constraints.engines.circuit import FALSE, TRUE, Circuit, NodeId
from constraints.language.syntax import EdgeFilter, End, Ops
from selfnas.spaces.composed import is_composed, written_out
from selfnas.spaces.template import CellTemplate

__all__ = ["CellCircuit"]

Slot = tuple[int, int]  # source, target


class CellCircuit:
    """Circuit pieces of one cell.

    Args:
        circuit: where nodes are added.
        template: the cell's template.
        first_slot: where its slots start in the whole vector.

    Attributes:
        nodes: of the written-out cell, in topological order; for plain cells those of the template.
        operations: that its edges may carry, none of them composed; the k-th has number k + 1.
        index: by edge of the written-out cell the slot that decides about it, ascending by target, then source.
        place: where the template's nodes are.
    """

    def __init__(self, circuit: Circuit, template: CellTemplate, first_slot: int) -> None:
        self.circuit, self.template = circuit, template
        self.operations = tuple(name for name in template.names if not is_composed(name))
        self.place, self.nodes = _places(template)
        self.index: dict[Slot, int] = {}
        self._carriers: dict[Slot, dict[int, set[int]]] = {}  # slot values that lay an operation there
        self._costed: dict[Slot, Slot] = {}
        found, inner = {}, _inner(template)
        for position, (source, target) in enumerate(template.slots):
            for value, name in enumerate(template.names, start=1):
                graph = written_out(name)
                first = self.place[target] - inner * (target - source)
                where = [self.place[source], *range(first, first + graph.nodes - 2), self.place[target]]
                for s, t, step in graph.edges:
                    edge = where[s], where[t]
                    found[edge] = first_slot + position
                    laid = self._carriers.setdefault(edge, {}).setdefault(self.operations.index(step) + 1, set())
                    laid.add(value)
                    self._costed[edge] = (source, target) if s == 0 else (template.inputs, template.nodes - 1)
        for edge in sorted(found, key=lambda edge: (edge[1], edge[0])):
            self.index[edge] = found[edge]
        self.inputs = frozenset(range(template.inputs))
        self.outputs = frozenset(self.place[node] for node in template.outputs)
        self._connects: dict[Slot, NodeId] = {}

    def values(self, ops: Ops) -> list[int]:
        """The numbers of a set of operations here."""
        return [value for value, name in enumerate(self.operations, start=1) if ops.names is None or name in ops.names]

    def carries(self, slot: Slot, ops: Ops) -> NodeId:
        """An edge is present with one of some operations."""
        return self.carries_value(slot, self.values(ops))

    def carries_value(self, slot: Slot, values: Iterable[int]) -> NodeId:
        """An edge is present with one of some operations, given by their numbers."""
        laid = self._carriers[slot]
        return self.circuit.literal(self.index[slot], {carrier for value in values for carrier in laid.get(value, ())})

    def exists(self, node: int) -> NodeId:
        """A node is in the cell: those of the template always, others where an operator brings them."""
        if node in self.place.values():
            return TRUE
        return self.circuit.disjunction(self.carries(slot, Ops()) for slot in self.into(node))

    def costed(self, slot: Slot) -> Slot:
        """An edge of the template on which an operation costs what it costs here: from an input, or from within."""
        return self._costed[slot]

    def into(self, node: int) -> list[Slot]:
        """The slots that may run into a node."""
        return [slot for slot in self.index if slot[1] == node]

    def out_of(self, node: int) -> list[Slot]:
        """The slots that may leave a node."""
        return [slot for slot in self.index if slot[0] == node]

    def ends(self, end: End) -> frozenset[int]:
        """The nodes that an end stands for."""
        if end.kind == "node":
            return frozenset({self.place.get(end.number, end.number)})
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
            for value, name in enumerate(self.operations, start=1):
                groups.setdefault(by_operation.get(name, 0), []).append(value)
            for weight, values in groups.items():
                if weight:
                    terms.append((self._both(self.carries_value(slot, values), self.live(slot)), weight))
        return terms

    def _both(self, left: NodeId, right: NodeId) -> NodeId:
        return self.circuit.conjunction((left, right))


def _inner(template: CellTemplate) -> int:
    """Inner nodes that the largest operator of a template brings."""
    return max((written_out(name).nodes - 2 for name in template.names), default=0)


def _places(template: CellTemplate) -> tuple[dict[int, int], int]:
    """Where each node of a template is in the written-out cell, and how many nodes that has."""
    inner, at = _inner(template), template.inputs
    place = {node: node for node in range(template.inputs)}
    for target in range(template.inputs, template.nodes):
        at += inner * target  # those of each edge into it
        place[target] = at
        at += 1
    return place, at
