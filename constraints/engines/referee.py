"""The referee: rules judged by interpreting their syntax tree on a networkx graph, path by path.

It shares no code with the other engines beyond the parsed rules, the cost tables and the stack's plan, needs neither Z3
nor `dd`, and prefers the obvious to the fast: it is what the others are checked against.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

import networkx as nx

from constraints.engines.graph_view import GraphView, Path
from constraints.language import syntax
from constraints.language.applicability import When, WhenNode, WhenNumber, WhenText
from constraints.language.rules import Context, Rule
from selfnas.networks.costs import Spot, cost_table, quantity_table
from selfnas.networks.stack import stack
from selfnas.spaces.architecture import Architecture

__all__ = ["VERSION", "Referee", "judge_policy"]

VERSION = "1"  # of the interpretation; certificates name it

_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


class Referee:
    """Judges architectures of one context by rules of scope cell and network."""

    def __init__(self, rules: Sequence[Rule], context: Context) -> None:
        self.rules, self.context = tuple(rules), context
        self.templates = context.space.templates
        self.operations = context.space.operations
        self.table = cost_table(context.space, context.macro, context.shape)
        self.plan = stack(context.space, context.macro, context.shape)
        network_facts = context.network_facts()
        self.applicable = [
            [index for index, t in enumerate(self.templates) if _holds(rule.when, {**network_facts, "cell": t.name})]
            if rule.scope == "cell"
            else [0] * _holds(rule.when, network_facts)
            for rule in self.rules
        ]

    def verdicts(self, architecture: Architecture) -> list[bool | None]:
        """Per rule whether it passes; None where it applies to nothing here."""
        views = [GraphView(cell) for cell in architecture.cells]
        return [
            self._passes(rule, cells, views) if cells else None
            for rule, cells in zip(self.rules, self.applicable, strict=True)
        ]

    def _passes(self, rule: Rule, cells: Sequence[int], views: Sequence[GraphView]) -> bool:
        if rule.scope == "cell":
            return all(_cell(rule.condition, views[index]) != rule.forbids for index in cells)
        return self._network(rule.condition, views) != rule.forbids

    def _network(self, condition: syntax.Condition, views: Sequence[GraphView]) -> bool:
        if isinstance(condition, syntax.Constant):
            return condition.value
        if isinstance(condition, syntax.Node):
            return _connected(condition, (self._network(item, views) for item in condition.items))
        if isinstance(condition, syntax.Linear):
            total = sum(weight * self._quantity(quantity, views) for weight, quantity in condition.terms)
            return _COMPARE[condition.comparison](total, condition.limit)
        assert isinstance(condition, syntax.Extreme)  # noqa: S101 - the reader admits nothing else at this scope
        field = self._field(views)
        if field is None:
            return condition.comparison in ("<=", "<", "!=")
        return _COMPARE[condition.comparison](field, condition.limit)

    def _quantity(self, quantity: syntax.Quantity, views: Sequence[GraphView]) -> int:
        if isinstance(quantity, syntax.PluginCost):
            amounts = self._amounts(quantity)
            return sum(
                amounts[index, edge.source, edge.target, edge.operation]
                for index, view in enumerate(views)
                for edge in view.live_edges
            )
        if not isinstance(quantity, syntax.Cost):
            return sum(_cell_quantity(quantity, view) for view in views)
        total = int(getattr(self.table.fixed, quantity.name))
        for index, view in enumerate(views):
            for edge in view.live_edges:
                spent = self.table.slots[index, edge.source, edge.target, edge.operation]
                total += int(getattr(spent, quantity.name))
        return total

    def _amounts(self, quantity: syntax.PluginCost) -> Mapping[Spot, int]:
        return quantity_table(quantity.quantity, self.context.space, self.context.macro, self.context.shape)

    def _field(self, views: Sequence[GraphView]) -> int | None:
        """The receptive field in pixels of the task's input; None when no path runs through the network."""
        seen: dict[int, int | None] = {-1: 1 + (self.plan.stem_kernel - 1)}
        pitch = {-1: self.plan.stem_stride}  # pixels between neighbouring positions of a block's output
        through: dict[tuple[int, int], dict[int, int]] = {}
        for index, block in enumerate(self.plan.blocks):
            step = pitch[block.inputs[0]] * block.strides[0]
            pitch[index] = step * block.stride
            if block.template is None:
                before = seen[block.inputs[0]]
                seen[index] = None if before is None else before + step * 2 + step * block.stride * 2
                continue
            key = (block.template, block.stride)
            if key not in through:
                through[key] = self._through(views[block.template], *key)
            best: int | None = None
            for port, reached in through[key].items():
                before = seen[block.inputs[port]]
                if before is not None:
                    far = before + step * reached
                    best = far if best is None or far > best else best
            seen[index] = best
        return seen[len(self.plan.blocks) - 1]

    def _through(self, view: GraphView, template: int, stride: int) -> dict[int, int]:
        """By input, how far the farthest path to an output looks, in steps of the cell's own input."""
        reaches: dict[int, int] = {}
        for path in view.between(range(self.templates[template].inputs), self.templates[template].outputs):
            if path.operations:
                # Only the first edge leaves an input, so only it works before the block's stride.
                first, *others = (self.operations[name] for name in path.operations)
                reached = first.reach(stride=stride) + stride * sum(other.reach() for other in others)
                reaches[path.nodes[0]] = max(reached, reaches.get(path.nodes[0], 0))
        return reaches


