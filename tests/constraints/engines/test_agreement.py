"""All engines give one answer per rule: NumPy, Z3, the decision diagram and the referee."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import constraints.engines.diagram
from constraints import Context, Rule, parse_set
from constraints.engines.circuit import AtMost
from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Diagram, Overgrown
from constraints.engines.encoding import encode
from constraints.engines.graph_view import GraphView
from constraints.engines.referee import Referee
from constraints.engines.solver import Solver
from constraints.engines.vectorised import evaluate
from selfnas.errors import InputError
from selfnas.spaces.named import space_named
from selfnas.spaces.template import Vector

Rules = Callable[..., list[Rule]]
Contexts = Callable[[str], list[Context]]


def _referee(rules: list[Rule], context: Context, vectors: Vector) -> np.ndarray:
    space, judge = context.space, Referee(rules, context)
    return np.array([judge.verdicts(space.decode(row, macro=context.macro)) for row in vectors])


def _assert_equal(rules: list[Rule], left: np.ndarray, right: np.ndarray, vectors: Vector) -> None:
    for index, rule in enumerate(rules):
        differing = np.flatnonzero(left[:, index] != right[:, index])
        assert not len(differing), f"{rule.text!r} differs on {len(differing)} cells, first {vectors[differing[0]]}"


def test_every_construct_has_one_answer_in_all_engines_on_nb201(construct_rules: Rules, contexts: Contexts) -> None:
    """Every seventeenth nb201 cell, every construct, two limits each: four engines agree."""
    space, rules = space_named("nb201"), construct_rules("nb201")
    context = contexts("nb201")[0]
    encoding = encode(rules, context)
    roots = [root for root in encoding.roots if root is not None]
    everything = space.enumerate()
    answers = evaluate(encoding.circuit, roots, everything)
    diagram = Diagram(encoding.circuit, space)
    counts = [SlotTable(diagram, diagram.function(root) & diagram.domain).count for root in roots]
    assert counts == answers.sum(axis=0).tolist()
    sample = everything[3::17]
    _assert_equal(rules, answers[3::17], _referee(rules, context, sample), sample)
    solver = Solver(encoding)
    few = everything[3::97]
    _assert_equal(rules, answers[3::97], np.array([solver.verdicts(row) for row in few]), few)


@pytest.mark.slow
def test_every_construct_has_one_answer_on_all_of_nb201(construct_rules: Rules, contexts: Contexts) -> None:
    """All 15,625 nb201 cells, every construct, five limits each: four engines agree rule by rule."""
    space, rules = space_named("nb201"), construct_rules("nb201", steps=5)
    context = contexts("nb201")[0]
    encoding = encode(rules, context)
    roots = [root for root in encoding.roots if root is not None]
    vectors = space.enumerate()
    answers = evaluate(encoding.circuit, roots, vectors)
    diagram = Diagram(encoding.circuit, space)
    for index, root in enumerate(roots):
        table = SlotTable(diagram, diagram.function(root) & diagram.domain)
        members = table.at(np.arange(table.count))
        assert np.array_equal(members, vectors[answers[:, index]]), rules[index].text
    _assert_equal(rules, answers, _referee(rules, context, vectors), vectors)
    solver = Solver(encoding)
    _assert_equal(rules, answers, np.array([solver.verdicts(row) for row in vectors]), vectors)


@pytest.mark.parametrize("name", ["transnas-micro", "darts"])
def test_engines_agree_on_samples_of_other_spaces(name: str, construct_rules: Rules, contexts: Contexts) -> None:
    """Sampled cells of the other spaces, images and series: NumPy, Z3 and referee agree."""
    space, rules = space_named(name), construct_rules(name, steps=1)
    for context in contexts(name)[:2]:
        encoding = encode(rules, context)
        roots = [root for root in encoding.roots if root is not None]
        vectors = space.draw(np.random.default_rng(3), 60)
        answers = evaluate(encoding.circuit, roots, vectors)
        _assert_equal(rules, answers, _referee(rules, context, vectors), vectors)
        few = vectors[:10]
        solver = Solver(encoding)
        _assert_equal(rules, answers[:10], np.array([solver.verdicts(row) for row in few]), few)


@pytest.mark.parametrize("name", ["nb201", "darts"])
@pytest.mark.slow
def test_every_context_gives_the_same_answer(name: str, construct_rules: Rules, contexts: Contexts) -> None:
    """Network rules agree between NumPy and referee for images and series, small and large settings."""
    rules = [rule for rule in construct_rules(name) if rule.scope == "network"]
    for context in contexts(name):
        encoding = encode(rules, context)
        roots = [root for root in encoding.roots if root is not None]
        vectors = space_named(name).draw(np.random.default_rng(5), 60)
        answers = evaluate(encoding.circuit, roots, vectors)
        _assert_equal(rules, answers, _referee(rules, context, vectors), vectors)


@pytest.mark.slow
def test_diagram_of_darts_counts_what_numpy_finds(construct_rules: Rules, contexts: Contexts) -> None:
    """On darts, the diagram's share of each rule lies within sampling error of NumPy's."""
    space = space_named("darts")
    rules = [rule for rule in construct_rules("darts", steps=1) if "2 * params" not in rule.text]
    encoding = encode(rules, contexts("darts")[0])
    vectors = space.draw(np.random.default_rng(11), 20_000)
    diagram = Diagram(encoding.circuit, space)
    for rule, root in zip(rules, encoding.roots, strict=True):
        assert root is not None
        share = SlotTable(diagram, diagram.function(root) & diagram.domain).count / space.count()
        found = evaluate(encoding.circuit, [root], vectors).mean()
        assert abs(share - found) < 0.02, rule.text


def test_a_sum_of_unlike_costs_outgrows_its_diagram(
    construct_rules: Rules, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two costs with unlike weights make too many partial sums: that is an outcome, not a hang."""
    monkeypatch.setattr(constraints.engines.diagram, "MAX_STATES", 500)
    (rule,) = (rule for rule in construct_rules("darts", steps=1) if "2 * params" in rule.text)
    encoding = encode([rule], contexts("darts")[0])
    with pytest.raises(Overgrown):
        Diagram(encoding.circuit, encoding.space).function(encoding.roots[0] or 0)


