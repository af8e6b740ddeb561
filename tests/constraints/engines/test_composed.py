"""Composed operators are judged on what they are written out, by every engine alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraints import Context, Guard, Rule, load_set, verify_certificate
from constraints.analysis.example_tests import try_examples
from constraints.engines.counting import SlotTable
from constraints.engines.diagram import Diagram
from constraints.engines.encoding import encode
from constraints.engines.referee import Referee
from constraints.engines.solver import Solver
from constraints.engines.vectorised import evaluate
from constraints.language.lexicon import Vocabulary
from selfnas.errors import ArchitectureError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import parse_architecture, space_named
from tests.constraints.engines.test_random_rules import _ANY_RULE, _RELAXED, _SHAPES, _rule

SPACE = "nb201{conv3x3>avg3,conv1x1>conv3x3&skip,avg3>conv1x1>skip}"  # each form an operator has
MACRO, SHAPE = Macro(channels=8, depth=1, resolution=16), TaskShape(channels=1, size=(8, 8), classes=10)
DEEP = """\
set: deep
language: 1
spaces: [nb201]
rules:
  - id: shallow
    scope: cell
    require: depth <= 4
    why: deep cells are hard to explain
    message: more than four operations in a row
    examples:
      admit:
        - "nb201{conv3x3>avg3}/c4n1r8:|conv3x3>avg3~0|+|none~0|conv3x3~1|+|none~0|none~1|conv3x3~2|"
      reject:
        - cell: "nb201{conv3x3>avg3}/c4n1r8:|conv3x3>avg3~0|+|none~0|conv3x3>avg3~1|+|none~0|none~1|conv3x3~2|"
          shape: 1x8x8/10
"""
OPERATIONS = ("skip", "conv1x1", "conv3x3", "avg3")


def test_every_construct_has_one_answer_in_all_engines(construct_rules: Callable[..., list[Rule]]) -> None:
    """Sixty random cells with operators of all forms: NumPy, Z3 and the referee agree on each construct."""
    rules, space = construct_rules("nb201", steps=1), space_named(SPACE)
    context = Context(space=space_named(SPACE), macro=MACRO, shape=SHAPE)
    encoding, referee = encode(rules, context), Referee(rules, context)
    solver = Solver(encoding)
    vectors = space.draw(np.random.default_rng(0), 60)
    roots = [root for root in encoding.roots if root is not None]
    assert len(roots) == len(rules)
    answers = evaluate(encoding.circuit, roots, vectors)
    assert 0 < (vectors > len(OPERATIONS)).mean() < 1
    for row, found in zip(vectors, answers, strict=True):
        assert referee.verdicts(space.decode(row, macro=MACRO)) == solver.verdicts(row) == found.tolist()


@settings(_RELAXED, max_examples=25)
@given(kind=_ANY_RULE, forbids=st.booleans(), shape=_SHAPES, seed=st.integers(0, 2**32 - 1))
def test_engines_agree_on_random_rules(
    vocabulary: Callable[[str], Vocabulary], kind: tuple[str, str], forbids: bool, shape: TaskShape, seed: int
) -> None:
    """A random rule on random cells with operators: NumPy and referee on 20, Z3 on two."""
    space, context = space_named(SPACE), Context(space=space_named(SPACE), macro=MACRO, shape=shape)
    rule = _rule(kind, vocabulary("nb201"), forbids)
    encoding, referee = encode([rule], context), Referee([rule], context)
    (root,) = encoding.roots
    assert root is not None
    vectors = space.draw(np.random.default_rng(seed), 20)
    answers = evaluate(encoding.circuit, [root], vectors)[:, 0]
    for row, answer in zip(vectors, answers, strict=True):
        assert referee.verdicts(space.decode(row, macro=context.macro)) == [answer]
    solver = Solver(encoding)
    for row, answer in zip(vectors[:2], answers[:2], strict=True):
        assert solver.verdicts(row) == [answer]


def test_the_diagram_counts_what_numpy_finds() -> None:
    """Of the 46,656 cells with one operator, `baseline` admits as many by diagram as by evaluation of each."""
    space = space_named("nb201{conv3x3>avg3}")
    guard = Guard(load_set("baseline"), space=space, macro=MACRO, shape=SHAPE)
    diagram = Diagram(guard.encoding.circuit, space)
    for root in guard.encoding.roots:
        if root is not None:
            count = SlotTable(diagram, diagram.function(root) & diagram.domain).count
            assert count == evaluate(guard.encoding.circuit, [root], space.enumerate()).sum()
    assert guard.count().value == guard.admits(space.enumerate()).sum()


def test_an_operator_is_judged_as_the_plain_cell_that_it_is() -> None:
    """Two operations in a chain, alone or beside a third: operator and plain spelling pass and fail the same rules."""
    rules, letters = load_set("baseline"), set()
    plain = Guard(rules, space=space_named("nb201"), macro=MACRO, shape=SHAPE)
    for first, second, beside in itertools.product(OPERATIONS, OPERATIONS, ("", "skip", "conv3x3")):
        operator = f"{first}>{second}" + (f"&{beside}" if beside else "")
        guard = Guard(rules, space=space_named(f"nb201{{{operator}}}"), macro=MACRO, shape=SHAPE)
        head = f"{guard.space.name}/{MACRO}:"
        one = parse_architecture(f"{head}|none~0|+|none~0|none~1|+|{operator}~0|none~1|none~2|")
        other = parse_architecture(
            f"nb201/{MACRO}:|none~0|+|{first}~0|none~1|+|{beside or 'none'}~0|none~1|{second}~2|"
        )
        composed, spelled = guard.decide(one), plain.decide(other)
        assert dict(composed.rules) == dict(spelled.rules)
        assert one.digest == other.digest
        assert not verify_certificate(composed.certificate, rules)
        letters.add(composed.certificate.rules)
    assert len(letters) > 2


def test_a_certificate_for_another_operator_does_not_hold() -> None:
    """What was certified of one operator says nothing of another, nor of a space with one more."""
    rules = load_set("baseline")
    guard = Guard(rules, space=space_named("nb201{conv3x3>conv1x1}"), macro=MACRO, shape=SHAPE)
    text = "nb201{conv3x3>conv1x1}/c8n1r16:|none~0|+|none~0|none~1|+|conv3x3>conv1x1~0|none~1|none~2|"
    certificate = guard.decide(parse_architecture(text)).certificate
    for new in ("conv3x3>skip", "conv1x1>conv3x3"):
        forged = type(certificate).from_json(certificate.to_json().replace("conv3x3>conv1x1", new))
        assert any("was issued under guard" in problem for problem in verify_certificate(forged, rules))


def test_a_rule_may_have_examples_with_operators(tmp_path: Path) -> None:
    """Plain cells of four nodes are never four deep; with an operator they are, and an example shows the rule fire."""
    place = tmp_path / "deep.yaml"
    place.write_text(DEEP)
    outcome = try_examples(load_set(place))
    assert (outcome.examples, outcome.failures, outcome.never_fired, outcome.survivors) == (2, (), (), ())


def test_a_space_of_fixed_fan_in_takes_no_operators() -> None:
    """In darts no operator can stand alone, so there is nothing that could be judged."""
    with pytest.raises(ArchitectureError, match="takes no composed operators"):
        Guard(load_set("baseline"), space=space_named("darts{sep3x3>dil3x3}"), macro=MACRO, shape=SHAPE)
