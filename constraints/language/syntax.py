"""The typed syntax tree of a rule's condition: plain data that every engine interprets in its own way.

Names are already resolved (an operation set is the set of its operations, a table its entries) and limits are whole
numbers in base units, so a tree means the same without the file it came from. `canonical` spells it for digests.
"""

from __future__ import annotations

import dataclasses
import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from selfnas.networks import costs

__all__ = [
    "COMPARE",
    "Band",
    "Chain",
    "Comparison",
    "Condition",
    "Constant",
    "Cost",
    "Count",
    "Dominates",
    "EdgeFilter",
    "End",
    "EveryEdge",
    "EveryPath",
    "ExistsPath",
    "Extreme",
    "Fan",
    "FanExtreme",
    "Linear",
    "Measure",
    "MeasureComparison",
    "Motif",
    "Near",
    "Node",
    "OnPath",
    "Ops",
    "PathCondition",
    "Paths",
    "PluginCost",
    "PolicyField",
    "Quantity",
    "Statement",
    "Total",
    "Trend",
    "canonical",
    "compare",
    "scale_of",
    "walk",
]

Comparison: TypeAlias = Literal["<=", "<", ">=", ">", "==", "!="]
Side: TypeAlias = Literal["max", "min"]
Direction: TypeAlias = Literal["fan_in", "fan_out"]