def judge_policy(rules: Sequence[Rule], old: Mapping[str, int | str], new: Mapping[str, int | str]) -> list[bool]:
    """Per rule of scope policy whether a change passes; what it says of programs must have been answered.

    Raises:
        KeyError: a rule names a field that the policies do not have.
    """
    sides = {"old": old, "new": new}

    def holds(condition: syntax.Condition) -> bool:
        if isinstance(condition, syntax.Constant):
            return condition.value
        if isinstance(condition, syntax.Node):
            return _connected(condition, map(holds, condition.items))
        assert isinstance(condition, syntax.Linear)  # noqa: S101 - the reader admits nothing else at this scope
        total = 0
        for weight, quantity in condition.terms:
            assert isinstance(quantity, syntax.PolicyField)  # noqa: S101
            total += weight * int(sides[quantity.side][quantity.name])
        return _COMPARE[condition.comparison](total, condition.limit)

    return [holds(rule.condition) != rule.forbids for rule in rules]


def _connected(node: syntax.Node | syntax.PathNode, answers: Iterator[bool] | map[bool]) -> bool:
    if node.operator == "not":
        return not next(iter(answers))
    return all(answers) if node.operator == "and" else any(answers)


def _holds(when: When | None, facts: Mapping[str, str | int]) -> bool:
    if when is None:
        return True
    if isinstance(when, WhenNode):
        answers = [_holds(item, facts) for item in when.items]
        return {"not": not answers[0], "and": all(answers), "or": any(answers)}[when.operator]
    value = facts[when.fact]
    if isinstance(when, WhenText):
        return value not in when.names if when.negated else value in when.names
    assert isinstance(when, WhenNumber)  # noqa: S101
    return _COMPARE[when.comparison](int(value), when.limit)


def _cell(condition: syntax.Condition, view: GraphView) -> bool:
    match condition:
        case syntax.Constant():
            return condition.value
        case syntax.Node():
            return _connected(condition, (_cell(item, view) for item in condition.items))
        case syntax.ExistsPath():
            return any(_on_path(condition.where, path) for path in _paths(condition.paths, view))
        case syntax.EveryPath():
            return all(_on_path(condition.where, path) for path in _paths(condition.paths, view))
        case syntax.Extreme():
            paths = (path for path in _paths(condition.paths, view) if _on_path(condition.where, path))
            return _beyond(condition, [_measure(condition.measure, path) for path in paths])
        case syntax.FanExtreme():
            incoming = condition.direction == "fan_in"
            nodes = [n for n in view.graph.nodes if (n not in view.inputs if incoming else n != view.last)]
            return _beyond(condition, [_fan(condition.direction, node, view) for node in nodes])
        case syntax.Chain():
            return _chain(condition, view)
        case syntax.EveryEdge():
            meant = [edge for edge in view.graph.edges if _matches(condition.edges, view, *edge)]
            return all(_matches(condition.claim, view, *edge) for edge in meant)
        case syntax.Motif():
            return _motif(condition, view)
        case syntax.Dominates():
            around = view.between(view.inputs, view.ends(condition.end))
            return all(condition.node.number in path.nodes for path in around)
        case syntax.Linear():
            total = sum(weight * _cell_quantity(quantity, view) for weight, quantity in condition.terms)
            return _COMPARE[condition.comparison](total, condition.limit)
        case _:
            raise TypeError(f"{type(condition).__name__} is not a condition on a cell")


