"""Reading set files: every problem with its place, imports that only tighten, text that stands on its own."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from constraints import ConstraintSet, load_set, parse_set, shipped_sets
from constraints.language.lexicon import Table
from constraints.language.sentences import say
from constraints.language.syntax import Node
from constraints.loading import setfile
from selfnas.documents import parse_document
from selfnas.errors import InputError

HEAD = """\
set: mine
language: 1
spaces: [nb201]
opsets: {plain: [skip, conv1x1]}
tables: {cost: {skip: 1, conv1x1: 2, conv3x3: 3, avg3: 1.5, unit: us}}
"""


def _rule(body: str, *, scope: str = "cell", name: str = "r") -> str:
    return f"  - id: {name}\n    scope: {scope}\n    {body}\n    why: because\n    message: no\n"


def _load(folder: Path, text: str, name: str = "set.yaml") -> ConstraintSet:
    (folder / name).write_text(text, encoding="utf-8")
    return load_set(folder / name)


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        _load(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "require: exists path(input, output) where all op in plane",
            "set.yaml:9:57: unknown operation or set 'plane'; did you mean 'plain'?",
        ),
        ("require: 'depth <='", "set.yaml:9:23: the expression ends where a number was expected"),
        ("require: depth <= 3 @px", "set.yaml:9:26: unit @px does not fit: this quantity has no unit"),
        ("require: total(cost) <= 3 @ms", "set.yaml:9:32: unit @ms does not fit: use @us"),
        ("require: total(cots) <= 3", "set.yaml:9:20: unknown table 'cots'; did you mean 'cost'?"),
        ("require: params <= 3", "set.yaml:9:14: params is for rules of scope network, not cell"),
        (
            "forbid: >\n      edge(op: skip)\n      then edge(op: convv3x3)",
            "set.yaml:11:21: unknown operation or set 'convv3x3'; did you mean 'conv3x3'?",
        ),
        ("require: node(4) dominates output", "set.yaml:9:19: node 4 is not in a nb201 cell, whose nodes are 0..3"),
        ("requires: depth <= 3", "set.yaml:9:5: unknown key 'requires'; did you mean 'require'?"),
        ("why2: x", "unknown key 'why2'"),
        ("when: space == nb21\n    require: 'true'", "set.yaml:9:20: unknown space 'nb21'; did you mean 'nb201'?"),
        ("require: depth == 1.5", "set.yaml:9:23: 1.5 is never equal to a whole number"),
        ("require: new.x >= old.x", "set.yaml:9:14: old.* and new.* is for rules of scope policy, not cell"),
        ("require: depth <= 9999999999999999999", "numbers go up to"),
        (f"require: {'(' * 40}true{')' * 40}", "nest at most 32 deep"),
    ],
)
def test_a_mistake_is_reported_where_it_stands(tmp_path: Path, body: str, expected: str) -> None:
    """File, line, column, what is wrong, and what may have been meant."""
    found = _problems(tmp_path, HEAD + "rules:\n" + _rule(body))
    assert any(expected in problem for problem in found), found


def test_a_rule_of_bad_form_hides_no_mistake_in_another(tmp_path: Path) -> None:
    """A misspelt scope is named with what may have been meant; the expressions of other rules are read all the same.

    Names of the rule that could not be read stay known.
    """
    text = HEAD + "rules:\n" + _rule("require: depth <= 2", scope="cel", name="a") + _rule("require: dept <= 2")
    text += "    implied_by: [a, b]\n    examples: {reject: [{cell: '|skip~0|', by: [a, c]}]}\n"
    found = _problems(tmp_path, text)
    assert [problem.partition(": ")[0].partition(":")[2] for problem in found] == ["8:5", "14:14", "17:5", "18:25"]
    assert "unknown 'cel'; did you mean 'cell'?" in found[0]
    assert "unknown word 'dept'" in found[1]
    assert "unknown rule 'b'" in found[2]


def test_a_misspelt_space_is_named_alone(tmp_path: Path) -> None:
    """Operations and example cells of the space that was meant are not called unknown as well."""
    text = HEAD.replace("[nb201]", "[nb202, darts]") + "rules:\n" + _rule("require: 'edge(op: conv3x3)'")
    text += "    examples: {admit: ['|conv3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|']}\n"
    found = _problems(
        tmp_path, text.replace("tables: {cost: {skip: 1, conv1x1: 2, conv3x3: 3, avg3: 1.5, unit: us}}", "")
    )
    assert found == ["set.yaml:3:10: unknown space 'nb202'; did you mean 'nb201'?"]


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """One reading names a bad space, operation set, table entry, rule and example together."""
    text = (
        HEAD.replace("nb201", "nb201, nb202").replace("conv1x1]", "conv1x2]").replace("avg3: 1.5", "avg4: 1.5")
        + "rules:\n"
        + _rule("require: dept <= 2")
        + "    examples: {admit: ['|nope~0|'], reject: [{cell: '|a~0|', by: [other]}]}\n"
    )
    found = "\n".join(_problems(tmp_path, text))
    for part in (
        "'nb202'",
        "'conv1x2'",
        "'avg4'",
        "'dept'; did you mean 'depth'?",
        "groups joined",
        "unknown rule 'other'",
    ):
        assert part in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a mapping"),
        ("set: [", "not valid YAML"),
        ("set: x\n", "missing key 'language'"),
        (HEAD + "rules: []\n", "a set needs at least one rule"),
        (HEAD.replace("language: 1", "language: 7") + "rules:\n" + _rule("require: 'true'"), "language 7 is not known"),
        (HEAD + "rules:\n" + _rule("require: 'true'") * 2, "rule 'r' is defined twice"),
        (HEAD + "rules:\n" + _rule("require: 'true'\n    forbid: 'false'"), "not both"),
    ],
)
def test_a_file_that_is_no_set_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """Empty, broken or half-written files are errors, never sets that admit everything."""
    assert any(expected in problem for problem in _problems(tmp_path, text))


def test_an_unknown_shipped_set_suggests_the_nearest() -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(InputError, match="unknown constraint set 'basline'; did you mean 'baseline'"):
        load_set("basline")


def test_a_limit_that_is_not_whole_says_the_same_of_whole_numbers(tmp_path: Path) -> None:
    """Units multiply, fractions round to the side that changes nothing."""
    one = _load(tmp_path, HEAD + "rules:\n" + _rule("require: activation_bytes <= 0.0015 @KiB", scope="network"))
    two = _load(tmp_path, HEAD + "rules:\n" + _rule("require: activation_bytes < 2", scope="network"))
    assert "1" in one.rules[0].meaning
    assert one.rules[0].condition.limit == 1  # type: ignore[union-attr]
    assert two.rules[0].condition.limit == 2  # type: ignore[union-attr]


def test_entries_with_decimals_are_counted_exactly(tmp_path: Path) -> None:
    """Entries and limits are multiplied to be whole; what is said of a rule is in the author's numbers."""
    table = "{skip: 1, conv1x1: 2, conv3x3: 3, avg3: 1.5, unit: us}"
    rules = {
        "sum": "min over path(input, output) of sum(cost) >= 1.25",
        "where": "exists path(input, output) where sum(cost) < 2.5 @us",
        "total": "2 * total(cost) + count(edge(op: skip)) <= 7.5",
        "length": "depth <= 3",
    }
    text = HEAD + "rules:\n" + "".join(_rule(f"require: '{body}'", name=name) for name, body in rules.items())
    found = _load(tmp_path, text)
    assert found.tables["cost"] == Table(entries={"skip": 2, "conv1x1": 4, "conv3x3": 6, "avg3": 3}, unit="us", scale=2)
    smallest, some, total, length = (rule.condition for rule in found.rules)
    assert smallest.limit == 3  # type: ignore[union-attr]
    assert some.where.limit == 5  # type: ignore[union-attr]
    assert [weight for weight, _ in total.terms] == [2, 2]  # type: ignore[union-attr]
    assert total.limit == 15  # type: ignore[union-attr]
    assert length.limit == 3  # type: ignore[union-attr]
    assert say(smallest).endswith("is at least 1.5")  # the next sum that there is
    assert say(total) == (
        "2 times the total of cost over live edges plus the number of present edges with skip is at most 7.5"
    )
    doubled = text.replace(table, "{skip: 2, conv1x1: 4, conv3x3: 6, avg3: 3, unit: us}")
    doubled = (
        doubled.replace("1.25", "2.5")
        .replace("2.5 @us", "5 @us")
        .replace("2 * total(cost) + count", "2 * total(cost) + 2 * count")
    )
    assert _load(tmp_path, doubled.replace("7.5", "15")).digest == found.digest