COMPARE: Mapping[Comparison, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Ops:
    """A set of operations; None stands for every operation."""

    names: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Where a path starts or stops: any input node, any output node, or one node by number."""

    kind: Literal["input", "output", "node"]
    number: int = -1
    at: int = field(default=0, compare=False)  # offset in the expression, for messages


@dataclass(frozen=True, slots=True)
class EdgeFilter:
    """Which present edges are meant: every part that is given must hold."""

    ops: Ops = Ops()
    source: End | None = None
    target: End | None = None
    live: bool | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that a path has: its length, the edges with some operations, a table's sum or product, its reach."""

    kind: Literal["length", "count", "sum", "product", "receptive_field"]
    ops: Ops = Ops()
    name: str = field(default="", compare=False)
    table: tuple[tuple[str, int], ...] = ()
    at: int = field(default=0, compare=False)
    scale: int = field(default=1, compare=False)  # what entries and limits were multiplied by to be whole


@dataclass(frozen=True, slots=True)
class OnPath:
    """Whether all, or any, of a path's operations are of a set."""

    quantifier: Literal["all", "any"]
    ops: Ops


@dataclass(frozen=True, slots=True)
class MeasureComparison:
    """A path's measure against a limit."""

    measure: Measure
    comparison: Comparison
    limit: int


@dataclass(frozen=True, slots=True)
class Constant:
    """Always or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A connective: `not` of one item, `and` or `or` of several."""

    operator: Literal["not", "and", "or"]
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class PathNode:
    """The same connectives inside `where`."""

    operator: Literal["not", "and", "or"]
    items: tuple[PathCondition, ...]


PathCondition: TypeAlias = "Constant | PathNode | OnPath | MeasureComparison"


@dataclass(frozen=True, slots=True)
class Paths:
    """Directed paths over present edges from one end to another that touch none of the avoided nodes."""

    start: End
    stop: End
    avoiding: tuple[End, ...] = ()


@dataclass(frozen=True, slots=True)
class ExistsPath:
    """Some path satisfies a condition."""

    paths: Paths
    where: PathCondition


@dataclass(frozen=True, slots=True)
class EveryPath:
    """Each path satisfies a condition; true when there is none."""

    paths: Paths
    where: PathCondition


@dataclass(frozen=True, slots=True)
class Extreme:
    """The largest or smallest measure over the paths that satisfy `where`, against a limit.

    Over no path at all the maximum is minus infinity and the minimum plus infinity.
    """

    side: Side
    paths: Paths
    where: PathCondition
    measure: Measure
    comparison: Comparison
    limit: int


@dataclass(frozen=True, slots=True)
class FanExtreme:
    """The largest or smallest fan-in over nodes that are not inputs, or fan-out over all but the last node."""

    side: Side
    direction: Direction
    comparison: Comparison
    limit: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Edges one after another: `then` directly, `before` somewhere later along present edges."""

    edges: tuple[EdgeFilter, ...]
    links: tuple[Literal["then", "before"], ...]


@dataclass(frozen=True, slots=True)
class EveryEdge:
    """Each present edge of one kind is also of another."""

    edges: EdgeFilter
    claim: EdgeFilter


@dataclass(frozen=True, slots=True)
class Motif:
    """A labelled pattern whose nodes map to distinct nodes; other edges may be there too.

    The variables `input` and `output` stand for nodes of that kind.
    """

    edges: tuple[tuple[str, str, Ops], ...]  # source variable, target variable, operations


@dataclass(frozen=True, slots=True)
class Dominates:
    """Every path from an input to `end` runs through `node`."""

    node: End
    end: End


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost of the whole network: `params`, `macs` or `activation_bytes`."""

    name: str


@dataclass(frozen=True, slots=True)
class PluginCost:
    """A quantity of a plug-in, of the whole network.

    Attributes:
        origin: the plug-in with its digest, so that a set is another where the plug-in is.
        quantity: its formula.
    """

    name: str
    origin: str
    quantity: costs.Quantity = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Count:
    """How many present edges pass a filter."""

    edges: EdgeFilter


@dataclass(frozen=True, slots=True)
class Total:
    """A table summed over live edges; `scale` is what its entries were multiplied by to be whole."""

    name: str = field(compare=False)
    table: tuple[tuple[str, int], ...]
    at: int = field(default=0, compare=False)
    scale: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Fan:
    """Present edges into or out of one node."""

    direction: Direction
    node: End


@dataclass(frozen=True, slots=True)
class PolicyField:
    """A number of the search policy before (`old`) or after (`new`) a change."""

    side: Literal["old", "new"]
    name: str


Quantity: TypeAlias = Cost | PluginCost | Count | Total | Fan | PolicyField


@dataclass(frozen=True, slots=True)
class Linear:
    """A weighted sum of quantities against a whole number: `sum <comparison> limit`."""

    terms: tuple[tuple[int, Quantity], ...]
    comparison: Comparison
    limit: int


@dataclass(frozen=True, slots=True)
class Trend:
    """The new policy's acquisition never falls (`rises`), or never rises, with an atom while all else is equal."""

    atom: str
    rises: bool


@dataclass(frozen=True, slots=True)
class Band:
    """The new policy's acquisition stays between two bounds, in thousandths."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Near:
    """The new policy's acquisition differs nowhere by more than this from the one in force, in thousandths."""

    most: int


Statement: TypeAlias = Trend | Band | Near

Condition: TypeAlias = (
    Constant
    | Node
    | ExistsPath
    | EveryPath
    | Extreme
    | FanExtreme
    | Chain
    | EveryEdge
    | Motif
    | Dominates
    | Linear
    | Statement
)


def compare(left: int, comparison: Comparison, right: int) -> bool:
    """What a comparison says of two numbers.

    Example:
        >>> compare(3, "<=", 4), compare(3, "!=", 3)
        (True, False)
    """
    return bool(COMPARE[comparison](left, right))


def scale_of(condition: Linear | Extreme | FanExtreme | MeasureComparison) -> int:
    """What the limit of a comparison, and its weights, were multiplied by to be whole numbers of its tables."""
    if isinstance(condition, Linear):
        return math.lcm(*(quantity.scale for _, quantity in condition.terms if isinstance(quantity, Total)))
    return 1 if isinstance(condition, FanExtreme) else condition.measure.scale


def walk(tree: object) -> Iterator[object]:
    """Every part of a tree, the tree itself first."""
    yield tree
    if dataclasses.is_dataclass(tree):
        for part in dataclasses.fields(tree):
            yield from walk(getattr(tree, part.name))
    elif isinstance(tree, tuple):
        for item in tree:
            yield from walk(item)


def canonical(tree: object) -> str:
    """One spelling per meaning: JSON of everything that compares equal, nothing else."""
    return json.dumps(_plain(tree), separators=(",", ":"))


def _plain(tree: object) -> object:
    if dataclasses.is_dataclass(tree):
        parts = [_plain(getattr(tree, part.name)) for part in dataclasses.fields(tree) if part.compare]
        return [type(tree).__name__, *parts]
    if isinstance(tree, tuple):
        return [_plain(item) for item in tree]
    if isinstance(tree, frozenset):
        return sorted(tree)
    return tree
