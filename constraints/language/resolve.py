"""From a parse tree to the typed syntax tree: each construct read by one branch, words and numbers by the lexicon."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from constraints.language import syntax
from constraints.language.lexicon import Lexicon, Part, Scope, Vocabulary
from constraints.language.parser import Fault, parse
from constraints.language.syntax import Condition, End, Measure, Ops, PathCondition
from selfnas.acquisition.expression import ATOMS
from selfnas.errors import suggestion
from selfnas.networks.costs import QUANTITIES

__all__ = ["read_condition"]

ItemT = TypeVar("ItemT")

_MAX_STATEMENTS = 8  # of one rule: those left open are tried both ways
_MAX_MOTIF_NODES = 6  # the matcher tries every placement of the nodes
_OPERATORS = {"negation": "not", "not": "not", "disjunction": "or", "conjunction": "and", "implication": "implies"}
_FIELD_FORM = "a receptive field is measured by 'max over path(input, output) of receptive_field'"


def read_condition(text: str, scope: Scope, words: Vocabulary) -> tuple[Condition, list[Fault]]:
    """The syntax tree of an expression, with everything that is wrong in it.

    Example:
        >>> words = Vocabulary(operations=frozenset({"skip"}), opsets={}, tables={})
        >>> read_condition("count(edge(op: skp)) <= 2", "cell", words)[1]
        [Fault(offset=15, message="unknown operation or set 'skp'; did you mean 'skip'?")]
    """
    tree = parse(text, "condition")
    if isinstance(tree, Fault):
        return syntax.Constant(True), [tree]
    lexicon = Lexicon(scope, words)
    condition = _Reader(lexicon).condition(tree.children[0])
    stated = {part for part in syntax.walk(condition) if isinstance(part, syntax.Trend | syntax.Band | syntax.Near)}
    if len(stated) > _MAX_STATEMENTS:
        lexicon.faults.append(Fault(0, f"a rule says at most {_MAX_STATEMENTS} things of programs, not {len(stated)}"))
    return condition, sorted(lexicon.faults, key=lambda fault: fault.offset)


def _connected(kind: str, items: Sequence[ItemT], node: Callable[[Any, tuple[ItemT, ...]], ItemT]) -> ItemT:
    """Items joined by a connective; an implication of one item, as the grammar has it, is the item."""
    if kind != "implication":
        return node(_OPERATORS[kind], tuple(items))
    premise, *rest = items
    return node("or", (node("not", (premise,)), *rest)) if rest else premise


@dataclass(frozen=True, slots=True)
class _Reader:
    """One reading of one expression; the lexicon keeps the faults."""

    lexicon: Lexicon

    # --- conditions -------------------------------------------------------------------------------------------------

    def condition(self, tree: Part) -> Condition:
        kind, parts = str(tree.data), tree.children
        if kind in _OPERATORS:
            return _connected(kind, [self.condition(part) for part in parts if part is not None], syntax.Node)
        if kind in ("true", "false"):
            return syntax.Constant(kind == "true")
        if kind == "comparison":
            return self.comparison(tree)
        if kind == "extreme":
            return self.extreme(tree)
        if kind in ("trend", "band", "near"):
            self.lexicon.needs("policy", "acquisition", tree)
            return self.statement(tree)
        self.lexicon.needs("cell", {"chain": "edge(…)", "motif": "a motif"}.get(kind, kind.replace("_", " ")), tree)
        if kind in ("exists_path", "every_path"):
            where = self.where(parts[1])
            return (syntax.ExistsPath if kind == "exists_path" else syntax.EveryPath)(self.paths(parts[0]), where)
        if kind == "depth":
            paths = syntax.Paths(End("input"), End("output"))
            comparison, limit = self.lexicon.limit(parts[0], parts[1], "")
            return syntax.Extreme("max", paths, syntax.Constant(True), Measure("length"), comparison, limit)
        if kind == "fan_extreme":
            comparison, limit = self.lexicon.limit(parts[2], parts[3], "")
            return syntax.FanExtreme(str(parts[0]), str(parts[1]), comparison, limit)  # type: ignore[arg-type]
        if kind == "chain":
            return syntax.Chain(tuple(map(self.edge, parts[::2])), tuple(str(link) for link in parts[1::2]))  # type: ignore[misc]
        if kind == "every_edge":
            return syntax.EveryEdge(self.edge(parts[0]), self.edge(parts[1]))
        if kind == "dominates":
            return syntax.Dominates(self.lexicon.end(parts[0]), self.lexicon.end(parts[1]))
        return self.motif(tree)

    def extreme(self, tree: Part) -> Condition:
        side, paths, where, measure, operator, limit = tree.children
        read = self.measure(measure)
        unit = "px" if read.kind == "receptive_field" else self.lexicon.table_unit(read.name)
        comparison, whole = self.lexicon.limit(operator, limit, unit, scale=read.scale)
        result = syntax.Extreme(str(side), self.paths(paths), self.where(where), read, comparison, whole)  # type: ignore[arg-type]
        if read.kind != "receptive_field":
            self.lexicon.needs("cell", f"a path's {read.kind}", measure)
        elif result != syntax.Extreme(
            "max", syntax.Paths(End("input"), End("output")), syntax.Constant(True), read, comparison, whole
        ):
            self.lexicon.fault(tree, _FIELD_FORM)
        return result

    def motif(self, tree: Part) -> Condition:
        edges = []
        for arrow in tree.children:
            source, target, label = arrow.children
            names = [
                str(v.children[0]) if v.children else str(v.data).removesuffix("_variable") for v in (source, target)
            ]
            edges.append((names[0], names[1], Ops() if label is None else self.lexicon.op_set(label)))
        nodes = {name for edge in edges for name in edge[:2]}
        if len(nodes) > _MAX_MOTIF_NODES:
            self.lexicon.fault(tree, f"a motif has at most {_MAX_MOTIF_NODES} nodes, not {len(nodes)}")
            return syntax.Constant(True)
        return syntax.Motif(tuple(edges))

    def statement(self, tree: Part) -> syntax.Statement:
        """What is said of the new policy's acquisition at every point of the box."""
        if str(tree.data) == "trend":
            trend, atom = tree.children
            if str(atom) not in ATOMS:
                self.lexicon.fault(atom, f"a program reads no {str(atom)!r}{suggestion(str(atom), list(ATOMS))}")
            return syntax.Trend(str(atom), str(trend) == "rises")
        bounds = [self.lexicon.thousandths(bound) for bound in tree.children]
        if str(tree.data) == "near":
            return syntax.Near(bounds[0])
        if bounds[0] > bounds[1]:
            self.lexicon.fault(tree, "the lower bound is above the upper one")
        return syntax.Band(bounds[0], bounds[1])

    # --- paths and edges --------------------------------------------------------------------------------------------

    def paths(self, tree: Part) -> syntax.Paths:
        start, stop, avoiding = tree.children
        avoided = () if avoiding is None else tuple(self.lexicon.node(token) for token in avoiding.children)
        return syntax.Paths(self.lexicon.end(start), self.lexicon.end(stop), avoided)

    def where(self, tree: Part | None) -> PathCondition:
        if tree is None:
            return syntax.Constant(True)
        kind, parts = str(tree.data), tree.children
        if (connective := kind.removeprefix("path_")) in _OPERATORS:
            return _connected(connective, [self.where(part) for part in parts if part is not None], syntax.PathNode)
        if kind in ("path_all", "path_any"):
            return syntax.OnPath("all" if kind == "path_all" else "any", self.lexicon.ops(parts[0]))
        measure = self.measure(parts[0])
        if measure.kind == "receptive_field":
            self.lexicon.fault(parts[0], _FIELD_FORM)
        unit = self.lexicon.table_unit(measure.name)
        comparison, limit = self.lexicon.limit(parts[1], parts[2], unit, scale=measure.scale)
        return syntax.MeasureComparison(measure, comparison, limit)

    def measure(self, tree: Part) -> Measure:
        kind, at = str(tree.data), tree
        if kind == "length":
            return Measure("length", at=at)
        if kind == "receptive_field":
            self.lexicon.needs("network", "receptive_field", at)
            return Measure("receptive_field", at=at)
        if kind == "count_ops":
            return Measure("count", self.lexicon.ops(tree.children[0]), at=at)
        name, table, scale = self.lexicon.table(tree.children[0])
        if kind == "product_of" and (scale > 1 or any(value < 1 for _, value in table)):
            self.lexicon.fault(
                tree.children[0], f"a product needs whole entries of at least 1; table {name!r} has others"
            )
        return Measure("product" if kind == "product_of" else "sum", name=name, table=table, at=at, scale=scale)

    def edge(self, tree: Part) -> syntax.EdgeFilter:
        found: dict[str, Any] = {}
        for part in tree.children:
            if part is None:
                continue
            kind = str(part.data)
            slot = {"edge_ops": "ops", "edge_from": "source", "edge_to": "target"}.get(kind, "live")
            if slot in found:
                self.lexicon.fault(part, "given twice in one edge(…)")
            if kind == "edge_ops":
                found[slot] = self.lexicon.ops(part.children[0])
            elif slot == "live":
                found[slot] = kind == "live"
            else:
                found[slot] = self.lexicon.end(part.children[0])
        return syntax.EdgeFilter(**found)

    # --- sums -------------------------------------------------------------------------------------------------------

    def comparison(self, tree: Part) -> Condition:
        left, operator, right = tree.children
        unit = self.unit_of(left) or self.unit_of(right)
        weights: dict[syntax.Quantity, Fraction] = {}
        scales = [1]
        constant = Fraction(0)
        for side, factor in ((left, 1), (right, -1)):
            sign = 1
            for part in side.children:
                if getattr(part, "type", "") == "SIGN":
                    sign = -1 if str(part) == "-" else 1
                    continue
                if str(part.data) == "whole":
                    constant += factor * sign * self.lexicon.number(part.children[0], unit)
                    continue
                scale = self.lexicon.integer(part.children[0]) if str(part.data) == "scaled" else 1
                quantity = self.quantity(part.children[-1])
                scales.append(quantity.scale if isinstance(quantity, syntax.Total) else 1)
                weights[quantity] = weights.get(quantity, Fraction(0)) + Fraction(factor * sign * scale, scales[-1])
        whole = math.lcm(*scales)
        comparison, limit = self.lexicon.whole(operator, -constant, right, scale=whole)
        terms = tuple((int(weight * whole), quantity) for quantity, weight in weights.items() if weight)
        if not terms:
            return syntax.Constant(syntax.compare(0, comparison, limit))
        return syntax.Linear(terms, comparison, limit)

    def unit_of(self, tree: Part) -> str:
        """The unit of the first quantity in a sum."""
        for part in tree.iter_subtrees_topdown():
            if str(part.data) == "cost":
                return QUANTITIES[str(part.children[0])].unit
            if str(part.data) == "plugin_cost":
                found = self.lexicon.words.quantities.get(str(part.children[0]))
                return found.unit if found else ""
            if str(part.data) == "total":
                return self.lexicon.table_unit(str(part.children[0]))
        return ""

    def quantity(self, tree: Part) -> syntax.Quantity:
        kind, first = str(tree.data), tree.children[0]
        if kind == "cost":
            self.lexicon.needs("network", str(first), first)
            return syntax.Cost(str(first))
        if kind == "plugin_cost":
            self.lexicon.needs("network", f"cost({first})", first)
            found = self.lexicon.quantity(first)
            return syntax.Cost("params") if found is None else syntax.PluginCost(found.name, found.origin, found)
        if kind == "policy_field":
            self.lexicon.needs("policy", "old.* and new.*", first)
            side, _, name = str(first).partition(".")
            if name == "acquisition":
                self.lexicon.fault(first, "acquisition is a program: say 'acquisition rises with mean' or the like")
            return syntax.PolicyField("old" if side == "old" else "new", name)
        if self.lexicon.scope == "policy":
            self.lexicon.fault(tree, f"{kind.split('_')[0]} is not for rules of scope policy")
        if kind == "count_edges":
            return syntax.Count(self.edge(first))
        if kind == "total":
            name, table, scale = self.lexicon.table(first)
            return syntax.Total(name, table, first, scale)
        self.lexicon.needs("cell", str(first), first)
        return syntax.Fan(str(first), self.lexicon.end(tree.children[1]))  # type: ignore[arg-type]
