"""What an author is told about a set: examples and mutants, lint, the exact effect of an edit, what each rule costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from constraints import ConstraintSet, Context, Guard, load_set, shipped_sets
from constraints.analysis.difference import allowance_covers, compare_sets
from constraints.analysis.example_tests import try_examples
from constraints.analysis.impact import price_on_table, revoked, sole_stops
from constraints.analysis.lint import lint_set
from constraints.language.sentences import say
from constraints.loading.formatting import format_expression, format_set
from constraints.loading.setfile import gather
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named

SMALL = Context(
    space=space_named("nb201"),
    macro=Macro(channels=8, depth=1, resolution=16),
    shape=TaskShape(channels=1, size=(8, 8), classes=10),
)
LARGE = Context(space=space_named("nb201"), macro=Macro(), shape=TaskShape(channels=3, size=(32, 32), classes=10))


def _edited(tmp_path: Path, *edits: tuple[str, str]) -> ConstraintSet:
    """The baseline with some text replaced."""
    text = load_set("baseline").text
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "edited.yaml").write_text(text, encoding="utf-8")
    return load_set(tmp_path / "edited.yaml")


def _written(tmp_path: Path, rules: str, extra: str = "") -> ConstraintSet:
    text = f"set: mine\nlanguage: 1\nspaces: [nb201]\n{extra}rules:\n"
    for line in rules.strip().splitlines():
        text += f"  - {{{line.strip()}, why: because, message: no}}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return load_set(tmp_path / "mine.yaml")


@pytest.mark.parametrize("name", shipped_sets())
def test_shipped_sets_pass_their_examples_and_every_mutant_is_noticed(name: str) -> None:
    """The rules expected to fire fire, every rule both passes and fires, and no mutant goes unnoticed."""
    outcome = try_examples(load_set(name))
    assert (outcome.failures, outcome.never_passed, outcome.never_fired, outcome.survivors) == ((), (), (), ())
    assert outcome.examples > 4
    assert outcome.killed > 5


@pytest.mark.parametrize("name", shipped_sets())
def test_shipped_sets_are_formatted(name: str) -> None:
    """`fmt --check` finds nothing to do."""
    source = gather(name).source
    assert format_set(source.text) == source.text


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_sets())
def test_shipped_sets_are_lint_clean(name: str) -> None:
    """Nothing redundant, empty, slack or unused in any shipped set, over all its spaces."""
    assert lint_set(load_set(name)) == ()


def test_a_wrong_example_and_an_unnoticed_mutant_are_named(tmp_path: Path) -> None:
    """A changed rule makes its examples fail where they stand; a dropped example lets mutants live."""
    outcome = try_examples(_edited(tmp_path, ("depth <= 3", "depth <= 2")), mutate=False)
    assert any("expected no rule to fire, but shallow did" in failure for failure in outcome.failures)
    assert outcome.failures[0].startswith(f"{tmp_path}/edited.yaml:")
    weak = _written(tmp_path, 'id: a, scope: cell, require: "depth <= 2"')
    outcome = try_examples(weak)
    assert outcome.never_passed == outcome.never_fired == ("a",)
    assert {survivor.change for survivor in outcome.survivors} >= {"dropped", "inverted", "limit 2 became 1"}
    assert outcome.score == 0


@pytest.mark.parametrize(
    ("rules", "kind", "words"),
    [
        ('id: a, scope: cell, require: "depth <= 3"', "slack-limit", "no architecture comes near its limit"),
        ('id: a, scope: cell, require: "edge() or not edge()"', "everything-passes", "every architecture passes it"),
        ('id: a, scope: cell, require: "depth >= 4"', "nothing-passes", "no architecture of nb201 passes it"),
        ('id: a, scope: cell, when: "cell == reduce", require: "depth >= 2"', "never-applies", "applies to nothing"),
        (
            'id: a, scope: cell, require: "depth <= 1"\nid: b, scope: cell, require: "count(edge()) <= 5"\n'
            'id: c, scope: cell, require: "depth <= 2"',
            "redundant",
            "it turns nothing away that a would not",
        ),
        (
            'id: a, scope: cell, require: "depth <= 1"\nid: b, scope: cell, require: "count(edge()) >= 4"\n'
            'id: c, scope: cell, require: "node(2) dominates output"\n'
            'id: d, scope: cell, require: "fan_in(output) >= 1"\nid: e, scope: cell, require: "not edge(dead)"',
            "nothing-admitted",
            "together these rules admit nothing in nb201: a, c, d, e",
        ),
        (
            'id: a, scope: cell, require: "depth <= 2"\nid: b, scope: cell, implied_by: [a], require: "depth >= 1"',
            "not-implied",
            "it is not implied by a",
        ),
    ],
)
def test_lint_names_what_is_wrong(tmp_path: Path, rules: str, kind: str, words: str) -> None:
    """Each kind of finding, with the rules concerned."""
    found = lint_set(_written(tmp_path, rules))
    assert any(finding.kind == kind and words in finding.message for finding in found), found


def test_lint_finds_words_nobody_uses(tmp_path: Path) -> None:
    """An operation set or table that no rule mentions is reported."""
    rules = 'id: a, scope: cell, require: "depth <= 2"'
    found = lint_set(_written(tmp_path, rules, "opsets: {free: [skip]}\ntables: {cost: {skip: 1}}\n"))
    assert [(finding.kind, finding.rule) for finding in found] == [("unused", "free"), ("unused", "cost")]


@pytest.mark.parametrize(
    ("edits", "context", "relation"),
    [
        ([("params <= 60 @kparam", "params <= 40 @kparam")], SMALL, "stricter"),
        ([("params <= 1 @Mparam", "params <= 1.2 @Mparam")], LARGE, "looser"),
        ([('"motif {a -> b: skip, b -> c: skip, a -> c: skip}"', '"false"')], SMALL, "looser"),
        ([("depth <= 3", "depth <= 2"), ("receptive_field >= 32", "receptive_field >= 8")], SMALL, "incomparable"),
        ([("id: shallow", "id: not-deep"), ("that can influence nothing", "x")][:1], SMALL, "equivalent"),
    ],
)
def test_an_edit_is_counted_exactly(
    tmp_path: Path, edits: list[tuple[str, str]], context: Context, relation: str
) -> None:
    """Five edits of the baseline: relation and counts equal brute force over nb201, samples lie on the right side."""
    old, new = load_set("baseline"), _edited(tmp_path, *edits)
    difference = compare_sets(old, new, [context])
    (found,) = difference.spaces
    before, after = (Guard(s, space=context.space, macro=context.macro, shape=context.shape) for s in (old, new))
    everything = before.space.enumerate()
    was, is_ = before.admits(everything), after.admits(everything)
    assert (found.gained.count.value, found.lost.count.value) == ((is_ & ~was).sum(), (was & ~is_).sum())
    assert found.gained.count.exact
    assert found.relation == difference.relation == relation
    for sample in found.gained.samples:
        assert (before.decide(sample).verdict, after.decide(sample).verdict) == ("reject", "admit")
    for sample in found.lost.samples:
        assert (before.decide(sample).verdict, after.decide(sample).verdict) == ("admit", "reject")


def test_an_allowance_names_count_and_witness(tmp_path: Path) -> None:
    """A loosening passes only with an entry that covers its count and names a witness of it."""
    old = load_set("baseline")
    new = _edited(tmp_path, ('"motif {a -> b: skip, b -> c: skip, a -> c: skip}"', '"false"'))
    difference = compare_sets(old, new, [SMALL])
    (found,) = difference.spaces
    witness, count = str(found.gained.samples[0]), found.gained.count.value
    assert "lets in" in allowance_covers(difference, [])[0]
    assert "lets in" in allowance_covers(difference, [("nb201", witness, count - 1)])[0]
    assert "names no witness" in allowance_covers(difference, [("nb201", "other", count)])[0]
    assert allowance_covers(difference, [("nb201", witness, count)]) == []


def test_policy_rules_are_compared_over_all_numbers(tmp_path: Path) -> None:
    """Dropping a policy rule is a loosening, with a change of policy as witness."""
    old = load_set("policy")
    text = old.text.replace("new.batch <= 32", "new.batch <= 33")
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    difference = compare_sets(old, load_set(tmp_path / "p.yaml"), [])
    assert difference.relation == difference.policy == "looser"
    assert "new.batch = 33" in difference.policy_witness


def test_what_only_one_rule_stops_is_counted(tmp_path: Path) -> None:
    """Counts of sole stops equal brute force over nb201, and samples break that rule alone."""
    guard = Guard(load_set("baseline"), space=space_named("nb201"), macro=SMALL.macro, shape=SMALL.shape)
    everything = guard.space.enumerate()
    broken = guard.violations(everything)
    alone = broken.sum(axis=1) == 1
    for impact in sole_stops(guard):
        column = [rule.id for rule in guard.rules].index(impact.rule)
        assert impact.alone.value == (broken[:, column] & alone).sum()
        for sample in impact.samples:
            assert guard.decide(sample).failed == (impact.rule,)


def test_a_library_and_a_table_are_priced() -> None:
    """What a set revokes of a library, and what it costs in the best score of a table."""
    guard = Guard(load_set("baseline"), space=space_named("nb201"), macro=SMALL.macro, shape=SMALL.shape)
    vectors = space_named("nb201").draw(np.random.default_rng(0), 30)
    library = [guard.space.decode(row, macro=SMALL.macro) for row in vectors]
    out = revoked(guard, library)
    assert {item.architecture for item in out} == {
        str(a) for a, good in zip(library, guard.admits(vectors), strict=True) if not good
    }
    scores = {str(a).partition(":")[2]: float(i) for i, a in enumerate(library)}
    whole = price_on_table(guard, scores)[0]
    assert (whole.admitted, whole.best) == (guard.admits(vectors).sum(), 29.0)
    assert whole.best_admitted == float(np.flatnonzero(guard.admits(vectors)).max())


def test_formatting_keeps_comments_and_changes_nothing_twice() -> None:
    """Spacing becomes canonical, comments stay, a second pass does nothing."""
    text = (
        "# top\nset:   a\nrules:\n-   id: x   # first\n    require:  depth<=3   and not(edge( op:skip ))\n"
        "    when: space==transnas-micro\n"
    )
    once = format_set(text)
    assert once == format_set(once)
    assert "depth <= 3 and not (edge(op: skip))" in once
    assert "when: space == transnas-micro" in once
    assert once.startswith("# top\n")
    assert "# first" in once


@pytest.mark.parametrize("name", shipped_sets())
def test_every_rule_can_be_said_in_a_sentence(name: str) -> None:
    """Explanations read as words: no syntax of the language is left in them."""
    for rule in load_set(name).rules:
        sentence = say(rule.condition)
        assert sentence
        assert not set("{}@<>=") & set(sentence)
        assert format_expression(rule.text)
