"""The Z3 engine: one solver per compiled set, every rule reified to a Boolean, slot values fixed by assumptions.

`rlimit` bounds the work, not a timeout: it counts Z3's own steps, so the same question has the same answer on a busy
machine. Running out is an answer of its own.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

from constraints.engines.circuit import AtMost, Choice, NodeId
from constraints.engines.encoding import Encoding
from selfnas.spaces.template import Vector

__all__ = ["Solver", "bounded", "version"]

DEFAULT_RLIMIT = 20_000_000  # a verdict takes thousands of steps, the hardest query that ships under a million

Answer = Literal["sat", "unsat", "unknown"]
SolverT = TypeVar("SolverT")


def version() -> str:
    """Z3's version."""
    import z3

    return str(z3.get_version_string())


def bounded(solver: SolverT, *, rlimit: int) -> SolverT:
    """A `z3.Solver` that takes so many steps a query, and leaves signals to Python.

    Z3 by itself takes SIGINT over while it solves: a Ctrl-C in that moment would end its query with no answer, which a
    gate must take for an undecided verdict, and whoever pressed it would not be heard.
    """
    solver.set("rlimit", rlimit)  # type: ignore[attr-defined]
    solver.set("ctrl_c", False)  # type: ignore[attr-defined]
    return solver


class Solver:
    """One encoding, asserted once; a query may take `rlimit` of Z3's steps."""

    def __init__(self, encoding: Encoding, *, rlimit: int = DEFAULT_RLIMIT) -> None:
        import z3

        self._z3, self.encoding = z3, encoding
        self._context = z3.Context()
        self._solver = bounded(z3.SolverFor("QF_FD", ctx=self._context), rlimit=rlimit)
        circuit = encoding.circuit
        self._slots = [
            [z3.Bool(f"slot{slot}={value}", self._context) for value in range(width)]
            for slot, width in enumerate(circuit.widths)
        ]
        self._nodes: dict[NodeId, Any] = {}
        self._assert_space()
        used = [root for root in encoding.roots if root is not None]
        for node in circuit.reachable(used):
            self._nodes[node] = self._translate(node)
        self.rules: list[Any] = []
        for index, root in enumerate(encoding.roots):
            rule = None if root is None else z3.Bool(f"rule{index}", self._context)
            self.rules.append(rule)
            if rule is not None:
                self._solver.add(rule == self._nodes[root])  # type: ignore[index]
        self._handles = [[name.as_ast() for name in names] for names in self._slots]
        self._declarations = [None if rule is None else rule.decl().ast for rule in self.rules]

    def verdicts(self, vector: Vector) -> list[bool | None]:
        """Per rule whether it passes on one `(slots,)` vector; None where Z3 did not decide.

        All None when the query is not satisfiable at all: then the vector is not of the space, or Z3 is wrong. Talks to
        Z3's C interface: its Python classes would take as long as the solving.
        """
        z3, context = self._z3, self._context.ref()
        fixed = (z3.Ast * len(self._slots))()
        for slot, value in enumerate(vector.tolist()):
            fixed[slot] = self._handles[slot][value]
        answer = z3.Z3_solver_check_assumptions(context, self._solver.solver, len(self._slots), fixed)
        if answer != z3.Z3_L_TRUE:
            return [None] * len(self.rules)
        model = z3.Z3_solver_get_model(context, self._solver.solver)
        z3.Z3_model_inc_ref(context, model)
        try:
            return [None if rule is None else self._value(model, rule) for rule in self._declarations]
        finally:
            z3.Z3_model_dec_ref(context, model)

    def _value(self, model: Any, declaration: Any) -> bool | None:
        z3, context = self._z3, self._context.ref()
        found = z3.Z3_model_get_const_interp(context, model, declaration)
        if not found:
            return None
        return {z3.Z3_L_TRUE: True, z3.Z3_L_FALSE: False}.get(z3.Z3_get_bool_value(context, found))

    def ask(
        self, slots: Iterable[tuple[int, int]] = (), *, passing: Iterable[int] = (), failing: Iterable[int] = ()
    ) -> tuple[Answer, Vector | None]:
        """Whether some architecture has these slot values, passes some rules and fails others; with a witness."""
        import numpy as np

        assumptions = [*self._fixed(slots), *(self.rules[index] for index in passing)]
        assumptions += [self._z3.Not(self.rules[index]) for index in failing]
        answer = self._solver.check(*assumptions)
        if answer == self._z3.unknown:
            return "unknown", None
        if answer == self._z3.unsat:
            return "unsat", None
        model = self._solver.model()
        values = [
            next(value for value, name in enumerate(names) if self._z3.is_true(model.eval(name, model_completion=True)))
            for names in self._slots
        ]
        return "sat", np.array(values, dtype=np.int8)

    def core(self, slots: Sequence[tuple[int, int]], *, passing: Sequence[int]) -> list[tuple[int, int]] | None:
        """Slot values, of those given, that already rule out that the rules pass; None unless Z3 proves it."""
        names = {f"slot{slot}={value}": (slot, value) for slot, value in slots}
        answer = self._solver.check(*self._fixed(slots), *(self.rules[index] for index in passing))
        if answer != self._z3.unsat:
            return None
        kept = {str(item) for item in self._solver.unsat_core()}
        return [place for name, place in names.items() if f"|{name}|" in kept or name in kept]

    def _fixed(self, slots: Iterable[tuple[int, int]]) -> list[Any]:
        return [self._slots[slot][value] for slot, value in slots]

    def _assert_space(self) -> None:
        z3 = self._z3
        for names in self._slots:
            self._solver.add(z3.PbEq([(name, 1) for name in names], 1))
        slot = 0
        for template in self.encoding.space.templates:
            for target in range(template.inputs, template.nodes):
                present = [(z3.Not(self._slots[slot + source][0]), 1) for source in range(target)]
                slot += target
                if template.in_degree is not None:
                    self._solver.add(z3.PbEq(present, template.in_degree))

    def _translate(self, node: NodeId) -> Any:
        z3, definition = self._z3, self.encoding.circuit.nodes[node]
        if isinstance(definition, bool):
            return z3.BoolVal(definition, self._context)
        if isinstance(definition, Choice):
            return z3.Or([self._slots[definition.slot][value] for value in sorted(definition.values)])
        items = [self._nodes[item] for item in definition.items]
        if isinstance(definition, AtMost):
            return self._at_most(items, definition)
        if definition.operator == "not":
            return z3.Not(items[0])
        return z3.And(items) if definition.operator == "and" else z3.Or(items)

    def _at_most(self, items: Sequence[Any], definition: AtMost) -> Any:
        """The sum as a pseudo-Boolean atom, or over bit vectors where that would not hold it."""
        z3, total = self._z3, sum(definition.weights)
        if not definition.wide:
            return z3.PbLe(list(zip(items, definition.weights, strict=True)), definition.bound)
        zero, *numbers = (z3.BitVecVal(n, total.bit_length(), self._context) for n in (0, *definition.weights))
        terms = [z3.If(item, number, zero) for item, number in zip(items, numbers, strict=True)]
        bound = z3.BitVecVal(definition.bound, total.bit_length(), self._context)
        return z3.ULE(functools.reduce(operator.add, terms), bound)
