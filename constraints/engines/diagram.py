"""The decision-diagram engine: a circuit as a reduced ordered diagram over the bits of the slot values.

Building is left to `dd` (CUDD where its wheel has it, else pure Python). Counting, drawing and repairing read the slot
table that `slot_table` makes of a finished diagram (`counting.py`).
"""

from __future__ import annotations

import bisect
import functools
import operator
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constraints.engines.circuit import AtMost, Choice, Circuit, Gate, NodeId
from selfnas.errors import InputError
from selfnas.spaces.architecture import Space

__all__ = ["MAX_NODES", "Diagram", "Overgrown", "version"]

# Nodes of one function above which a diagram is given up: about 1 GB in CUDD, and minutes of work.
MAX_NODES = 2_000_000
MAX_STATES = 15_000  # of one weighted sum; each costs about a millisecond
_BITS = 4  # variables set aside for each slot: cells of up to 15 operations
_FAR = 2**62


class _Range(NamedTuple):
    """Slacks, inclusive, under which the rest of a weighted sum is one function."""

    last: int
    first: int
    function: Any


class Overgrown(Exception):  # noqa: N818 - an outcome, not an error
    """A diagram would not fit; callers fall back to rejection."""


def version() -> str:
    """Which engine of `dd` is in use, with its version."""
    import dd

    return f"{dd.__version__} {type(_manager()).__module__.removeprefix('dd.')}"


@functools.cache
def _manager() -> Any:
    """The one manager of this process: several at once have aborted the interpreter in CUDD."""
    try:
        from dd import cudd
    except ImportError:
        from dd import autoref

        return autoref.BDD()
    manager = cudd.BDD(memory_estimate=2 * 2**30)
    manager.configure(reordering=False)  # slots are declared in topological order; sifting costs more than it gains
    return manager


