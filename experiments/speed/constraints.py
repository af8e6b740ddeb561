"""How fast the engines are, measured on one core: certificates, re-verification, draws, prefilter, analysis, repair.

Figures are per second of processor time, so that other work on the machine disturbs them little.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from constraints.analysis.difference import compare_sets
from constraints.analysis.lint import lint_set
from constraints.engines.solver import Solver
from constraints.judging.certificate import Certificate
from constraints.judging.explanation import blamed_slots
from constraints.judging.guard import Guard
from constraints.judging.verification import verify_certificate
from constraints.language.rules import ConstraintSet, Context, Rule
from constraints.language.syntax import Extreme
from constraints.loading.loading import load_set, parse_set
from constraints.loading.setfile import shipped_sets
from experiments.harness import print_table, run
from selfnas.errors import SelfnasError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

_CELL = """\
set: one-cell
language: 1
spaces: [darts]
opsets: {plain: [skip, avg3, max3]}
tables:
  weights: {skip: 0, max3: 0, avg3: 0, sep3x3: 304, sep5x5: 560, dil3x3: 152, dil5x5: 280}
  reach: {skip: 0, max3: 2, avg3: 2, sep3x3: 4, sep5x5: 8, dil3x3: 4, dil5x5: 8}
rules:
  - {id: connected, scope: cell, when: cell == normal, require: "exists path(input, output)", why: w, message: m}
  - {id: shallow, scope: cell, when: cell == normal, require: depth <= 3, why: w, message: m}
  - {id: traceable, scope: cell, when: cell == normal, why: w, message: m,
     require: "exists path(input, output) where all op in plain"}
  - {id: budget, scope: cell, when: cell == normal, require: total(weights) <= 1500, why: w, message: m}
  - {id: field, scope: cell, when: cell == normal, why: w, message: m,
     require: "max over path(input, output) of sum(reach) >= 9"}
  - {id: triangle, scope: cell, when: cell == normal, why: w, message: m,
     forbid: "motif {a -> b: skip, b -> c: skip, a -> c: skip}"}
  - {id: few-skips, scope: cell, when: cell == normal, require: "count(edge(op: skip)) <= 2", why: w, message: m}
  - {id: order, scope: cell, when: cell == normal, forbid: "edge(op: avg3) then edge(op: max3)", why: w, message: m}
"""
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
    rows += _draws(2_000 if quick else 200_000)
    rows.append(_prefilter(set_, 20_000 if quick else 2_000_000))
    rows += _analysis(set_, ("nb201",) if quick else ("darts",))
    for space in ("nb201", "darts"):
        rows += _mending(set_, space, 3 if quick else 20)
    return rows


def _guard(set_: ConstraintSet, space: str) -> Guard:
    return Guard(set_, space=space_named(space), macro=_MACRO, shape=_SHAPE)


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
    deciding = solving = 0.0
    few = max(3, count // 30)
    for part in range(few):  # by turns, so that a change of the processor's clock meets both alike
        chunk = architectures[part::few]
        deciding += _seconds(lambda chunk=chunk: texts.extend(guard.decide(a).certificate.to_json() for a in chunk))  # type: ignore[misc]
        solving += _seconds(lambda row=drawn[part]: Solver(guard.encoding).verdicts(row))  # type: ignore[misc]
    issued, fresh = count / deciding, few / solving
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


def _draws(count: int) -> list[Row]:
    guard = _guard(load_set("edge-device"), "darts")
    first = _seconds(guard.count)
    admitted = guard.count().value / guard.space.count()
    guard.draw(np.random.default_rng(1), 1)
    spent = _seconds(lambda: guard.draw(np.random.default_rng(0), count))
    what = f"exactly uniform admitted samples (darts, {admitted:.2%} admitted)"
    return [
        Row(what=what, value=count / spent, unit="a second", at_least=100_000),
        Row(what="the first count of a set, after which samples are ready (darts)", value=first, unit="s"),
    ]


def _prefilter(set_: ConstraintSet, count: int) -> Row:
    guard = _guard(set_, "nb201")
    vectors = guard.space.draw(np.random.default_rng(0), count)
    spent = _seconds(lambda: guard.admits(vectors))
    return Row(what=f"prefilter (nb201, {len(guard.rules)} rules)", value=count / spent, unit="a second", at_least=1e6)


def _analysis(set_: ConstraintSet, spaces: tuple[str, ...]) -> list[Row]:
    rows = []
    for space in spaces:
        context = Context(space=space_named(space), macro=_MACRO, shape=_SHAPE)
        edits = [("one cell", _one_cell(), 1.0)] if space == "darts" else []
        for name, old, limit in (*edits, ("whole", set_, None)):
            new = dataclasses.replace(old, rules=tuple(map(_deeper, old.rules)))
            spent = _seconds(lambda old=old, new=new, c=context: compare_sets(old, new, [c]))  # type: ignore[misc]
            what = f"diff with exact counts ({space}, {name}, {len(old.of_scope('cell', 'network'))} rules)"
            rows.append(Row(what=what, value=spent, unit="s", at_most=limit))
    for name in shipped_sets() if "darts" in spaces else ("baseline",):
        spent = _seconds(lambda name=name: lint_set(load_set(name)))  # type: ignore[misc]
        rows.append(Row(what=f"lint ({name}, all its spaces)", value=spent, unit="s", at_most=5.0))
    return rows


def _one_cell() -> ConstraintSet:
    """Eight rules on the normal cell of darts, its 1,037,664,180 spellings, with a budget of unlike costs.

    The reduction cell is left free: exact counts are those of one cell times its number.
    """
    return parse_set(_CELL)


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


def constraints(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work, for a first look.")] = False,
) -> None:
    """Speed of the constraint engines, each figure beside what it should reach; exit 1 if one is missed."""
    rows = measure(quick=quick)
    shown = []
    for row in rows:
        goal = "" if row.at_least is None else f"≥ {row.at_least:,g}"
        goal = f"≤ {row.at_most:,g}" if row.at_most is not None else goal
        shown.append((row.what, f"{row.value:,.1f} {row.unit}", goal, goal and ("yes" if row.is_met else "NO")))
    print_table(("what", "measured", "should be", "met"), shown, title="constraint engines, one core, processor time")
    raise typer.Exit(0 if all(row.is_met for row in rows) else 1)


if __name__ == "__main__":
    run(constraints)