def _beyond(condition: syntax.Extreme | syntax.FanExtreme, values: Sequence[int]) -> bool:
    """A comparison with an extreme; none at all counts as minus infinity for a maximum, plus infinity for a minimum."""
    largest = condition.side == "max"
    if not values:
        return condition.comparison in (("<=", "<", "!=") if largest else (">=", ">", "!="))
    return _COMPARE[condition.comparison](max(values) if largest else min(values), condition.limit)


def _paths(paths: syntax.Paths, view: GraphView) -> Iterator[Path]:
    avoided = {end.number for end in paths.avoiding}
    for path in view.between(view.ends(paths.start), view.ends(paths.stop)):
        if avoided.isdisjoint(path.nodes):
            yield path


def _on_path(where: syntax.PathCondition, path: Path) -> bool:
    if isinstance(where, syntax.Constant):
        return where.value
    if isinstance(where, syntax.PathNode):
        return _connected(where, (_on_path(item, path) for item in where.items))
    if isinstance(where, syntax.OnPath):
        names = where.ops.names
        inside = [names is None or operation in names for operation in path.operations]
        return all(inside) if where.quantifier == "all" else any(inside)
    assert isinstance(where, syntax.MeasureComparison)  # noqa: S101
    return _COMPARE[where.comparison](_measure(where.measure, path), where.limit)


def _measure(measure: syntax.Measure, path: Path) -> int:
    if measure.kind == "length":
        return len(path.operations)
    if measure.kind == "count":
        return sum(measure.ops.names is None or operation in measure.ops.names for operation in path.operations)
    entries = dict(measure.table)
    if measure.kind == "sum":
        return sum(entries[operation] for operation in path.operations)
    product = 1
    for operation in path.operations:
        product *= entries[operation]
    return product


def _matches(edges: syntax.EdgeFilter, view: GraphView, source: int, target: int) -> bool:
    if edges.ops.names is not None and view.operation(source, target) not in edges.ops.names:
        return False
    if edges.source is not None and source not in view.ends(edges.source):
        return False
    if edges.target is not None and target not in view.ends(edges.target):
        return False
    return edges.live is None or ((source, target) in view.live) == edges.live


def _chain(condition: syntax.Chain, view: GraphView) -> bool:
    def continues(position: int, node: int) -> bool:
        """The edges from `position` on can follow an edge that ended at `node`."""
        if position == len(condition.edges):
            return True
        starts = {node} if condition.links[position - 1] == "then" else {node} | nx.descendants(view.graph, node)
        return any(
            _matches(condition.edges[position], view, start, target) and continues(position + 1, target)
            for start in starts
            for target in view.graph.successors(start)
        )

    return any(
        _matches(condition.edges[0], view, source, target) and continues(1, target)
        for source, target in view.graph.edges
    )


def _motif(condition: syntax.Motif, view: GraphView) -> bool:
    """Arrows are laid on present edges one after another; each variable keeps its node, no two share one."""
    kinds = {"input": view.inputs, "output": view.outputs}

    def lay(position: int, placed: dict[str, int]) -> bool:
        if position == len(condition.edges):
            return True
        source_name, target_name, ops = condition.edges[position]
        for source, target in view.graph.edges:
            if ops.names is not None and view.operation(source, target) not in ops.names:
                continue
            after = dict(placed)
            if all(
                after.setdefault(name, node) == node and (name not in kinds or node in kinds[name])
                for name, node in ((source_name, source), (target_name, target))
            ):
                distinct = len(set(after.values())) == len(after)
                if distinct and lay(position + 1, after):
                    return True
        return False

    return lay(0, {})


def _fan(direction: str, node: int, view: GraphView) -> int:
    return int(view.graph.in_degree(node) if direction == "fan_in" else view.graph.out_degree(node))


def _cell_quantity(quantity: syntax.Quantity, view: GraphView) -> int:
    if isinstance(quantity, syntax.Count):
        return sum(_matches(quantity.edges, view, source, target) for source, target in view.graph.edges)
    if isinstance(quantity, syntax.Total):
        entries = dict(quantity.table)
        return sum(entries[view.operation(source, target)] for source, target in view.live)
    assert isinstance(quantity, syntax.Fan)  # noqa: S101 - costs and policy fields have scopes of their own
    return sum(_fan(quantity.direction, node, view) for node in view.ends(quantity.node))