@pytest.mark.parametrize(
    ("entry", "body", "expected"),
    [
        ("1.5", "max over path(input, output) of product(cost) <= 3", "a product needs whole entries of at least 1"),
        ("0.0000001", "depth <= 3", "set.yaml:5:50: an entry has at most six decimals, not 1e-07"),
        ("1.5", "total(cost) == 1.25", "1.25 is never equal to a multiple of 0.5, as the table's numbers are"),
    ],
)
def test_decimals_that_cannot_be_counted_exactly_are_refused(
    tmp_path: Path, entry: str, body: str, expected: str
) -> None:
    """Products of decimals, more than six places, and a sum that there is not."""
    found = _problems(tmp_path, HEAD.replace("1.5", entry) + "rules:\n" + _rule(f"require: {body}"))
    assert any(expected in problem for problem in found), found


def test_imports_add_and_tighten(tmp_path: Path) -> None:
    """An importing set holds the imported rules, its own, and tightened limits; its text stands on its own."""
    _load(
        tmp_path,
        HEAD + "rules:\n" + _rule("require: depth <= 3") + _rule("forbid: 'edge(op: avg3)'", name="q"),
        "base.yaml",
    )
    text = (
        "set: strict\nlanguage: 1\nimport: [base.yaml]\nspaces: [nb201]\n"
        "tighten:\n  - {id: r, require: depth <= 2, message: shorter}\n"
        "rules:\n" + _rule("require: edge(op in plain)", name="own")
    )
    strict = _load(tmp_path, text)
    assert [rule.id for rule in strict.rules] == ["r", "q", "own"]
    assert strict.rules[0].text == "(depth <= 3) and (depth <= 2)"
    assert strict.rules[0].message == "shorter"
    again = parse_set(strict.text)
    assert again.digest == strict.digest
    assert [rule.message for rule in again.rules] == [rule.message for rule in strict.rules]


