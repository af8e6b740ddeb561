"""The typed tree of an acquisition program, its canonical text, and the box on which programs are defined.

A program orders the candidates of one proposal: the one of highest value is tried next. It reads numbers between stated
bounds alone, knows neither division nor loops, and has at most 25 nodes. So it has a value everywhere, it costs
microseconds, and what it does can be proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = [
    "ATOMS",
    "LARGEST",
    "MOST_NODES",
    "UNIT",
    "Apply",
    "Atom",
    "AtomKind",
    "Constant",
    "Expression",
    "Operator",
    "atoms_of",
    "canonical",
    "notation",
    "parts",
    "size",
    "spelled",
]

MOST_NODES = 25
UNIT = 1000  # constants are whole thousandths, so that every engine reads the same number
LARGEST = 10 * UNIT  # of a constant, either way

Operator = Literal["+", "-", "*", "min", "max", "abs"]
_COMMUTE = ("+", "*", "min", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomKind:
    """What a program may read.

    Attributes:
        low, high: bounds; what lies outside is taken for the bound that it passed.
        symbol: in mathematical notation.
        meaning: in a sentence's part.
    """

    low: int
    high: int
    symbol: str
    meaning: str


ATOMS: Mapping[str, AtomKind] = MappingProxyType(
    {
        "mean": AtomKind(
            low=-4, high=4, symbol="μ", meaning="the score that the model expects, in standard deviations of a normal"
        ),
        "spread": AtomKind(
            low=0, high=1, symbol="σ", meaning="how unsure the model is; 1 where it knows no more than before any score"
        ),
        "incumbent": AtomKind(low=0, high=4, symbol="η", meaning="the best score so far, on the scale of the mean"),
        "share": AtomKind(low=0, high=1, symbol="t", meaning="how much of the budget is spent"),
        "distance": AtomKind(
            low=0,
            high=2,
            symbol="δ",
            meaning="how far the nearest tried cell is, as a multiple of the median distance between tried cells",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number between -10 and 10, in whole thousandths."""

    thousandths: int

    def __post_init__(self) -> None:
        if abs(self.thousandths) > LARGEST:
            raise ValueError(f"constants lie between -10 and 10, not {self.thousandths / UNIT:g}")

    @property
    def value(self) -> Fraction:
        """The number itself."""
        return Fraction(self.thousandths, UNIT)


@dataclass(frozen=True, slots=True)
class Atom:
    """One of `ATOMS`."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator with its operands: one for `abs`, two for the others."""

    operator: Operator
    items: tuple[Expression, ...]


Expression: TypeAlias = "Constant | Atom | Apply"


def parts(tree: Expression) -> Iterator[Expression]:
    """Every part of a tree, the tree itself first, from left to right."""
    yield tree
    if isinstance(tree, Apply):
        for item in tree.items:
            yield from parts(item)


def size(tree: Expression) -> int:
    """How many nodes a tree has."""
    return sum(1 for _ in parts(tree))


def atoms_of(tree: Expression) -> tuple[str, ...]:
    """The atoms that a program reads, in the order of `ATOMS`."""
    read = {part.name for part in parts(tree) if isinstance(part, Atom)}
    return tuple(name for name in ATOMS if name in read)


def spelled(tree: Expression) -> str:
    """The text of a tree, with no more brackets than it needs.

    Example:
        >>> spelled(Apply("*", (Constant(500), Apply("+", (Atom("mean"), Atom("spread"))))))
        '0.5 * (mean + spread)'
    """
    return _written(tree, {name: name for name in ATOMS}, times=" * ", minus="-", bars=False)


def notation(tree: Expression) -> str:
    """The same in mathematical notation.

    Example:
        >>> notation(Apply("abs", (Apply("-", (Atom("mean"), Atom("incumbent"))),)))
        '|μ − η|'
    """
    return _written(tree, {name: kind.symbol for name, kind in ATOMS.items()}, times="·", minus="−", bars=True)


def canonical(tree: Expression) -> Expression:
    """One spelling of many: operands that may change places in the order of their texts, numbers alone put together.

    Example:
        >>> spelled(canonical(Apply("+", (Atom("spread"), Apply("*", (Atom("mean"), Constant(500)))))))
        '0.5 * mean + spread'
    """
    if not isinstance(tree, Apply):
        return tree
    items = tuple(map(canonical, tree.items))
    folded = _folded(tree.operator, items)
    if folded is not None:
        return folded
    if tree.operator in _COMMUTE:
        items = tuple(sorted(items, key=spelled))
        if tree.operator == "+" and isinstance(items[0], Constant) and not isinstance(items[1], Constant):
            items = items[::-1]
    match tree.operator, items:
        case ("+" | "-", (first, Constant(thousandths=negative))) if negative < 0:
            return Apply("-" if tree.operator == "+" else "+", (first, Constant(-negative)))
    return replace(tree, items=items)


def _folded(operator: Operator, items: Sequence[Expression]) -> Expression | None:
    """What numbers alone, or an operand twice, come to, if that can be written shorter."""
    if operator in ("min", "max") and items[0] == items[1]:
        return items[0]
    if operator == "abs" and isinstance(items[0], Apply) and items[0].operator == "abs":
        return items[0]
    numbers = [item.thousandths for item in items if isinstance(item, Constant)]
    if len(numbers) < len(items):
        return None
    if operator == "*":
        value, rest = divmod(numbers[0] * numbers[1], UNIT)
        return None if rest or abs(value) > LARGEST else Constant(value)
    value = {"+": sum(numbers), "-": numbers[0] - numbers[-1], "min": min(numbers), "max": max(numbers)}.get(
        operator, abs(numbers[0])
    )
    return Constant(value) if abs(value) <= LARGEST else None


def _written(tree: Expression, names: Mapping[str, str], *, times: str, minus: str, bars: bool) -> str:
    def write(part: Expression, least: int) -> str:
        """The text, in brackets where it binds less than `least`: 1 sums, 2 products, 3 anything else."""
        if isinstance(part, Constant):
            number = f"{abs(part.thousandths) // UNIT}.{abs(part.thousandths) % UNIT:03}".rstrip("0").rstrip(".")
            return f"{minus}{number}" if part.thousandths < 0 else number
        if isinstance(part, Atom):
            return names[part.name]
        if part.operator == "abs":
            inner = write(part.items[0], 0)
            return f"|{inner}|" if bars else f"abs({inner})"
        if part.operator in ("min", "max"):
            return f"{part.operator}({', '.join(write(item, 0) for item in part.items)})"
        binds = 2 if part.operator == "*" else 1
        sign = times if part.operator == "*" else f" {minus if part.operator == '-' else '+'} "
        text = f"{write(part.items[0], binds)}{sign}{write(part.items[1], binds + 1)}"
        return f"({text})" if binds < least else text

    return write(tree, 0)