WIDE = """\
set: wide
language: 1
spaces: [nb201]
tables: {t: {skip: 1, avg3: 3, conv1x1: 900000001, conv3x3: 1000000000}}
rules:
  - {id: a, scope: cell, require: "total(t) + 3 * count(edge(op: skip)) <= 4000000000", why: x, message: x}
  - {id: b, scope: cell, require: "7 * total(t) > 10000000000", why: x, message: x}
  - {id: c, scope: cell, forbid: "total(t) == 1900000005", why: x, message: x}
  - {id: d, scope: cell, forbid: "900000 * total(t) - count(edge(op: avg3)) > 900000000000000", why: x, message: x}
"""


DECIMALS = """\
set: decimals
language: 1
spaces: [nb201]
tables:
  w: {skip: 0.1, avg3: 0.1, conv1x1: 1.1, conv3x3: 1.1}
  v: {skip: 0.25, avg3: 2, conv1x1: 0.5, conv3x3: 1.75}
rules:
  - {id: enough, scope: cell, require: "max over path(input, output) of sum(w) >= 2", why: x, message: x}
  - {id: not-light, scope: cell, forbid: "total(w) <= 1.5", why: x, message: x}
  - {id: mixed, scope: cell, require: "2 * total(w) - total(v) + count(edge(op: skip)) < 3.2", why: x, message: x}
"""


def test_sums_beyond_32_bits_have_one_answer_in_all_engines(contexts: Contexts) -> None:
    """Z3's own atoms take 32 bits: wider sums are put to it in another way, up to 64 bits."""
    set_, context = parse_set(WIDE), contexts("nb201")[0]
    rules = list(set_.rules)
    encoding = encode(rules, context)
    assert all(node.wide for node in encoding.circuit.nodes if isinstance(node, AtMost))
    vectors = space_named("nb201").enumerate()[5::29]
    answers = evaluate(encoding.circuit, [root for root in encoding.roots if root is not None], vectors)
    assert {len(set(column)) for column in answers.T.tolist()} == {2}
    solver = Solver(encoding)
    _assert_equal(rules, answers, _referee(rules, context, vectors), vectors)
    _assert_equal(rules, answers, np.array([solver.verdicts(row) for row in vectors]), vectors)
    answer, witness = solver.ask(passing=range(3))
    assert answer == "sat"
    assert witness is not None
    assert _referee(rules[:3], context, witness[None]).all()


def test_tables_with_decimals_have_one_answer_in_all_engines(contexts: Contexts) -> None:
    """The answer of exact fractions; sums of tables with unlike decimals and of whole numbers are among them."""
    set_, context = parse_set(DECIMALS), contexts("nb201")[0]
    rules, space = list(set_.rules), space_named("nb201")
    vectors = space.enumerate()[2::23]
    encoding = encode(rules, context)
    answers = evaluate(encoding.circuit, [root for root in encoding.roots if root is not None], vectors)
    solver = Solver(encoding)
    _assert_equal(rules, answers, _referee(rules, context, vectors), vectors)
    _assert_equal(rules, answers, np.array([solver.verdicts(row) for row in vectors]), vectors)
    w = {"skip": Fraction("0.1"), "avg3": Fraction("0.1"), "conv1x1": Fraction("1.1"), "conv3x3": Fraction("1.1")}
    v = {"skip": Fraction("0.25"), "avg3": Fraction(2), "conv1x1": Fraction("0.5"), "conv3x3": Fraction("1.75")}
    expected = []
    for row in vectors:
        view = GraphView(space.decode(row, macro=context.macro).cells[0])
        work, other = (sum(table[view.operation(*edge)] for edge in view.live) for table in (w, v))
        paths = [sum(w[name] for name in path.operations) for path in view.between({0}, {3})]
        skips = sum(view.operation(*edge) == "skip" for edge in view.graph.edges)
        expected.append([max(paths, default=-1) >= 2, not work <= 1.5, 2 * work - other + skips < Fraction("3.2")])
    _assert_equal(rules, answers, np.array(expected), vectors)
    assert {len(set(column)) for column in answers.T.tolist()} == {2}


def test_sums_beyond_64_bits_are_refused(contexts: Contexts) -> None:
    """No engine counts so far; the message names the rule."""
    rule = 'require: "999999999999999 * total(t) - 7 * count(edge(op: avg3)) <= 5"'
    text = f"{WIDE[: WIDE.index('  - {id: a')]}  - {{id: far, scope: cell, {rule}, why: x, message: x}}\n"
    with pytest.raises(InputError, match=r"rule 'far' cannot be encoded for nb201: a sum reaches 11,400,000,"):
        encode(parse_set(text).rules, contexts("nb201")[0])
