"""Boolean circuits over slot vectors: the one form that the NumPy, Z3 and diagram engines read.

Kinds of node: a constant, a slot taking one of some values, not, and, or, and a weighted sum of nodes held to a bound.
Nodes are hash-consed (equal ones are one), simplified as they are built, and numbered so that arguments come first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from selfnas.errors import InputError

__all__ = ["FALSE", "TRUE", "AtMost", "Choice", "Circuit", "Gate", "NodeId"]

NodeId: TypeAlias = int
FALSE: NodeId = 0
TRUE: NodeId = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Slot `slot` takes one of `values` (neither none nor all of those it may take)."""

    slot: int
    values: frozenset[int]


@dataclass(frozen=True, slots=True)
class Gate:
    """A connective over nodes, sorted, without repetition; `not` has one."""

    operator: Literal["not", "and", "or"]
    items: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class AtMost:
    """The weights of the true items add up to at most `bound`; all weights are positive, so is the slack."""

    items: tuple[NodeId, ...]
    weights: tuple[int, ...]
    bound: int

    @property
    def wide(self) -> bool:
        """Whether Z3's pseudo-Boolean atoms cannot hold it: they take 32 bits, and of wider numbers only a part."""
        return sum(self.weights) >= 2**31


Definition: TypeAlias = bool | Choice | Gate | AtMost


class Circuit:
    """A growing arena of nodes; `widths` says how many values each slot may take, none (0) included."""

    def __init__(self, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)
        self.nodes: list[Definition] = [False, True]
        self._known: dict[Definition, NodeId] = {}

    def literal(self, slot: int, values: Iterable[int]) -> NodeId:
        """Whether a slot takes one of some values."""
        chosen = frozenset(values) & frozenset(range(self.widths[slot]))
        if len(chosen) in (0, self.widths[slot]):
            return TRUE if chosen else FALSE
        return self._add(Choice(slot, chosen))

    def negation(self, item: NodeId) -> NodeId:
        """Not the item."""
        if item in (FALSE, TRUE):
            return TRUE - item
        node = self.nodes[item]
        if isinstance(node, Choice):
            return self.literal(node.slot, frozenset(range(self.widths[node.slot])) - node.values)
        if isinstance(node, Gate) and node.operator == "not":
            return node.items[0]
        return self._add(Gate("not", (item,)))

    def conjunction(self, items: Iterable[NodeId]) -> NodeId:
        """All of the items; true of none."""
        return self._connective("and", items)

    def disjunction(self, items: Iterable[NodeId]) -> NodeId:
        """Any of the items; false of none."""
        return self._connective("or", items)

    def at_most(self, terms: Iterable[tuple[NodeId, int]], bound: int) -> NodeId:
        """Whether the weights of the true terms add up to at most `bound`; weights may be negative.

        Raises:
            InputError: the sum may exceed 64 bits.
        """
        total: dict[NodeId, int] = {}
        for item, weight in terms:
            if item == TRUE:
                bound -= weight
            elif item != FALSE:
                total[item] = total.get(item, 0) + weight
        positive: dict[NodeId, int] = {}
        for item, weight in total.items():
            if weight < 0:  # w·x = w + |w|·(not x)
                bound -= weight
                item, weight = self.negation(item), -weight
            if weight:
                positive[item] = positive.get(item, 0) + weight
        if bound < 0:
            return FALSE
        if sum(positive.values()) <= bound:
            return TRUE
        divisor = math.gcd(*positive.values())
        items = tuple(sorted(positive))
        weights = tuple(positive[item] // divisor for item in items)
        if sum(weights) >= 2**63:
            raise InputError(f"a sum reaches {sum(weights):,}, which is more than 64 bits hold: use smaller numbers")
        return self._add(AtMost(items, weights, bound // divisor))

    def reachable(self, roots: Iterable[NodeId]) -> list[NodeId]:
        """Every node that the roots depend on, arguments first."""
        needed: set[NodeId] = set()
        waiting = list(roots)
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                definition = self.nodes[node]
                if isinstance(definition, (Gate, AtMost)):
                    waiting.extend(definition.items)
        return sorted(needed)

    def _connective(self, operator: Literal["and", "or"], items: Iterable[NodeId]) -> NodeId:
        neutral, absorbing = (TRUE, FALSE) if operator == "and" else (FALSE, TRUE)
        slots: dict[int, frozenset[int]] = {}
        others: set[NodeId] = set()
        for item in self._flattened(operator, items):
            node = self.nodes[item]
            if item == absorbing:
                return absorbing
            if isinstance(node, Choice):
                before = slots.get(node.slot, node.values)
                slots[node.slot] = before & node.values if operator == "and" else before | node.values
            elif item != neutral:
                others.add(item)
        for slot, values in slots.items():
            merged = self.literal(slot, values)
            if merged == absorbing:
                return absorbing
            if merged != neutral:
                others.add(merged)
        negated = (self.nodes[item] for item in others)
        if any(isinstance(n, Gate) and n.operator == "not" and n.items[0] in others for n in negated):
            return absorbing
        if len(others) <= 1:
            return others.pop() if others else neutral
        return self._add(Gate(operator, tuple(sorted(others))))

    def _flattened(self, operator: str, items: Iterable[NodeId]) -> Iterable[NodeId]:
        for item in items:
            node = self.nodes[item]
            if isinstance(node, Gate) and node.operator == operator:
                yield from node.items
            else:
                yield item

    def _add(self, definition: Definition) -> NodeId:
        known = self._known.get(definition)
        if known is None:
            known = self._known[definition] = len(self.nodes)
            self.nodes.append(definition)
        return known