def test_a_tightened_rule_is_the_conjunction_of_what_was_read(tmp_path: Path) -> None:
    """Each part is read by itself, and the text that says all of it means the same when it is read again."""
    base = _load(tmp_path, HEAD + "rules:\n" + _rule("forbid: 'depth > 3 or edge(op: avg3)'"), "base.yaml")
    parts = (
        "require: 'depth <= 2 and not edge(op: avg3)'",
        "forbid: 'depth > 1 or edge(op: avg3)'",
        "require: 'not (depth > 0 or edge(op: avg3))'",
    )
    head = "set: strict\nlanguage: 1\nimport: [base.yaml]\nspaces: [nb201]\ntighten:\n"
    strict = _load(tmp_path, head + "".join(f"  - {{id: r, {part}, why: now}}\n" for part in parts))
    alone = [_load(tmp_path, HEAD + "rules:\n" + _rule(part)).rules[0].condition for part in parts]
    kept = Node("not", (base.rules[0].condition,))
    demands = (alone[0], Node("not", (alone[1],)), alone[2])
    assert strict.rules[0].condition == functools.reduce(lambda old, new: Node("and", (old, new)), demands, kept)
    assert not strict.rules[0].forbids
    assert (strict.rules[0].why, parse_set(strict.text).digest) == ("now", strict.digest)


