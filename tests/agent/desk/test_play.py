"""Rules tried in the browser: counts that hold, witnesses on the right side, sentences for what cannot be read."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.desk.play import Typed, tried
from agent.desk.view import View
from constraints import Guard, parse_set
from constraints.reports.report import chosen_contexts
from selfnas.spaces.named import SPACES, parse_architecture
from tests.agent.desk.conftest import Visitor
from tests.agent.desk.test_queue import plain

LIVE = "every edge() is live"


@pytest.mark.parametrize(
    ("rule", "scope", "forbids"),
    [
        (LIVE, "cell", False),
        (LIVE, "cell", True),
        ("exists path(input, output) where all op in {skip, conv1x1}", "cell", False),
        ("params <= 0.02 @Mparam", "network", False),
    ],
)
def test_counts_and_witnesses_are_those_of_the_whole_space(rule: str, scope: str, forbids: bool) -> None:
    """The count is that of every architecture judged on its own; what is shown inside is admitted, outside is not."""
    typed = Typed(rule=rule, scope=scope, forbids=forbids, space="transnas-micro")
    found = tried(typed)
    assert found["problem"] == ""
    set_ = parse_set(typed.as_set(), name="x")
    (context,) = chosen_contexts(set_, space=typed.space, macro="", shape="")
    guard = Guard.of(set_, context)
    every = SPACES[typed.space].enumerate()
    admitted = ~guard.violations(every).any(axis=1)
    assert found["count"] == f"{admitted.sum():,}"
    for name, wanted in (("inside", "admit"), ("outside", "reject")):
        assert found[name]
        for text in found[name]:
            assert guard.decide(parse_architecture(text)).verdict == wanted


def test_a_rule_that_admits_nothing_says_so(visitor: Visitor) -> None:
    """And has no witness."""
    text = plain(visitor.ask(f"/play/part?rule={quote('not ' + LIVE)}&says=forbid&space=nb201").text)
    page = plain(visitor.ask("/play/part?rule=params+%3C%3D+1&scope=network").text)
    assert "0 of 15,625 architectures are admitted" in page
    assert "This rule admits nothing." in page
    assert "of 15,625 architectures are admitted" in text


@pytest.mark.parametrize(
    ("rule", "column"), [("every edg() is live", 7), ("é", 1), (f"{LIVE} and", len(f"{LIVE} and") + 1)]
)
def test_what_cannot_be_read_is_told_by_its_column(rule: str, column: int, visitor: Visitor) -> None:
    """As the person typed it, not as it stands in the set that is made of it."""
    answer = visitor.ask(f"/play/part?rule={quote(rule)}")
    assert answer.status == 200
    told = re.search(r"column (\d+): ", plain(answer.text))
    assert told is not None
    assert abs(int(told[1]) - column) <= 1


@pytest.mark.parametrize("rule", ["<b>x</b>", '"', "\\", "x" * 3000, "(" * 1500, "\x00", "{{ 7 * 7 }}"])
def test_no_rule_breaks_the_page(rule: str, visitor: Visitor) -> None:
    """Whatever is typed is answered by a sentence, and shown as text."""
    for path in ("/play", "/play/part"):
        answer = visitor.ask(f"{path}?rule={quote(rule)}")
        assert answer.status == 200
        assert "<b>x" not in answer.text
    assert visitor.ask("/play/cell.png?architecture=nothing").status == 404


def test_the_library_of_the_life_is_held_against_a_rule(visitor: Visitor, home: Path) -> None:
    """How many of its cells the rule would keep out; all of them where it forbids what every cell has."""
    with View(home).opened() as seen:
        cells = {
            one.architecture.partition(":")[2] for one in seen.state.library if one.architecture.startswith("nb201/")
        }
    text = plain(visitor.ask(f"/play/part?rule={quote('exists path(input, output)')}&says=forbid").text)
    assert f"{len(cells)} of {len(cells)} cells of this life's library it would keep out" in text
    picture = visitor.ask(f"/play/cell.png?architecture={quote('nb201/c2n1r8:' + min(cells))}")
    assert picture.body.startswith(b"\x89PNG")
