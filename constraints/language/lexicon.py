"""The words and numbers of an expression: looked up in a set's vocabulary, checked for scope and unit, faults kept.

A word that is not known becomes a fault and a harmless stand-in, so that one reading reports all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias, cast

from constraints.language.parser import Fault
from constraints.language.syntax import Comparison, End, Ops
from selfnas.acquisition.expression import UNIT
from selfnas.errors import suggestion
from selfnas.networks.costs import Quantity

__all__ = ["Lexicon", "Part", "Scope", "Table", "Vocabulary", "start_of"]

Scope = Literal["cell", "network", "policy"]
Part: TypeAlias = Any  # a Lark tree or token: Lark's own types do not tell which child is which

MAX_NUMBER = 10**15  # far above any cost, low enough that weighted sums stay exact in 64 bits
_MAX_DIGITS = 20
_MAX_BOUND = 1_000_000  # of a program's value

# Base unit and how many of them each is worth. Quantities are whole numbers in base units, so rounding a limit never
# changes what a comparison says: `x <= 1.5` is `x <= 1`.
_UNITS: dict[str, tuple[str, int]] = {
    "param": ("param", 1),
    "kparam": ("param", 1_000),
    "Mparam": ("param", 1_000_000),
    "mac": ("mac", 1),
    "kmac": ("mac", 1_000),
    "Mmac": ("mac", 1_000_000),
    "Gmac": ("mac", 1_000_000_000),
    "byte": ("byte", 1),
    "KiB": ("byte", 1024),
    "MiB": ("byte", 1024**2),
    "px": ("px", 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Whole numbers by operation, and the unit that limits on it may name."""

    entries: Mapping[str, int]
    unit: str = ""
    scale: int = 1  # what the numbers of the file were multiplied by to be whole

    @classmethod
    def of(cls, numbers: Mapping[str, Fraction], *, unit: str = "") -> Table:
        """The table of such numbers.

        Example:
            >>> Table.of({"skip": Fraction("0.1"), "conv3x3": Fraction("1.5")})
            Table(entries={'skip': 1, 'conv3x3': 15}, unit='', scale=10)
        """
        scale = math.lcm(*(number.denominator for number in numbers.values()))
        return cls(entries={key: int(number * scale) for key, number in numbers.items()}, unit=unit, scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words an expression may use."""

    operations: frozenset[str]
    opsets: Mapping[str, frozenset[str]]
    tables: Mapping[str, Table]
    quantities: Mapping[str, Quantity] = field(default_factory=dict)  # of plug-ins


def start_of(part: Part) -> int:
    """The character at which a tree or token starts."""
    place = getattr(part, "meta", part)
    return int(getattr(place, "start_pos", 0) or 0)


@dataclass
class Lexicon:
    """One reading of one expression: what its words stand for, and the faults found on the way."""

    scope: Scope
    words: Vocabulary
    faults: list[Fault] = field(default_factory=list)

    def fault(self, place: Part, message: str) -> None:
        """Keep a fault at a tree or token."""
        self.faults.append(Fault(start_of(place), message))

    def needs(self, scope: Scope, what: str, place: Part) -> None:
        """A fault when the rule is of another scope."""
        if self.scope != scope:
            self.fault(place, f"{what} is for rules of scope {scope}, not {self.scope}")

    def end(self, tree: Part) -> End:
        """An end of a path: any input, any output, or one node."""
        kind = str(tree.data)
        if kind in ("input", "output"):
            return End("input" if kind == "input" else "output")
        return self.node(tree.children[0])

    def node(self, token: Part) -> End:
        """One node by number."""
        return End("node", self.integer(token), start_of(token))

    def ops(self, tree: Part) -> Ops:
        """The operations that `op: x`, `op in x` or `op not in x` names."""
        kind = str(tree.data)
        if kind == "op_is":
            return Ops(self.word(tree.children[0]))
        chosen = self.op_set(tree.children[0])
        return Ops(self.words.operations - (chosen.names or frozenset())) if kind == "op_not_in" else chosen

    def op_set(self, tree: Part) -> Ops:
        """The union of the words in a set."""
        return Ops(frozenset().union(*map(self.word, tree.children)))

    def word(self, token: Part) -> frozenset[str]:
        """The operations one word stands for."""
        word = str(token)
        if word in self.words.opsets:
            return self.words.opsets[word]
        if word not in self.words.operations:
            known = sorted({*self.words.operations, *self.words.opsets})
            self.fault(token, f"unknown operation or set {word!r}{suggestion(word, known)}")
        return frozenset({word})

    def table(self, token: Part) -> tuple[str, tuple[tuple[str, int], ...], int]:
        """A table's name, entries and scale."""
        name = str(token)
        if name not in self.words.tables:
            known = suggestion(name, sorted(self.words.tables)) if self.words.tables else "; the set has no tables"
            self.fault(token, f"unknown table {name!r}{known}")
            return name, (), 1
        table = self.words.tables[name]
        return name, tuple(sorted(table.entries.items())), table.scale

    def quantity(self, token: Part) -> Quantity | None:
        """A quantity of a plug-in that the set names."""
        known = self.words.quantities
        if str(token) not in known:
            near = suggestion(str(token), sorted(known)) if known else "; the set names no plug-in that declares any"
            self.fault(token, f"unknown quantity {str(token)!r}{near}")
        return known.get(str(token))

    def table_unit(self, name: str) -> str:
        """The unit of a table; empty when it has none or is unknown."""
        return self.words.tables[name].unit if name in self.words.tables else ""

    def integer(self, token: Part) -> int:
        """A whole number without unit."""
        digits = str(token).replace("_", "")
        if len(digits) > 15:
            self.fault(token, f"numbers go up to {MAX_NUMBER:,}")
            return 0
        return int(digits)

    def thousandths(self, tree: Part) -> int:
        """A number that a program's value is compared with."""
        sign, token = tree.children
        value = Fraction(str(token).replace("_", "")) * UNIT if len(str(token)) <= _MAX_DIGITS else Fraction(1, 2)
        if value.denominator != 1:
            self.fault(tree, "bounds of a program have at most three decimals")
        if value > _MAX_BOUND * UNIT:
            self.fault(tree, f"bounds of a program go up to {_MAX_BOUND:,}")
        return -int(value) if str(sign) == "-" else int(value)

    def number(self, tree: Part, unit: str) -> Fraction:
        """A limit in base units; `unit` is what the quantity is measured in."""
        token, given = tree.children
        if len(str(token)) > _MAX_DIGITS:
            self.fault(tree, f"numbers go up to {MAX_NUMBER:,}")
            return Fraction(0)
        value = Fraction(str(token).replace("_", ""))
        if given is None:
            return value
        base, factor = _UNITS.get(str(given), (str(given), 1))
        if base != unit:
            fitting = [f"@{name}" for name, (of, _) in _UNITS.items() if of == unit] or ([f"@{unit}"] if unit else [])
            right = f"use {', '.join(fitting)}" if fitting else "this quantity has no unit"
            self.fault(given, f"unit @{given} does not fit: {right}")
        return value * factor

    def limit(self, operator: Part, tree: Part, unit: str, *, scale: int = 1) -> tuple[Comparison, int]:
        """A comparison with a limit in base units, multiplied by a table's scale."""
        return self.whole(operator, self.number(tree, unit), tree, scale=scale)

    def whole(self, operator: Part, value: Fraction, place: Part, *, scale: int = 1) -> tuple[Comparison, int]:
        """A comparison whose limit, multiplied by a scale, is rounded to the whole number that says the same."""
        comparison = cast("Comparison", str(operator))
        whole = _whole_limit(value * scale, comparison)
        if whole is None:
            kind = "a whole number" if scale == 1 else f"a multiple of {1 / scale:g}, as the table's numbers are"
            self.fault(place, f"{float(value):g} is never equal to {kind}")
        elif abs(whole) > MAX_NUMBER:
            self.fault(place, f"numbers go up to {MAX_NUMBER:,}")
        return comparison, whole or 0


def _whole_limit(limit: Fraction, comparison: Comparison) -> int | None:
    """The whole number that says the same of whole numbers; None for `==` and `!=` when there is none.

    Example:
        >>> _whole_limit(Fraction(3, 2), "<="), _whole_limit(Fraction(3, 2), ">="), _whole_limit(Fraction(3, 2), "==")
        (1, 2, None)
    """
    if comparison in ("<=", ">"):
        return math.floor(limit)
    if comparison in ("<", ">="):
        return math.ceil(limit)
    return int(limit) if limit.denominator == 1 else None
