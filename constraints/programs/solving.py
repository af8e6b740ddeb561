"""Universal statements about an acquisition program, decided by Z3 over the real numbers.

A program is a polynomial with corners, and a statement holds where no point of the box breaks it: one query. Z3's work
is bounded by its own steps, so the same question has the same answer on a busy machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from constraints.engines.solver import bounded
from constraints.language.syntax import Band, Statement, Trend
from constraints.programs.statements import Finding, Witness, known_trend, simplest
from selfnas.acquisition.expression import ATOMS, UNIT, Atom, Constant, Expression

__all__ = ["RLIMIT", "solve"]

RLIMIT = 3_000_000  # steps; the median program takes some thousands
_DIGITS = 30  # of a number that is no fraction


def solve(statement: Statement, old: Expression | None, new: Expression | None, *, rlimit: int = RLIMIT) -> Finding:
    """Whether a statement holds of a change of program; `boxes` of the finding is 0.

    What Z3 finds against it is believed only where arithmetic confirms it.

    Args:
        statement: the trend, band or distance that is claimed.
        old: the program in force; None for expected improvement.
        new: the program that would replace it, likewise.
        rlimit: Z3's steps.
    """
    if isinstance(statement, Trend) and new is None and known_trend(statement):
        return Finding("proved", 0)  # by its derivatives, which are no polynomials
    query = _Query.of(statement, old, new)
    answer = query.check(query.possible, rlimit)
    if answer.unsat:
        return Finding("proved", 0)
    # Improvement is known within bounds: is the statement broken wherever it lies in them?
    if not query.certain.eq(query.possible):
        answer = query.check(query.certain, rlimit)
    if answer.witness is None:
        return Finding("unknown", 0)
    found = simplest(statement, old, new, answer.witness)
    return Finding("unknown", 0) if found is None else Finding("refuted", 0, found)


@dataclass(frozen=True, slots=True)
class _Reply:
    unsat: bool
    witness: Witness | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    """What breaks a statement, as terms over the atoms and one value more.

    Attributes:
        possible: true wherever the statement may be broken.
        certain: true only where it is; the same unless expected improvement plays a part.
    """

    context: Any
    atoms: Mapping[str, Any]
    raised: str
    other: Any
    possible: Any
    certain: Any

    @classmethod
    def of(cls, statement: Statement, old: Expression | None, new: Expression | None) -> _Query:
        import z3

        context = z3.Context()
        atoms = {name: z3.Real(name, context) for name in ATOMS}
        other = z3.Real("other", context)
        if isinstance(statement, Trend):
            atom = statement.atom
            above = z3.And(other > atoms[atom], other <= ATOMS[atom].high)
            if new is None:  # known not to hold: points far apart break it, which arithmetic confirms
                ends = z3.And(atoms[atom] == ATOMS[atom].low, other == ATOMS[atom].high)
                wrong = z3.And(ends, *(atoms[name] == int(name == "spread") for name in ATOMS if name != atom))
            else:
                lower, higher = (_term(z3, new, names, context) for names in (atoms, {**atoms, atom: other}))
                wrong = higher < lower if statement.rises else higher > lower
            wrong = z3.And(above, wrong)
            return cls(context, atoms, atom, other, wrong, wrong)
        least, greatest = _ends(z3, new, atoms, context)
        if isinstance(statement, Band):
            low, high = (_real(z3, Fraction(end, UNIT), context) for end in (statement.low, statement.high))
            possible, certain = z3.Or(least < low, greatest > high), z3.Or(greatest < low, least > high)
        else:
            most = _real(z3, Fraction(statement.most, UNIT), context)
            below, above = (least, greatest) if old == new else _ends(z3, old, atoms, context)
            if old == new:  # the same number, wherever it lies
                possible = certain = most < 0
            else:
                possible = z3.Or(greatest - below > most, above - least > most)
                certain = z3.Or(least - above > most, below - greatest > most)
        return cls(context, atoms, "", other, possible, certain)

    def check(self, wrong: Any, rlimit: int) -> _Reply:
        """Whether Z3 finds a point of the box where that is true."""
        import z3

        solver = bounded(z3.SimpleSolver(ctx=self.context), rlimit=rlimit)
        for name, kind in ATOMS.items():
            solver.add(self.atoms[name] >= kind.low, self.atoms[name] <= kind.high)
        solver.add(wrong)
        answer = solver.check()
        if answer != z3.sat:
            return _Reply(bool(answer == z3.unsat))
        model = solver.model()

        def found(variable: Any, atom: str) -> Fraction:
            return _fraction(model.eval(variable, model_completion=True), atom)

        point = tuple((name, found(variable, name)) for name, variable in self.atoms.items())
        return _Reply(False, Witness(point, found(self.other, self.raised) if self.raised else None))


def _ends(z3: Any, tree: Expression | None, atoms: Mapping[str, Any], context: Any) -> tuple[Any, Any]:
    """A program's value, twice; of expected improvement the least and the most that it can be."""
    if tree is not None:
        value = _term(z3, tree, atoms, context)
        return value, value
    gap = atoms["mean"] - atoms["incumbent"]
    sure = z3.If(gap >= 0, gap, _real(z3, Fraction(0), context))
    return sure, sure + _real(z3, Fraction(2, 5), context) * atoms["spread"]


def _term(z3: Any, tree: Expression, atoms: Mapping[str, Any], context: Any) -> Any:
    if isinstance(tree, Constant):
        return _real(z3, tree.value, context)
    if isinstance(tree, Atom):
        return atoms[tree.name]
    items = [_term(z3, item, atoms, context) for item in tree.items]
    match tree.operator:
        case "+":
            return items[0] + items[1]
        case "-":
            return items[0] - items[1]
        case "*":
            return items[0] * items[1]
        case "min":
            return z3.If(items[0] <= items[1], items[0], items[1])
        case "max":
            return z3.If(items[0] >= items[1], items[0], items[1])
        case _:
            return z3.If(items[0] >= 0, items[0], -items[0])


def _real(z3: Any, number: Fraction, context: Any) -> Any:
    return z3.RealVal(f"{number.numerator}/{number.denominator}", context)


def _fraction(number: Any, atom: str) -> Fraction:
    """Of a number of a model; one that is no fraction is taken for one next to it, within its atom's bounds."""
    if not hasattr(number, "numerator_as_long"):
        number = number.approx(_DIGITS)
    kind = ATOMS[atom]
    exact = Fraction(number.numerator_as_long(), number.denominator_as_long())
    return min(max(exact, Fraction(kind.low)), Fraction(kind.high))