class Diagram:
    """Functions of one circuit over the slot vectors of a space, given up at a size of `max_nodes`."""

    def __init__(self, circuit: Circuit, space: Space, *, max_nodes: int = MAX_NODES) -> None:
        self.circuit, self.space, self.max_nodes = circuit, space, max_nodes
        self.manager = _manager()
        self.bits = [max(1, (width - 1).bit_length()) for width in circuit.widths]
        if max(self.bits) > _BITS:
            raise InputError(f"a cell of {max(circuit.widths) - 1} operations: diagrams are made for {2**_BITS - 1}")
        self.names = [[f"x{slot}_{bit}" for bit in range(count)] for slot, count in enumerate(self.bits)]
        known = len(self.manager.vars) // _BITS  # slots of equally many variables: spaces share one order of levels
        self.manager.declare(*[f"x{slot}_{bit}" for slot in range(known, len(self.bits)) for bit in range(_BITS)])
        self._functions: dict[NodeId, Any] = {}

    @functools.cached_property
    def domain(self) -> Any:
        """Every slot vector of the space."""
        total = self.manager.true
        slot = 0
        for template in self.space.templates:
            for target in range(template.inputs, template.nodes):
                group = range(slot, slot + target)
                slot += target
                valid = self.conjoin([self.value(s, range(self.circuit.widths[s])) for s in group])
                if template.in_degree is not None:
                    valid &= self._exactly([~self.value(s, (0,)) for s in group], template.in_degree)
                total &= valid
        return total

    def function(self, node: NodeId) -> Any:
        """The diagram of a node, within the domain only where needed: conjoin with `domain` before counting.

        Raises:
            Overgrown: it would have too many nodes.
        """
        for needed in self.circuit.reachable([node]):
            if needed not in self._functions:
                self._functions[needed] = self._build(needed)
                if self._functions[needed].dag_size > self.max_nodes:
                    raise Overgrown
        return self._functions[node]

    def conjoin(self, functions: Iterable[Any]) -> Any:
        """All of some functions, smallest first.

        Raises:
            Overgrown: it would have too many nodes.
        """
        total = self.manager.true
        for function in sorted(functions, key=lambda function: function.dag_size):
            total &= function
            if total.dag_size > self.max_nodes:
                raise Overgrown
        return total

    def tables(self, function: Any) -> list[NDArray[np.int64]]:
        """A function inside the domain as one `(rows, width)` table a slot: the next table's row after each value.

        Row 0 is everywhere the function that never holds; row 1 of the first table is the function itself. After the
        last slot two rows are left: 0, false, and 1, true.
        """
        nodes = _Nodes.of(function, self.manager)
        states, tables = np.array([-1, nodes.root]), []
        for slot, width in enumerate(self.circuit.widths):
            after = states[:, None]
            for bit in range(self.bits[slot]):  # the lowest bit of a value comes first
                node, sign = np.abs(after), np.sign(after)
                here = nodes.level[node] == slot * _BITS + bit
                halves = [np.where(here, sign * child[node], after) for child in (nodes.low, nodes.high)]
                after = np.concatenate(halves, axis=1)
            after = after[:, :width]
            living = np.setdiff1d(after, [-1])
            tables.append(np.where(after == -1, 0, 1 + np.searchsorted(living, after)))
            states = np.append(-1, living)
        return tables

    def value(self, slot: int, values: Iterable[int]) -> Any:
        """A slot takes one of some values."""
        total = self.manager.false
        for value in values:
            total |= self.manager.cube({name: bool(value >> bit & 1) for bit, name in enumerate(self.names[slot])})
        return total

    def _build(self, node: NodeId) -> Any:
        definition = self.circuit.nodes[node]
        if isinstance(definition, bool):
            return self.manager.true if definition else self.manager.false
        if isinstance(definition, Choice):
            return self.value(definition.slot, sorted(definition.values))
        if isinstance(definition, AtMost):
            return self._at_most(definition)
        items = [self._functions[item] for item in definition.items]
        if definition.operator == "not":
            return ~items[0]
        return functools.reduce(operator.and_ if definition.operator == "and" else operator.or_, items)

    def _at_most(self, definition: AtMost) -> Any:
        """Dynamic programming over groups of exclusive terms on the slack that is left.

        Slacks that give one function are kept as one range, so there are as many states as distinct functions.
        """
        groups, slack = self._exclusive_groups(definition)
        most, least = [0], [0]  # what the groups from here on add at most, and at least
        for group in reversed(groups):
            most.append(most[-1] + max(0, *(weight for _, weight in group)))
            least.append(least[-1] + min(0, *(weight for _, weight in group)))
        most.reverse()
        least.reverse()
        known: list[list[_Range]] = [[] for _ in groups]
        states = 0

        def fits(index: int, slack: int) -> _Range:
            nonlocal states
            if slack < least[index]:
                return _Range(least[index] - 1, -_FAR, self.manager.false)
            if slack >= most[index]:
                return _Range(_FAR, most[index], self.manager.true)
            at = bisect.bisect_left(known[index], slack, key=lambda entry: entry.last)
            if at < len(known[index]) and known[index][at].first <= slack:
                return known[index][at]
            states += 1
            if states > MAX_STATES:
                raise Overgrown
            last, first, total = fits(index + 1, slack)
            for function, weight in groups[index]:
                hi, lo, following = fits(index + 1, slack - weight)
                total = self.manager.ite(function, following, total)
                last, first = min(last, hi + weight), max(first, lo + weight)
            at = bisect.bisect_left(known[index], slack, key=lambda entry: entry.last)
            known[index].insert(at, _Range(last, first, total))
            return known[index][at]

        return fits(0, slack).function

    def _exclusive_groups(self, definition: AtMost) -> tuple[list[list[tuple[Any, int]]], int]:
        """The terms as groups of which at most one term holds, by slot, and the bound that goes with them.

        A negated term w·(not x) is w - w·x. Terms that only look at one slot become one weight per value of it; terms
        that need one value of a slot, among other things, exclude those that need another.
        """
        bound = definition.bound
        by_value: dict[int, dict[int, int]] = {}
        conditional: dict[tuple[int, int], list[tuple[Any, int]]] = {}
        taken: dict[int, set[int]] = {}
        for position, (item, weight) in enumerate(zip(definition.items, definition.weights, strict=True)):
            node = self.circuit.nodes[item]
            if isinstance(node, Gate) and node.operator == "not":
                bound, weight, item = bound - weight, -weight, node.items[0]
                node = self.circuit.nodes[item]
            if isinstance(node, Choice):
                values = by_value.setdefault(node.slot, {})
                values.update({value: values.get(value, 0) + weight for value in node.values})
                continue
            choice = self._needed_choice(node)
            key = (len(self.bits), position)
            if choice is not None and not taken.setdefault(choice.slot, set()) & choice.values:
                taken[choice.slot].update(choice.values)
                key = (choice.slot, 1)
            conditional.setdefault(key, []).append((self._functions[item], weight))
        for slot, weights in by_value.items():
            sharing: dict[int, list[int]] = {}
            for value, weight in weights.items():
                sharing.setdefault(weight, []).append(value)
            conditional[slot, 0] = [(self.value(slot, values), weight) for weight, values in sharing.items()]
        return [conditional[key] for key in sorted(conditional)], bound

    def _needed_choice(self, node: object) -> Choice | None:
        """The slot value that a term cannot do without, of the last slot if there are several."""
        if not isinstance(node, Gate) or node.operator != "and":
            return None
        found = [self.circuit.nodes[item] for item in node.items]
        return max((item for item in found if isinstance(item, Choice)), key=lambda choice: choice.slot, default=None)

    def _exactly(self, items: Sequence[Any], count: int) -> Any:
        """Exactly `count` of some functions hold."""
        row = [self.manager.true] + [self.manager.false] * count
        for item in items:
            row = [self.manager.ite(item, row[k - 1] if k else self.manager.false, row[k]) for k in range(count + 1)]
        return row[count]