def test_mistakes_in_a_tightened_rule_stand_in_the_file_that_tightens(tmp_path: Path) -> None:
    """A node that is missing, an expression that is too long together with the rule's, both keys or neither."""
    _load(tmp_path, HEAD + "rules:\n" + _rule("require: depth <= 3"), "base.yaml")
    head = "set: strict\nlanguage: 1\nimport: [base.yaml]\nspaces: [nb201]\ntighten:\n"
    long = "depth <= 2" + " and true" * 442
    for body, expected in (
        ("require: node(4) dominates output", "set.yaml:6:27: node 4 is not in a nb201 cell"),
        (f"require: {long}", "set.yaml:6:13: with this, an expression has at most 4,000 characters, not 4,007"),
        (
            "require: depth <= 2, forbid: depth > 2",
            "set.yaml:6:5: 'tighten' of 'r' needs either 'require' or 'forbid', not both",
        ),
        ("why: because", "set.yaml:6:5: 'tighten' of 'r' needs either 'require' or 'forbid'"),
        ("require: ''", "set.yaml:6:23: the expression ends where"),
    ):
        [found] = _problems(tmp_path, head + f"  - {{id: r, {body}}}\n")
        assert found.startswith(expected)


def test_an_empty_requirement_does_not_turn_what_is_forbidden_around(tmp_path: Path) -> None:
    """A rule has one expression, under one key; an empty one is a mistake of its own."""
    found = _problems(tmp_path, HEAD + "rules:\n" + _rule("require: ''\n    forbid: depth > 3"))
    assert found == ["set.yaml:7:5: rule 'r' needs either 'require' or 'forbid', not both"]


def test_loosening_an_imported_rule_is_an_error_with_a_witness(tmp_path: Path) -> None:
    """A larger limit, or another condition that lets something in, is refused and shows what it would let in."""
    _load(tmp_path, HEAD + "rules:\n" + _rule("require: depth <= 2"), "base.yaml")
    head = "set: loose\nlanguage: 1\nimport: [base.yaml]\nspaces: [nb201]\n"
    for body in ("require: depth <= 3", "forbid: 'edge(op: avg3)'"):
        found = _problems(tmp_path, head + f"tighten:\n  - {{id: r, {body}}}\n")
        assert "set.yaml:6:6: this would loosen the imported rule 'r', which forbids nb201/" in found[0]
    found = _problems(tmp_path, head + "rules:\n" + _rule("require: depth <= 3"))
    assert "rule 'r' is imported already: to forbid more, put it under 'tighten'" in found[0]
    found = _problems(tmp_path, head + "tighten:\n  - {id: s, require: depth <= 1}\n")
    assert "no imported rule is called 's'" in found[0]


def test_policy_rules_can_be_tightened_but_not_loosened(tmp_path: Path) -> None:
    """The same holds for rules on changes of policy, over all whole numbers."""
    base = HEAD + "rules:\n" + _rule("require: new.x >= old.x", scope="policy")
    _load(tmp_path, base, "base.yaml")
    head = "set: p\nlanguage: 1\nimport: [base.yaml]\nspaces: [nb201]\ntighten:\n"
    _load(tmp_path, head + "  - {id: r, require: new.x >= old.x + 1}\n")
    found = _problems(tmp_path, head + "  - {id: r, require: new.x >= old.x - 1}\n")
    assert "would loosen" in found[0]
    assert "new.x = " in found[0]


