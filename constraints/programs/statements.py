"""Universal statements about an acquisition program, decided without a solver: by enclosures, subdivision and samples.

A statement speaks of every point of the box on which programs are defined (`selfnas.acquisition.ATOMS`). It is proved
where enclosures prove it on every box of a subdivision, refuted where a point is found at which exact arithmetic breaks
it, and left open otherwise. Equal questions take equal steps, so an answer can be made again anywhere.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from constraints.language.syntax import Band, Near, Statement, Trend
from constraints.programs.enclosures import Enclosure, constant, difference, slope, value
from selfnas.acquisition.evaluation import evaluate, exactly
from selfnas.acquisition.expression import ATOMS, UNIT, Expression, atoms_of
from selfnas.seeding import generator

__all__ = ["Answer", "Finding", "Point", "Witness", "breaks", "decide", "known_trend", "simplest", "values_at"]

Answer = Literal["proved", "refuted", "unknown"]
Point = Mapping[str, Fraction]

_MOST_BOXES = 20_000  # in all, of one question
_SAMPLES = 512
_MARGIN = Fraction(1, 10**6)  # of a witness where expected improvement plays a part, which is computed rounded


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a statement fails.

    Attributes:
        point: of the box; every atom.
        other: for a trend, the value that its atom is raised to.
    """

    point: tuple[tuple[str, Fraction], ...]
    other: Fraction | None = None

    @property
    def at(self) -> Point:
        """The point."""
        return dict(self.point)

    def raised(self, atom: str) -> Point:
        """The point with the atom raised."""
        assert self.other is not None  # noqa: S101 - a trend's witness has it
        return {**self.at, atom: self.other}


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer, with what it took.

    Attributes:
        boxes: that were enclosed.
        witness: where it is refuted.
    """

    answer: Answer
    boxes: int
    witness: Witness | None = None


@functools.lru_cache(maxsize=4096)
def decide(statement: Statement, old: Expression | None, new: Expression | None) -> Finding:
    """Whether a statement holds of a change of program on the whole box.

    Args:
        statement: the trend, band or distance that is claimed.
        old: the program in force; None for expected improvement.
        new: the program that would replace it, likewise.
    """
    if isinstance(statement, Near) and old == new:
        return Finding("proved" if statement.most >= 0 else "unknown", 0)
    if isinstance(statement, Trend) and (new is None or statement.atom not in atoms_of(new)):
        return _flat(statement, new)
    if (found := _sampled(statement, old, new)) is not None:
        return Finding("refuted", 0, found)
    return _subdivided(statement, old, new)


def known_trend(statement: Trend) -> bool:
    """Whether expected improvement rises, or falls, with an atom: its derivatives are known.

    It rises with mean and spread, by the distribution and the density of a normal; it falls with the incumbent, and
    does not read the others.
    """
    return statement.rises == (statement.atom != "incumbent") or statement.atom in ("share", "distance")


def breaks(statement: Statement, old: Expression | None, new: Expression | None, witness: Witness) -> bool:
    """Whether a statement fails at a witness, by exact arithmetic; by rounded one with a margin for improvement."""
    point = witness.at
    if set(point) != set(ATOMS) or not all(ATOMS[name].low <= x <= ATOMS[name].high for name, x in point.items()):
        return False
    if isinstance(statement, Trend):
        other, kind = witness.other, ATOMS[statement.atom]
        if other is None or not point[statement.atom] < other <= kind.high:
            return False
        lower, higher = values_at(new, point), values_at(new, witness.raised(statement.atom))
        gap = lower - higher if statement.rises else higher - lower
        return gap > (_MARGIN if new is None else 0)
    margin = _MARGIN if new is None or (old is None and isinstance(statement, Near)) else Fraction(0)
    found = values_at(new, point)
    if isinstance(statement, Band):
        return found < Fraction(statement.low, UNIT) - margin or found > Fraction(statement.high, UNIT) + margin
    return abs(found - values_at(old, point)) > Fraction(statement.most, UNIT) + margin


def values_at(tree: Expression | None, point: Point) -> Fraction:
    """A program's value, exactly; that of expected improvement as it is computed."""
    if tree is not None:
        return exactly(tree, point)
    gap, spread = float(point["mean"] - point["incumbent"]), float(point["spread"])
    if spread <= 0:
        return Fraction(max(gap, 0.0))
    z = gap / spread
    below = 0.5 * math.erfc(-z / math.sqrt(2.0))
    return Fraction(gap * below + spread * math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))


def simplest(statement: Statement, old: Expression | None, new: Expression | None, witness: Witness) -> Witness | None:
    """A witness in as few decimals as still break the statement; None where the given one does not break it."""
    if not breaks(statement, old, new, witness):
        return None
    for decimals in (0, 1, 2, 3, 6):
        rounded = Witness(
            tuple((name, round(x * 10**decimals) / Fraction(10**decimals)) for name, x in witness.point),
            None if witness.other is None else round(witness.other * 10**decimals) / Fraction(10**decimals),
        )
        if breaks(statement, old, new, rounded):
            return rounded
    return witness


def _flat(statement: Trend, new: Expression | None) -> Finding:
    """A trend in what a program does not read, or of expected improvement."""
    if new is not None or known_trend(statement):
        return Finding("proved", 0)
    low, high = Fraction(ATOMS[statement.atom].low), Fraction(ATOMS[statement.atom].high)
    middle = {"mean": Fraction(0), "spread": Fraction(1), "incumbent": Fraction(0), "share": Fraction(0)}
    point = {**middle, "distance": Fraction(0), statement.atom: low}
    return Finding("refuted", 0, Witness(tuple((name, point[name]) for name in ATOMS), high))


