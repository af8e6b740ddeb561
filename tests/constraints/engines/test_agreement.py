"""All engines give one answer per rule: NumPy, Z3, the decision diagram and the referee."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import constraints.engines.diagram
from constraints import Context, Rule
from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Diagram, Overgrown
from constraints.engines.encoding import encode
from constraints.engines.referee import Referee
from constraints.engines.solver import Solver
from constraints.engines.vectorised import evaluate
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
