"""From rules to circuits: one node per rule that is true exactly where the rule passes.

The meaning of each construct is in `docs/reference/constraints.md`. The referee interprets the same syntax tree on its
own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from constraints.engines.cell_circuit import CellCircuit
from constraints.engines.circuit import FALSE, TRUE, Circuit, NodeId
from constraints.engines.network_circuit import field_at_least
from constraints.engines.path_circuit import every_path, exists_path, extreme
from constraints.language import syntax
from constraints.language.applicability import applies
from constraints.language.rules import Context, Rule
from constraints.language.syntax import Comparison, Condition, Linear
from selfnas.errors import InputError
from selfnas.networks.costs import Spot, cost_table, quantity_table
from selfnas.networks.stack import stack
from selfnas.spaces.architecture import Space

__all__ = ["Encoding", "encode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The rules of one set, encoded for one context: for each the root node that is true where the rule passes."""

    space: Space
    circuit: Circuit
    roots: tuple[NodeId | None, ...]  # None where the rule applies to nothing here


def encode(rules: Sequence[Rule], context: Context) -> Encoding:
    """Encode rules of scope cell and network.

    Raises:
        InputError: a rule is too large to encode, by its id.
    """
    space = context.space
    circuit = Circuit([len(t.operations) + 1 for t in space.templates for _ in t.slots])
    firsts = [0, *itertools.accumulate(len(template.slots) for template in space.templates)]
    cells = [CellCircuit(circuit, template, first) for template, first in zip(space.templates, firsts, strict=False)]
    roots = []
    known: dict[tuple[object, ...], NodeId | None] = {}  # two sets that are compared share most rules
    for rule in rules:
        meaning = (rule.scope, rule.when, rule.forbids, rule.condition)
        try:
            if meaning not in known:
                known[meaning] = _root(rule, context, cells)
            roots.append(known[meaning])
        except InputError as error:
            raise InputError(f"rule {rule.id!r} cannot be encoded for {context.space}: {error}") from error
    return Encoding(space=context.space, circuit=circuit, roots=tuple(roots))


def _root(rule: Rule, context: Context, cells: Sequence[CellCircuit]) -> NodeId | None:
    circuit = cells[0].circuit
    if rule.scope == "network":
        if not applies(rule.when, context.network_facts()):
            return None
        judged = [_network(rule.condition, context, cells)]
    else:
        here = [cell for cell in cells if applies(rule.when, context.facts(cell.template.name))]
        if not here:
            return None
        judged = [_cell(rule.condition, cell) for cell in here]
    return circuit.conjunction([circuit.negation(node) for node in judged] if rule.forbids else judged)


def _network(condition: Condition, context: Context, cells: Sequence[CellCircuit]) -> NodeId:
    circuit = cells[0].circuit
    if isinstance(condition, syntax.Constant):
        return TRUE if condition.value else FALSE
    if isinstance(condition, syntax.Node):
        return _connective(circuit, condition.operator, [_network(item, context, cells) for item in condition.items])
    if isinstance(condition, Linear):
        return _sum(circuit, condition, [_network_terms(quantity, context, cells) for _, quantity in condition.terms])
    if not isinstance(condition, syntax.Extreme):
        raise AssertionError(f"{condition!r} is not a condition on a network")
    plan = stack(context.space, context.macro, context.shape)

    def at_most(pixels: int) -> NodeId:
        return circuit.negation(field_at_least(cells, plan, pixels + 1))

    return _held(circuit, at_most, condition.comparison, condition.limit)


def _network_terms(
    quantity: syntax.Quantity, context: Context, cells: Sequence[CellCircuit]
) -> tuple[list[tuple[NodeId, int]], int]:
    """A quantity over all cells of the network as terms and a constant."""
    if isinstance(quantity, syntax.PluginCost):
        amounts = quantity_table(quantity.quantity, context.space, context.macro, context.shape)
        return _weighed(amounts, cells), 0
    if not isinstance(quantity, syntax.Cost):
        return [term for cell in cells for term in _cell_terms(quantity, cell)], 0
    table = cost_table(context.space, context.macro, context.shape)
    terms = _weighed({spot: int(getattr(costs, quantity.name)) for spot, costs in table.slots.items()}, cells)
    return terms, int(getattr(table.fixed, quantity.name))


def _weighed(amounts: Mapping[Spot, int], cells: Sequence[CellCircuit]) -> list[tuple[NodeId, int]]:
    """What live edges amount to, as terms."""
    terms = []
    for index, cell in enumerate(cells):
        weights = {
            slot: {name: amounts[index, *cell.costed(slot), name] for name in cell.operations} for slot in cell.index
        }
        terms += cell.weighted(weights)
    return terms


def _cell(condition: Condition, cell: CellCircuit) -> NodeId:
    circuit = cell.circuit
    if isinstance(condition, syntax.Constant):
        return TRUE if condition.value else FALSE
    if isinstance(condition, syntax.Node):
        return _connective(circuit, condition.operator, [_cell(item, cell) for item in condition.items])
    if isinstance(condition, syntax.ExistsPath):
        return exists_path(cell, condition.paths, condition.where)
    if isinstance(condition, syntax.EveryPath):
        return every_path(cell, condition.paths, condition.where)
    if isinstance(condition, syntax.Extreme):
        return extreme(cell, condition)
    if isinstance(condition, syntax.Dominates):
        around = syntax.Paths(syntax.End("input"), condition.end, (condition.node,))
        return circuit.negation(exists_path(cell, around, syntax.Constant(True)))
    if isinstance(condition, Linear):
        return _sum(circuit, condition, [(_cell_terms(quantity, cell), 0) for _, quantity in condition.terms])
    if isinstance(condition, syntax.FanExtreme):
        return _fan_extreme(condition, cell)
    if isinstance(condition, syntax.Chain):
        return _chain(condition, cell)
    if isinstance(condition, syntax.EveryEdge):
        counterexamples = [
            circuit.conjunction(
                (cell.matches(slot, condition.edges), circuit.negation(cell.matches(slot, condition.claim)))
            )
            for slot in cell.index
        ]
        return circuit.negation(circuit.disjunction(counterexamples))
    if not isinstance(condition, syntax.Motif):
        raise TypeError(f"{type(condition).__name__} is not a condition on a cell")
    return _motif(condition, cell)