# --- refuted by a sample ---


@functools.cache
def _samples() -> Mapping[str, NDArray[np.float64]]:
    """Of each atom `(samples,)` values: its ends and a grid of eighths between them, so that they read well."""
    rng = generator(0, "points at which statements are tried")
    return {
        name: kind.low + (kind.high - kind.low) * rng.integers(0, 9, size=_SAMPLES) / 8.0
        for name, kind in ATOMS.items()
    }


def _sampled(statement: Statement, old: Expression | None, new: Expression | None) -> Witness | None:
    for rough in _suspects(statement, old, new):
        if (found := simplest(statement, old, new, rough)) is not None:
            return found
    return None


def _suspects(statement: Statement, old: Expression | None, new: Expression | None) -> Iterator[Witness]:
    """The samples that break a statement most, as rounded arithmetic has it."""
    points = _samples()
    if isinstance(statement, Trend):
        assert new is not None  # noqa: S101 - `_flat` answers for improvement
        kind = ATOMS[statement.atom]
        other = points[statement.atom][::-1]
        lower, higher = np.minimum(points[statement.atom], other), np.maximum(points[statement.atom], other)
        for span in (1.0, 1.0 / 64):  # far pairs and near ones
            top = np.minimum(lower + np.maximum(span * (higher - lower), (kind.high - kind.low) / 512), kind.high)
            rise = evaluate(new, {**points, statement.atom: top}) - evaluate(new, {**points, statement.atom: lower})
            wrong = -rise if statement.rises else rise
            index = int(wrong.argmax())
            if wrong[index] > 0:
                at = {name: float(x[index]) for name, x in points.items()} | {statement.atom: float(lower[index])}
                yield _witness(at, float(top[index]))
        return
    found = _rounded(new)
    if isinstance(statement, Band):
        wrong = np.maximum(found - statement.high / UNIT, statement.low / UNIT - found)
    else:
        wrong = np.abs(found - _rounded(old)) - statement.most / UNIT
    index = int(wrong.argmax())
    if wrong[index] > 0:
        yield _witness({name: float(x[index]) for name, x in points.items()})


def _rounded(tree: Expression | None) -> NDArray[np.float64]:
    return _improvements() if tree is None else evaluate(tree, _samples())


@functools.cache
def _improvements() -> NDArray[np.float64]:
    """`(samples,)` expected improvement at the samples."""
    points = _samples()
    rows = zip(*(points[name].tolist() for name in ATOMS), strict=True)
    return np.array([float(values_at(None, dict(zip(ATOMS, map(Fraction, row), strict=True)))) for row in rows])


def _witness(point: Mapping[str, float], other: float | None = None) -> Witness:
    exact = tuple((name, Fraction(point[name])) for name in ATOMS)
    return Witness(exact, None if other is None else Fraction(other))


# --- proved box by box ---


def _subdivided(statement: Statement, old: Expression | None, new: Expression | None) -> Finding:
    read = {name for tree in (old, new) if tree is not None for name in atoms_of(tree)}
    if new is None or (old is None and isinstance(statement, Near)):
        read |= {"mean", "spread", "incumbent"}
    split = [name for name in ATOMS if name in read] or ["mean"]
    boxes = {name: Enclosure(np.array([float(k.low)]), np.array([float(k.high)])) for name, k in ATOMS.items()}
    total = depth = 0
    while (count := len(boxes["mean"].low)) and total + count <= _MOST_BOXES:
        total += count
        holds, fails = _on_boxes(statement, old, new, boxes)
        for index in np.flatnonzero(fails)[:8]:
            at = {name: float(box.low[index] + box.high[index]) / 2 for name, box in boxes.items()}
            other = None
            if isinstance(statement, Trend):
                at[statement.atom] = float(boxes[statement.atom].low[index])
                other = float(boxes[statement.atom].high[index])
            if (found := simplest(statement, old, new, _witness(at, other))) is not None:
                return Finding("refuted", total, found)
        boxes = _halved(boxes, ~holds, split[depth % len(split)])
        depth += 1
    return Finding("unknown" if count else "proved", total)


def _on_boxes(
    statement: Statement, old: Expression | None, new: Expression | None, boxes: Mapping[str, Enclosure]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """On which boxes a statement holds for sure, and on which it fails for sure."""
    if isinstance(statement, Trend):
        assert new is not None  # noqa: S101 - `_flat` answers for improvement
        found = slope(new, boxes, statement.atom)
        found = found if statement.rises else -found
        return found.low >= 0, found.high < 0
    if isinstance(statement, Band):
        found, low, high = value(new, boxes), statement.low, statement.high
    else:
        found, low, high = difference(new, old, boxes), -statement.most, statement.most
    least, most = (constant(Fraction(end, UNIT), found) for end in (low, high))
    inside = (found.low >= least.high) & (found.high <= most.low)
    return inside, (found.high < least.low) | (found.low > most.high)


def _halved(boxes: Mapping[str, Enclosure], left: NDArray[np.bool_], atom: str) -> dict[str, Enclosure]:
    """Both halves, along one atom, of the boxes that are left."""
    kept = {name: Enclosure(box.low[left], box.high[left]) for name, box in boxes.items()}
    middle = (kept[atom].low + kept[atom].high) / 2
    halves = {name: [box, box] for name, box in kept.items()}
    halves[atom] = [Enclosure(kept[atom].low, middle), Enclosure(middle, kept[atom].high)]
    return {
        name: Enclosure(np.concatenate([one.low, two.low]), np.concatenate([one.high, two.high]))
        for name, (one, two) in halves.items()
    }
