"""Universal claims about what a set admits, proved by a portfolio of Z3 solvers, exported as SMT-LIB for any other.

A claim is a condition that every admitted architecture is said to satisfy. The exported problem is satisfiable exactly
when some admitted architecture violates it, so a second solver that answers `unsat` confirms the claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from constraints.engines.circuit import AtMost, Choice, NodeId
from constraints.engines.encoding import Encoding, encode
from constraints.engines.solver import bounded
from constraints.language.rules import ConstraintSet, Context, Rule
from selfnas.spaces.architecture import Architecture

__all__ = ["Proof", "prove", "to_smtlib"]

_RLIMIT = 3_000_000  # each member; seconds of work, so that a portfolio that fails does so soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of a claim."""

    answer: Literal["holds", "fails", "unknown"]  # `holds`, `fails` with a counterexample, or `unknown`
    solver: str = ""  # the member of the portfolio that answered
    counterexample: Architecture | None = None  # admitted, yet violating the claim


def prove(set_: ConstraintSet, claim: Rule, context: Context) -> Proof:
    """Whether every architecture that the set admits passes a rule.

    Linear arithmetic without preprocessing settles most claims at once, budgets above all; bit-blasting and the default
    solver are asked after it. Each has its own limit of steps, and if none answers, neither do we.
    """
    import z3

    rules = set_.of_scope("cell", "network")
    encoding = encode([*rules, claim], context)
    wide = any(isinstance(node, AtMost) and node.wide for node in encoding.circuit.nodes)
    for name, integers in (("simple", True), ("QF_FD", False), ("default", True)):
        if wide and not integers:
            continue
        z3_context = z3.Context()
        made = {"simple": z3.SimpleSolver, "default": z3.Solver}.get(name, partial(z3.SolverFor, name))
        solver = bounded(made(ctx=z3_context), rlimit=_RLIMIT)
        solver.from_string(to_smtlib(encoding, claim=len(rules), integers=integers, query=False))
        answer = solver.check()
        if answer == z3.unsat:
            return Proof(answer="holds", solver=name)
        if answer == z3.sat:
            return Proof(answer="fails", solver=name, counterexample=_decode(solver.model(), encoding, context, z3))
    return Proof(answer="unknown")


def to_smtlib(encoding: Encoding, *, claim: int, integers: bool = True, query: bool = True) -> str:
    """SMT-LIB 2.6 that asks for an architecture which passes every rule but violates the rule at index `claim`.

    Args:
        encoding: rules, the claim among them; those that apply to nothing are left out.
        claim: which root is the claim.
        integers: write weighted sums over integers (any solver reads that); else as pseudo-Boolean atoms of Z3.
        query: end with `(check-sat)`.
    """
    circuit = encoding.circuit
    lines = ["(set-logic QF_LIA)"] if integers else []
    lines += [f"; an architecture of {encoding.space.name} that passes every rule and violates the claim"]
    for slot, width in enumerate(circuit.widths):
        lines += [f"(declare-const s{slot}_{value} Bool)" for value in range(width)]
        lines += [f"(assert (or {' '.join(f's{slot}_{value}' for value in range(width))}))"]
        lines += [
            f"(assert (not (and s{slot}_{left} s{slot}_{right})))" for right in range(width) for left in range(right)
        ]
    lines += _in_degrees(encoding, integers)
    roots = [root for root in encoding.roots if root is not None]
    for node in circuit.reachable(roots):
        lines.append(f"(define-fun n{node} () Bool {_term(encoding, node, integers)})")
    for index, root in enumerate(encoding.roots):
        if index == claim:
            lines.append(f"(assert (not n{root}))" if root is not None else "(assert false)")
        elif root is not None:
            lines.append(f"(assert n{root})")
    return "\n".join([*lines, "(check-sat)"] if query else lines) + "\n"


def _in_degrees(encoding: Encoding, integers: bool) -> list[str]:
    lines, slot = [], 0
    for template in encoding.space.templates:
        for target in range(template.inputs, template.nodes):
            present = [f"(not s{slot + source}_0)" for source in range(target)]
            slot += target
            if template.in_degree is not None:
                ones = [1] * len(present)
                low = _at_most([f"(not {item})" for item in present], ones, len(present) - template.in_degree, integers)
                lines += [f"(assert {_at_most(present, ones, template.in_degree, integers)})", f"(assert {low})"]
    return lines


def _term(encoding: Encoding, node: NodeId, integers: bool) -> str:
    definition = encoding.circuit.nodes[node]
    if isinstance(definition, bool):
        return "true" if definition else "false"
    if isinstance(definition, Choice):
        names = [f"s{definition.slot}_{value}" for value in sorted(definition.values)]
        return names[0] if len(names) == 1 else f"(or {' '.join(names)})"
    names = [f"n{item}" for item in definition.items]
    if isinstance(definition, AtMost):
        return _at_most(names, definition.weights, definition.bound, integers)
    return f"({definition.operator} {' '.join(names)})"


def _at_most(names: Sequence[str], weights: Sequence[int], bound: int, integers: bool) -> str:
    if not integers:
        return f"((_ pble {bound} {' '.join(map(str, weights))}) {' '.join(names)})"
    terms = [f"(ite {name} {weight} 0)" for name, weight in zip(names, weights, strict=True)]
    return f"(<= (+ {' '.join(terms)} 0) {bound})"


def _decode(model: Any, encoding: Encoding, context: Context, z3: Any) -> Architecture:
    import numpy as np

    true = {str(name) for name in model if z3.is_true(model[name])}
    values = [
        next((value for value in range(width) if f"s{slot}_{value}" in true), 0)
        for slot, width in enumerate(encoding.circuit.widths)
    ]
    return context.space.decode(np.array(values, dtype=np.int8), macro=context.macro)