def _cell_terms(quantity: syntax.Quantity, cell: CellCircuit) -> list[tuple[NodeId, int]]:
    if isinstance(quantity, syntax.Count):
        return [(cell.matches(slot, quantity.edges), 1) for slot in cell.index]
    if isinstance(quantity, syntax.Total):
        return cell.weighted({slot: dict(quantity.table) for slot in cell.index})
    if isinstance(quantity, syntax.Fan):
        node = quantity.node
        slots = [slot for slot in cell.index if slot[1 if quantity.direction == "fan_in" else 0] in cell.ends(node)]
        return [(cell.carries(slot, syntax.Ops()), 1) for slot in slots]
    raise AssertionError(f"{quantity!r} is not a quantity of a cell")


def _connective(circuit: Circuit, operator: str, items: list[NodeId]) -> NodeId:
    if operator == "not":
        return circuit.negation(items[0])
    return circuit.conjunction(items) if operator == "and" else circuit.disjunction(items)


def _sum(circuit: Circuit, rule: Linear, parts: Sequence[tuple[list[tuple[NodeId, int]], int]]) -> NodeId:
    terms = [
        (node, factor * weight) for (factor, _), (own, _) in zip(rule.terms, parts, strict=True) for node, weight in own
    ]
    limit = rule.limit - sum(factor * constant for (factor, _), (_, constant) in zip(rule.terms, parts, strict=True))
    return _compared(circuit, terms, rule.comparison, limit)


def _compared(circuit: Circuit, terms: list[tuple[NodeId, int]], comparison: Comparison, limit: int) -> NodeId:
    return _held(circuit, lambda bound: circuit.at_most(terms, bound), comparison, limit)


def _held(circuit: Circuit, at_most: Callable[[int], NodeId], comparison: Comparison, limit: int) -> NodeId:
    """A whole number against a limit, by whether it is at most some bound."""
    if comparison in ("<=", "<"):
        return at_most(limit - (comparison == "<"))
    if comparison in (">=", ">"):
        return circuit.negation(at_most(limit - (comparison == ">=")))
    equal = circuit.conjunction((at_most(limit), circuit.negation(at_most(limit - 1))))
    return equal if comparison == "==" else circuit.negation(equal)


def _fan_extreme(rule: syntax.FanExtreme, cell: CellCircuit) -> NodeId:
    circuit = cell.circuit
    incoming = rule.direction == "fan_in"
    nodes = range(len(cell.inputs), cell.nodes) if incoming else range(cell.nodes - 1)
    around = cell.into if incoming else cell.out_of
    fans = [(cell.exists(node), [(cell.carries(slot, syntax.Ops()), 1) for slot in around(node)]) for node in nodes]

    def any_node(comparison: Comparison) -> NodeId:
        return circuit.disjunction(
            circuit.conjunction((there, _compared(circuit, fan, comparison, rule.limit))) for there, fan in fans
        )

    def each_node(comparison: Comparison) -> NodeId:
        return circuit.conjunction(
            circuit.disjunction((circuit.negation(there), _compared(circuit, fan, comparison, rule.limit)))
            for there, fan in fans
        )

    if rule.comparison in ("==", "!="):
        bound: Comparison = "<=" if rule.side == "max" else ">="
        equal = circuit.conjunction((any_node("=="), each_node(bound)))
        return equal if rule.comparison == "==" else circuit.negation(equal)
    reaching = rule.comparison in ((">=", ">") if rule.side == "max" else ("<=", "<"))
    return any_node(rule.comparison) if reaching else each_node(rule.comparison)


def _chain(rule: syntax.Chain, cell: CellCircuit) -> NodeId:
    """`ending[slot]`: the edge at a slot ends a match of the links so far."""
    circuit = cell.circuit
    ending = {slot: cell.matches(slot, rule.edges[0]) for slot in cell.index}
    for link, edges in zip(rule.links, rule.edges[1:], strict=True):
        following = {}
        for slot in cell.index:
            before = [
                circuit.conjunction((matched, cell.connects(earlier[1], slot[0])))
                for earlier, matched in ending.items()
                if earlier[1] == slot[0] or link == "before"
            ]
            following[slot] = circuit.conjunction((cell.matches(slot, edges), circuit.disjunction(before)))
        ending = following
    return circuit.disjunction(ending.values())


def _motif(rule: syntax.Motif, cell: CellCircuit) -> NodeId:
    circuit = cell.circuit
    kinds = {"input": cell.inputs, "output": cell.outputs}
    placements: list[dict[str, int]] = [{}]
    for edge in rule.edges:  # one arrow after another: written-out cells have too many nodes to try all orders
        placements = [
            {**known, **new}
            for known in placements
            for slot in cell.index
            for new in (dict(zip(edge[:2], slot, strict=True)),)
            if len(new) == 2
            and all(known.get(name, node) == node and node in kinds.get(name, (node,)) for name, node in new.items())
            and len({**known, **new}) == len(set({**known, **new}.values()))
        ]
    return circuit.disjunction(
        circuit.conjunction(cell.carries((place[source], place[target]), ops) for source, target, ops in rule.edges)
        for place in placements
    )
