"""How fast the engines are, measured on one core: certificates, re-verification, draws, prefilter, analysis, repair.

Figures are per second of processor time, so that other work on the machine disturbs them little.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from constraints.certificate import Certificate
from constraints.difference import compare_sets
from constraints.explanation import blamed_slots
from constraints.guard import Guard
from constraints.lint import lint_set
from constraints.loading import load_set
from constraints.rules import ConstraintSet, Context, Rule
from constraints.solver import Solver
from constraints.syntax import Extreme
from constraints.verification import verify_certificate
from selfnas.architecture import Macro, TaskShape
from selfnas.errors import SelfnasError

__all__ = ["Row", "measure"]

_MACRO = Macro(channels=8, depth=1, resolution=16)
_SHAPE = TaskShape(channels=1, size=(8, 8), classes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        what: what was measured, where, with how many rules.
        value: the measured figure.
        unit: of the figure.
        at_least: what it should reach; None if `at_most` is given.
        at_most: what it should stay under; None if `at_least` is given.
    """

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure reaches its target."""
        high_enough = self.at_least is None or self.value >= self.at_least
        return high_enough and (self.at_most is None or self.value <= self.at_most)


def measure(*, quick: bool = False) -> list[Row]:
    """Measure everything; `quick` takes a tenth of the work, for tests of the procedure itself."""
    set_ = load_set("baseline")
    rows: list[Row] = []
    for space, ratio, rate in (("nb201", 15.0, 500.0), ("darts", 30.0, 300.0)):
        rows += _certificates(set_, space, ratio, rate, 60 if quick else 600)
    rows.append(_draws(2_000 if quick else 200_000))
    rows.append(_prefilter(set_, 20_000 if quick else 2_000_000))
    rows += _analysis(set_, ("nb201",) if quick else ("darts",))
    for space in ("nb201", "darts"):
        rows += _mending(set_, space, 3 if quick else 20)
    return rows


def _guard(set_: ConstraintSet, space: str) -> Guard:
    return Guard(set_, space=space, macro=_MACRO, shape=_SHAPE)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return max(time.process_time() - start, 1e-9)


def _certificates(set_: ConstraintSet, space: str, ratio: float, rate: float, count: int) -> list[Row]:
    guard = _guard(set_, space)
    drawn = guard.space.draw(np.random.default_rng(0), count)
    architectures = [guard.space.decode(row, macro=_MACRO) for row in drawn]
    guard.decide(guard.space.decode(guard.space.draw(np.random.default_rng(1), 1)[0], macro=_MACRO))  # builds engines
    texts: list[str] = []
    spent = _seconds(lambda: texts.extend(guard.decide(a).certificate.to_json() for a in architectures))
    issued = count / spent
    few = drawn[: max(3, count // 30)]
    fresh = len(few) / _seconds(lambda: [Solver(guard.encoding).verdicts(row) for row in few])
    verify_certificate(Certificate.from_json(texts[0]), set_)
    found: list[tuple[str, ...]] = []
    spent = _seconds(lambda: found.extend(verify_certificate(Certificate.from_json(text), set_) for text in texts))
    if any(found):
        raise SelfnasError(f"a certificate does not verify: {next(filter(None, found))}")
    where = f"{space}, {len(guard.rules)} rules"
    return [
        Row(what=f"certificates issued, two engines agreeing ({where})", value=issued, unit="a second", at_least=rate),
        Row(
            what=f"… against a fresh Z3 solver each ({fresh:.1f} a second)",
            value=issued / fresh,
            unit="times",
            at_least=ratio,
        ),
        Row(
            what=f"certificates re-verified without a solver ({where})",
            value=count / spent,
            unit="a second",
            at_least=2_000 if space == "nb201" else None,
        ),
    ]


def _draws(count: int) -> Row:
    guard = _guard(load_set("edge-device"), "darts")
    admitted = guard.count().value / guard.space.count()
    spent = _seconds(lambda: guard.draw(np.random.default_rng(0), count))
    what = f"exactly uniform admitted samples (darts, {admitted:.2%} admitted)"
    return Row(what=what, value=count / spent, unit="a second", at_least=100_000)


def _prefilter(set_: ConstraintSet, count: int) -> Row:
    guard = _guard(set_, "nb201")
    vectors = guard.space.draw(np.random.default_rng(0), count)
    spent = _seconds(lambda: guard.admits(vectors))
    return Row(what=f"prefilter (nb201, {len(guard.rules)} rules)", value=count / spent, unit="a second", at_least=1e6)


def _analysis(set_: ConstraintSet, spaces: tuple[str, ...]) -> list[Row]:
    edited = dataclasses.replace(set_, rules=tuple(map(_deeper, set_.rules)))
    cells = [dataclasses.replace(s, rules=s.of_scope("cell")) for s in (set_, edited)]
    rows = []
    for space in spaces:
        context = Context(space=space, macro=_MACRO, shape=_SHAPE)
        for name, (old, new) in (("cell rules", (cells[0], cells[1])), ("all rules", (set_, edited))):
            spent = _seconds(lambda old=old, new=new, c=context: compare_sets(old, new, [c]))  # type: ignore[misc]
            limit = 1.0 if name == "cell rules" else None
            rows.append(Row(what=f"diff with exact counts ({space}, {name})", value=spent, unit="s", at_most=limit))
    rows.append(Row(what="lint (all spaces)", value=_seconds(lambda: lint_set(set_)), unit="s", at_most=5.0))
    return rows


def _deeper(rule: Rule) -> Rule:
    condition = rule.condition
    if isinstance(condition, Extreme) and condition.measure.kind == "length":
        return dataclasses.replace(rule, condition=dataclasses.replace(condition, limit=condition.limit + 1))
    return rule


def _mending(set_: ConstraintSet, space: str, count: int) -> list[Row]:
    guard = _guard(set_, space)
    vectors = guard.space.draw(np.random.default_rng(3), 40 * count)
    broken = guard.violations(vectors)
    chosen = np.flatnonzero(broken.any(axis=1))[:count]
    guard.explain(guard.space.decode(vectors[chosen[0]], macro=_MACRO))
    repair = _seconds(lambda: [guard.admitted.nearest(vectors[index]) for index in chosen]) / len(chosen)
    pairs = [(index, rule) for index in chosen for rule in np.flatnonzero(broken[index]).tolist()]
    blame = _seconds(lambda: [blamed_slots(guard.solver, vectors[i], rule) for i, rule in pairs]) / len(pairs)
    return [
        Row(what=f"nearest admitted architectures ({space})", value=1000 * repair, unit="ms", at_most=100),
        Row(what=f"blamed edges of one rule ({space})", value=1000 * blame, unit="ms", at_most=100),
    ]
