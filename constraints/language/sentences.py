"""Rules as sentences: what a condition says, in words that need no knowledge of the language."""

from __future__ import annotations

from constraints.language import syntax
from constraints.language.syntax import Condition, EdgeFilter, End, Measure, Ops, PathCondition
from selfnas.acquisition.expression import UNIT

__all__ = ["number", "say"]

_COMPARED = {
    "<=": "at most",
    "<": "less than",
    ">=": "at least",
    ">": "more than",
    "==": "exactly",
    "!=": "anything but",
}
_COSTS = {
    "params": "the number of parameters",
    "macs": "the number of multiply-accumulates",
    "activation_bytes": "the memory of activations in bytes",
}


def say(condition: Condition) -> str:
    """One sentence, without its full stop.

    Example:
        >>> say(syntax.Dominates(End("node", 2), End("output")))
        'every path from an input to an output runs through node 2'
    """
    if isinstance(condition, syntax.Constant):
        return "this always holds" if condition.value else "this never holds"
    if isinstance(condition, syntax.Node):
        items = [say(item) for item in condition.items]
        if condition.operator == "not":
            return f"it is not so that {items[0]}"
        return f", {condition.operator} ".join(items)
    if isinstance(condition, syntax.ExistsPath):
        return f"some {_paths(condition.paths)}{_where(condition.where)} exists"
    if isinstance(condition, syntax.EveryPath):
        return f"on every {_paths(condition.paths)}, {_on_path(condition.where)}"
    if isinstance(condition, syntax.Extreme):
        which = "largest" if condition.side == "max" else "smallest"
        of = f"over each {_paths(condition.paths)}{_where(condition.where)}"
        amount = f"{_COMPARED[condition.comparison]} {number(condition.limit, condition.measure.scale)}"
        if condition.measure.kind == "receptive_field":
            return f"the receptive field of the whole network is {amount} pixels of its input"
        return f"the {which} {_measure(condition.measure)} {of} is {amount}"
    if isinstance(condition, syntax.FanExtreme):
        which = "largest" if condition.side == "max" else "smallest"
        return f"the {which} {_fan(condition.direction)} a node is {_COMPARED[condition.comparison]} {condition.limit}"
    if isinstance(condition, syntax.Chain):
        return _chain(condition)
    if isinstance(condition, syntax.EveryEdge):
        return f"every {_edge(condition.edges)} is {_claim(condition.claim)}"
    if isinstance(condition, syntax.Motif):
        arrows = "; ".join(f"{source} to {target} with {_ops(ops)}" for source, target, ops in condition.edges)
        return f"distinct nodes are joined so: {arrows}"
    if isinstance(condition, syntax.Trend):
        return f"the acquisition never {'falls' if condition.rises else 'rises'} as {condition.atom} rises"
    if isinstance(condition, syntax.Band):
        low, high = (number(bound, UNIT) for bound in (condition.low, condition.high))
        return f"the acquisition stays between {low} and {high}"
    if isinstance(condition, syntax.Near):
        return f"the acquisition differs by at most {number(condition.most, UNIT)} from the one in force"
    if isinstance(condition, syntax.Dominates):
        return f"every path from an input to {_end(condition.end)} runs through {_end(condition.node)}"
    return _linear(condition)


def _end(end: End) -> str:
    return f"node {end.number}" if end.kind == "node" else f"an {end.kind}"


def _ops(ops: Ops) -> str:
    if ops.names is None:
        return "any operation"
    return " or ".join(sorted(ops.names)) or "no operation at all"


def _paths(paths: syntax.Paths) -> str:
    around = " and ".join(str(end.number) for end in paths.avoiding)
    return f"path from {_end(paths.start)} to {_end(paths.stop)}" + (f" around node {around}" if around else "")


def _where(where: PathCondition) -> str:
    return "" if where == syntax.Constant(True) else f" on which {_on_path(where)}"


def _on_path(where: PathCondition) -> str:
    if isinstance(where, syntax.Constant):
        return "anything goes" if where.value else "nothing goes"
    if isinstance(where, syntax.PathNode):
        items = [_on_path(item) for item in where.items]
        return f"it is not so that {items[0]}" if where.operator == "not" else f" {where.operator} ".join(items)
    if isinstance(where, syntax.OnPath):
        return f"{'each' if where.quantifier == 'all' else 'some'} operation is {_ops(where.ops)}"
    return f"the {_measure(where.measure)} is {_COMPARED[where.comparison]} {number(where.limit, where.measure.scale)}"


def _measure(measure: Measure) -> str:
    if measure.kind == "length":
        return "number of operations"
    if measure.kind == "count":
        return f"number of operations that are {_ops(measure.ops)}"
    return f"{measure.kind} of {measure.name}" if measure.name else measure.kind.replace("_", " ")


def _edge(edges: EdgeFilter) -> str:
    words = ["" if edges.live is None else "live " if edges.live else "dead ", "edge"]
    if edges.ops.names is not None:
        words.append(f" with {_ops(edges.ops)}")
    if edges.source is not None:
        words.append(f" from {_end(edges.source)}")
    if edges.target is not None:
        words.append(f" to {_end(edges.target)}")
    return "".join(words)


def _claim(edges: EdgeFilter) -> str:
    """What an edge is said to be, after `is`."""
    words = [] if edges.live is None else ["live" if edges.live else "dead"]
    words += [] if edges.ops.names is None else [_ops(edges.ops)]
    words += [] if edges.source is None else [f"from {_end(edges.source)}"]
    words += [] if edges.target is None else [f"to {_end(edges.target)}"]
    return " and ".join(words)


def _chain(condition: syntax.Chain) -> str:
    text = f"some {_edge(condition.edges[0])} exists"
    if condition.links:
        text = f"some {_edge(condition.edges[0])}"
        for link, edges in zip(condition.links, condition.edges[1:], strict=True):
            text += f" is followed {'directly' if link == 'then' else 'sooner or later'} by an {_edge(edges)}"
    return text


def _fan(direction: str) -> str:
    return "number of edges into" if direction == "fan_in" else "number of edges out of"


def _linear(condition: syntax.Linear) -> str:
    words: list[str] = []
    scale = syntax.scale_of(condition)
    for weight, quantity in condition.terms:
        if isinstance(quantity, syntax.Cost):
            name = _COSTS[quantity.name]
        elif isinstance(quantity, syntax.PluginCost):
            name = f"the network's {quantity.name} (of plug-in {quantity.origin.partition(' ')[0]})"
        elif isinstance(quantity, syntax.Count):
            name = f"the number of present {_edge(quantity.edges).replace('edge', 'edges', 1)}"
        elif isinstance(quantity, syntax.Total):
            name = f"the total of {quantity.name} over live edges"
        elif isinstance(quantity, syntax.Fan):
            name = f"the {_fan(quantity.direction)} {_end(quantity.node)}"
        else:
            name = f"the {quantity.side} policy's {quantity.name}"
        factor = abs(weight) * (quantity.scale if isinstance(quantity, syntax.Total) else 1)
        sign = ("minus " if weight < 0 else "plus " if words else "") + (
            f"{number(factor, scale)} times " if factor != scale else ""
        )
        words.append(sign + name)
    return f"{' '.join(words)} is {_COMPARED[condition.comparison]} {number(condition.limit, scale)}"


def number(value: int, scale: int) -> str:
    """A whole number as its author wrote it, before it was multiplied by a scale.

    Example:
        >>> number(12_000, 1), number(15, 10)
        ('12,000', '1.5')
    """
    return f"{value // scale:,}" if value % scale == 0 else f"{value / scale:,}"
