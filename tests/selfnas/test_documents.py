"""Files that people edit: every problem with its place, and nothing hostile gets through."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from selfnas.documents import StrictModel, parse_document, read_document
from selfnas.errors import InputError


class Item(StrictModel):
    """One entry."""

    id: str
    bound: int = Field(default=3, ge=0)
    kind: Literal["a", "b"] = "a"


class Whole(StrictModel):
    """A file."""

    name: str
    rate: float = 1.0
    items: list[Item] = Field(default_factory=list)


GOOD = "name: x\nitems:\n  - {id: one, bound: 2}\n  - id: two\n    kind: b\n"


def problems(text: str, *overrides: str) -> str:
    """The message about a text."""
    with pytest.raises(InputError) as caught:
        parse_document(text, Whole, name="f.yaml", overrides=overrides)
    return str(caught.value)


def test_a_good_file_is_read_with_places() -> None:
    """Values come with the line and column of their keys."""
    document = parse_document(GOOD, Whole, name="f.yaml")
    assert document.value.items[1].kind == "b"
    assert str(document.problem(("items", 1, "kind"), "odd")) == "f.yaml:5:5: odd"
    assert str(document.problem(("items", 7, "kind"), "odd")) == "f.yaml:2:1: odd"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nitms: []\n", "f.yaml:2:1: unknown key 'itms'; did you mean 'items'?"),
        ("name: x\nitems:\n  - {id: a, bund: 1}\n", "f.yaml:3:13: unknown key 'bund'; did you mean 'bound'?"),
        ("name: 3\n", "f.yaml:1:1: name: need a text, not 3"),
        ("name: x\nitems:\n  - {id: a, bound: -1}\n", "f.yaml:3:13: bound: need at least 0"),
        ("rate: 1\n", "f.yaml:1:1: missing key 'name'"),
        ("name: x\nname: y\n", "f.yaml:2:1: not valid YAML: while constructing a mapping found duplicate key"),
        ("name: [x\n", "f.yaml:2:1: not valid YAML"),
        ("- 1\n", "f.yaml:1:1: expected a mapping"),
        ("", "f.yaml:1:1: expected a mapping"),
        ("name: &a x\nitems: [*a]\n", "f.yaml:1:7: anchors, aliases and tags are not used here"),
        ("name: !!python/object:os.system x\n", "anchors, aliases and tags are not used here"),
        ("name: x\n<<: {rate: 2}\n", "f.yaml:2:1: merge keys (<<) are not used here"),
        ("name: x\nitems:\n  - {id: a, <<: [{bound: 1}]}\n", "f.yaml:3:13: merge keys (<<) are not used here"),
        ("name: <<\n", "f.yaml:1:7: merge keys (<<) are not used here: write the keys out, or quote the text"),
        ("%YAML 1.1\n---\nname: x\n", "f.yaml:2:1: directives such as %YAML are not used here"),
        ("%YAML 1.3\n---\nname: x\n", "f.yaml: not valid YAML: version"),
        ("%TAG ! tag:x\n---\nname: x\n", "f.yaml:2:1: directives such as %YAML are not used here"),
        ('name: "\\e[31mred\\e[0m"\n', "f.yaml:1:7: control characters are not used here, such as U+001B"),
        ('name: x\n"a\\x9b": 1\n', "f.yaml:2:1: control characters are not used here, such as U+009B"),
        ('name: "a\\rb"\n', "f.yaml:1:7: control characters are not used here, such as U+000D"),
        ('name: "\\u202Egnp.exe"\n', "f.yaml:1:7: control characters are not used here, such as U+202E"),
        ("name: x\nrate: a\u2066b\n", "f.yaml:2:8: control characters are not used here, such as U+2066"),
        ("name: x # harmless \u202e\n", "f.yaml:1:20: control characters are not used here, such as U+202E"),
        ("name: " + "[" * 50 + "]" * 50, "nested deeper than 32 levels"),
        ("name: " + "[" * 20_000, "nested deeper than 32 levels"),
    ],
)
def test_each_slip_has_its_message_and_place(text: str, message: str) -> None:
    """Unknown keys, wrong types, broken YAML and hostile YAML are all located."""
    assert message in problems(text)


def test_a_quoted_text_that_looks_like_a_merge_is_a_text() -> None:
    """As a value it is one; as a key it is an unknown one."""
    assert parse_document("name: '<<'\n", Whole).value.name == "<<"
    assert "f.yaml:2:1: unknown key '<<'" in problems("name: x\n'<<': {rate: 2}\n")


def test_any_script_and_ends_of_lines_are_text() -> None:
    """What is not steered is read: accents, right-to-left letters, tabs, several lines, Windows' ends of lines."""
    name = "é אב عربي 漢字 🙂"
    assert parse_document(f"name: {name}\r\nrate: 2\r\n", Whole).value.name == name
    assert parse_document("name: |\r\n  a\r\n  b\tc\r\n", Whole).value.name == "a\nb\tc\n"


def test_all_problems_are_told_at_once() -> None:
    """Three slips, three lines."""
    assert len(problems("nme: x\nitems:\n  - {id: 1}\n  - {bound: 2}\n").splitlines()) == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rate=fast", "--set rate=fast: rate: need a number, not 'fast'"),
        ("ratee=2", "--set ratee=2: unknown key 'ratee'; did you mean 'rate'?"),
        ("rate", "--set reads key=value, not 'rate'"),
        ("items.5.id=x", "a list of 2 items has no item 5"),
        ("name.x=1", "'name' holds a single value"),
        ("rate=[", "not valid YAML"),
    ],
)
def test_a_bad_override_is_blamed_not_the_file(override: str, message: str) -> None:
    """`--set` mistakes name the option, not a line of the file."""
    assert message in problems(GOOD, override)


def test_overrides_reach_any_depth() -> None:
    """Keys, items and missing sections can all be set."""
    value = parse_document(GOOD, Whole, overrides=["rate=2", "items.0.bound=9", "name=y"]).value
    assert (value.rate, value.items[0].bound, value.name) == (2.0, 9, "y")


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """Missing, a directory, not text, too large: one line each, with the file."""
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 250_001)
    cases = {
        tmp_path / "none.yaml": "no such file",
        tmp_path: "is a directory",
        binary: "not UTF-8",
        large: "larger than 250,000 bytes",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            read_document(path, Whole)
        assert str(caught.value).startswith(str(path))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_message(text: str) -> None:
    """No text makes the reader fail in another way than by its own error."""
    try:
        parse_document(text, Whole, name="f.yaml")
    except InputError as error:
        message = str(error)
    else:
        message = "f.yaml"
    assert message.startswith("f.yaml")