class _Nodes(NamedTuple):
    """A function as arrays over its nodes: node 1 is true, -k is the negation of node k, entry 0 is not used."""

    level: NDArray[np.int64]  # slot * _BITS + bit; -1 for node 1
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    root: int

    @classmethod
    def of(cls, function: Any, manager: Any) -> _Nodes:
        """Read out of the manager: through its own text form where that needs no file, else node by node."""
        if function in (manager.true, manager.false):
            return cls._from(np.empty((0, 4), dtype=np.int64), 1 if function == manager.true else -1)
        if hasattr(os, "memfd_create") and type(manager).__module__ == "dd.cudd":
            return cls._dumped(function, manager)
        return cls._walked(function, manager)

    @classmethod
    def _from(cls, rows: NDArray[np.int64], root: int) -> _Nodes:
        """From `(n, 4)` rows (node, level, low, high) of the nodes 2 to n + 1 in any order."""
        filled = np.zeros((len(rows) + 2, 4), dtype=np.int64)
        filled[1, 1] = -1
        filled[rows[:, 0]] = rows
        return cls(level=filled[:, 1], low=filled[:, 2], high=filled[:, 3], root=root)

    @classmethod
    def _dumped(cls, function: Any, manager: Any) -> _Nodes:
        """By CUDD's DDDMP text: a line `node xSLOT_BIT index high low` each, children first."""
        handle = os.memfd_create("diagram")
        try:
            manager.dump(f"/proc/self/fd/{handle}", [function], filetype="dddmp")
            text = os.pread(handle, os.fstat(handle).st_size, 0)
        finally:
            os.close(handle)
        head, _, body = text.partition(b".nodes\n1 T 1 0 0\n")
        plain = body[: body.rindex(b".end")].replace(b"x", b"").replace(b"_", b" ")
        numbers = np.fromstring(plain.decode("ascii"), dtype=np.int64, sep=" ").reshape(-1, 6)
        rows = np.stack([numbers[:, 0], numbers[:, 1] * _BITS + numbers[:, 2], numbers[:, 5], numbers[:, 4]], axis=1)
        return cls._from(rows, int(head.partition(b".rootids ")[2].split()[0]))

    @classmethod
    def _walked(cls, function: Any, manager: Any) -> _Nodes:
        numbers = {int(manager.true): 1}
        rows, waiting = [], [~function if function.negated else function]
        while waiting:
            node = waiting[-1]
            level, low, high = manager.succ(node)
            below = ~low if low.negated else low
            open_ = [child for child in (below, high) if int(child) not in numbers]
            if open_:
                waiting += open_
                continue
            waiting.pop()
            if int(node) not in numbers:
                numbers[int(node)] = len(numbers) + 1
                sign = -1 if low.negated else 1
                rows.append((numbers[int(node)], level, sign * numbers[int(below)], numbers[int(high)]))
        number = len(numbers)
        return cls._from(np.array(rows, dtype=np.int64), -number if function.negated else number)