def test_imports_that_go_in_circles_or_nowhere_are_errors(tmp_path: Path) -> None:
    """A circle is named; a missing file is reported."""
    (tmp_path / "a.yaml").write_text("set: a\nlanguage: 1\nimport: [b.yaml]\nspaces: [nb201]\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("set: b\nlanguage: 1\nimport: [a.yaml]\nspaces: [nb201]\n", encoding="utf-8")
    with pytest.raises(InputError, match="imports itself"):
        load_set(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("set: c\nlanguage: 1\nimport: [d.yaml]\nspaces: [nb201]\n", encoding="utf-8")
    with pytest.raises(InputError, match="no such file"):
        load_set(tmp_path / "c.yaml")


def test_a_file_is_read_once_however_many_import_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight files that each import the next one eight times, under eight names, are eight files to read."""
    parsed = []

    def counted(text: str, *rest: object, **named: str) -> object:
        parsed.append(named["name"])
        return parse_document(text, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(setfile, "parse_document", counted)
    (tmp_path / "x").mkdir()
    for level in range(7):
        names = ", ".join("x/../" * times + f"l{level + 1}.yaml" for times in range(8))
        text = f"set: l{level}\nlanguage: 1\nspaces: [nb201]\nimport: [{names}]\n"
        (tmp_path / f"l{level}.yaml").write_text(text)
    fanned = _load(tmp_path, HEAD + "rules:\n" + _rule("require: depth <= 3"), "l7.yaml")
    parsed.clear()
    assert load_set(tmp_path / "l0.yaml").digest == fanned.digest
    assert len(parsed) == 8


def test_imports_are_eight_files_deep_at_most_by_whichever_way(tmp_path: Path) -> None:
    """A file that was reached by a short way is still too deep by a long one."""
    for level in range(8):
        imported = f"[l{level + 1}.yaml]" if level else "[l5.yaml, l1.yaml]"
        text = f"set: l{level}\nlanguage: 1\nspaces: [nb201]\nimport: {imported}\n"
        (tmp_path / f"l{level}.yaml").write_text(text)
    _load(tmp_path, HEAD + "rules:\n" + _rule("require: depth <= 3"), "l8.yaml")
    with pytest.raises(InputError, match=r"l0\.yaml: imports go more than 8 files deep"):
        load_set(tmp_path / "l0.yaml")
    assert load_set(tmp_path / "l1.yaml").rules


def test_a_set_has_no_more_rules_than_its_text_may_have(tmp_path: Path) -> None:
    """Imported ones count: a ledger keeps all of them in one text, which must be read again."""
    for name, count in (("a", 120), ("b", 81)):
        rules = "".join(_rule("require: depth <= 3", name=f"{name}{number}") for number in range(count))
        (tmp_path / f"{name}.yaml").write_text(HEAD + "rules:\n" + rules)
    head = "set: both\nlanguage: 1\nspaces: [nb201]\nimport: [a.yaml, b.yaml]\n"
    assert _problems(tmp_path, head) == [
        "set.yaml:4:1: with what it imports the set has 201 rules: at most 200 are read"
    ]
    (tmp_path / "b.yaml").write_text((tmp_path / "b.yaml").read_text().rpartition("  - id")[0])
    both = _load(tmp_path, head)
    assert (len(both.rules), parse_set(both.text).digest) == (200, both.digest)


def test_a_rule_that_one_of_two_imports_tightens_is_two_rules(tmp_path: Path) -> None:
    """What one file adds to a rule does not reach the rule as another file imports it; so the ids clash, either way."""
    _load(tmp_path, HEAD + "rules:\n" + _rule("require: depth <= 3"), "base.yaml")
    head = "language: 1\nspaces: [nb201]\nimport: "
    (tmp_path / "tight.yaml").write_text(f"set: t\n{head}[base.yaml]\ntighten: [{{id: r, require: depth <= 2}}]\n")
    (tmp_path / "same.yaml").write_text(f"set: s\n{head}[base.yaml]\n")
    for imported in ("[tight.yaml, same.yaml]", "[same.yaml, tight.yaml]"):
        assert "rule 'r' is imported already" in _problems(tmp_path, f"set: both\n{head}{imported}\n")[0]
    assert len(_load(tmp_path, f"set: both\n{head}[same.yaml, base.yaml]\n").rules) == 1


def test_a_file_called_as_a_shipped_set_may_import_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are two files, though messages call both of them alike."""
    monkeypatch.chdir(tmp_path)
    Path("baseline.yaml").write_text("set: mine\nlanguage: 1\nspaces: [nb201]\nimport: [baseline]\n")
    assert load_set("baseline.yaml").name == "mine"


@pytest.mark.parametrize("name", shipped_sets())
def test_shipped_sets_load_and_their_text_reads_as_the_same_set(name: str, tmp_path: Path) -> None:
    """What a ledger keeps of a set is enough to have the set again, from the text as from a file of it."""
    shipped = load_set(name)
    read, written = parse_set(shipped.text), _load(tmp_path, shipped.text)
    assert read.digest == written.digest == shipped.digest
    assert read.text == written.text == shipped.text
    assert [rule.examples for rule in read.rules] == [rule.examples for rule in written.rules]


def test_a_text_imports_shipped_sets_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded text means the same wherever it is read: no file beside the reader enters it."""
    head = "set: mine\nlanguage: 1\nspaces: [nb201]\nimport: [{}]\ntighten:\n  - {{id: shallow, require: depth <= 2}}\n"
    assert parse_set(head.format("baseline")).digest == _load(tmp_path, head.format("baseline")).digest
    monkeypatch.chdir(tmp_path)
    for name in ("set.yaml", "./set.yaml", str(tmp_path / "set.yaml"), "set"):
        (tmp_path / "set").write_text((tmp_path / "set.yaml").read_text())
        with pytest.raises(
            InputError, match=r"recorded\.yaml:4:10: '.*' is not a shipped set, and a text has no folder"
        ):
            parse_set(head.format(name), name="recorded.yaml")


def test_a_set_for_fewer_spaces_than_what_it_imports_has_a_text_of_its_own(tmp_path: Path) -> None:
    """Operations of the other spaces do not enter it: neither in named sets, nor in tables."""
    wide = HEAD.replace("[nb201]", "[nb201, darts]").replace("conv1x1]", "conv1x1, max3]")
    wide = wide.replace("avg3: 1.5", "avg3: 2, max3: 1, sep3x3: 3, sep5x5: 4, dil3x3: 5, dil5x5: 6")
    rules = _rule("require: exists path(input, output) where all op in plain") + _rule(
        "forbid: total(cost) > 9", name="t"
    )
    _load(tmp_path, wide + "rules:\n" + rules, "wide.yaml")
    narrow = _load(tmp_path, "set: narrow\nlanguage: 1\nspaces: [nb201]\nimport: [wide.yaml]\n")
    again = parse_set(narrow.text)
    assert (again.digest, again.opsets, again.tables) == (narrow.digest, narrow.opsets, narrow.tables)
    assert again.opsets["plain"] == {"skip", "conv1x1"}
    assert set(again.tables["cost"].entries) == {"skip", "conv1x1", "conv3x3", "avg3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "rules:\n" + _rule("require: 'depth <='"), "mine.yaml:9:23: the expression ends where a number"),
        ("set: mine\n# " + "x" * 1_000_000, "mine.yaml: larger than 1,000,000 bytes"),
        (HEAD + "rules:\n" + _rule("require: depth <= 3").replace("because", "\ud800"), "mine.yaml: not UTF-8 text"),
    ],
)
def test_a_text_is_held_to_what_a_file_of_it_is_held_to(text: str, expected: str) -> None:
    """Mistakes have their line and column under the given name; size and encoding are checked as well."""
    with pytest.raises(InputError) as caught:
        parse_set(text, name="mine.yaml")
    assert [str(problem).startswith(expected) for problem in caught.value.problems] == [True]
