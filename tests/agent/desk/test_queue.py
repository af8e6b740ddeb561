"""What the desk shows of finalists: all that a decision rests on, as the ledger says it, and text as text."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from agent.api.reviewing import Wish, decide
from agent.desk.queue import CONCERNS, Choice, rows
from agent.desk.view import View
from agent.gate.review import finalists
from agent.ledger.store import reading
from agent.state.state import replay
from tests.agent.desk.conftest import Visitor, events_of


def plain(page: str) -> str:
    """The text of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_the_page_of_a_finalist_tells_what_a_decision_rests_on(visitor: Visitor, home: Path) -> None:
    """Verdict and what was not tested, every finding and rule, splits with intervals, baselines, cell, commands."""
    with reading(home) as ledger:
        found = list(finalists(replay(ledger)))
    for run, task, finalist in found:
        page = visitor.ask(f"/item/{finalist.event}").text
        text = plain(page)
        audited = finalist.audited
        assert audited is not None
        for words in (
            f"The audits say {audited.decision}", *audited.reasons, finalist.digest[:12], finalist.architecture,
            f"run {run.number}, event {finalist.event}", f"{finalist.trained.params:,} parameters",
            f"--event {finalist.event} --home", "test, hand-designed network" * bool(task.compared),
        ):  # fmt: skip
            assert words in text, words
        assert page.count("<tr") - 4 >= len(audited.findings)
        for one in audited.findings:
            assert f">{one.audit}" in page
        for rule in ("connected", "no-dead-branch"):
            assert re.search(rf"{rule}\s+(holds|does not apply)", text), rule
        picture = visitor.ask(f"/item/{finalist.event}/picture/cell.png")
        assert picture.body.startswith(b"\x89PNG")


def test_the_nearest_approved_network_is_named_with_what_differs(visitor: Visitor, home: Path) -> None:
    """The one that a person approved and that stands, edge for edge; none once it was revoked."""
    one, two = events_of(home, standing="admitted")[:2]
    with reading(home) as ledger:
        found = [finalist for *_, finalist in finalists(replay(ledger))]
    for finalist in found:
        if finalist.reviews and finalist.standing == "admitted" and finalist.event is not None:
            decide(home, [Wish(decision="overrule", event=finalist.event, author="Bob", reason="start afresh")])
    assert "No network of its space has been approved yet." in plain(visitor.ask(f"/item/{two}").text)
    decide(home, [Wish(decision="approve", event=one, author="Bob", reason="plain enough")])
    text = plain(visitor.ask(f"/item/{two}").text)
    digests = {finalist.event: finalist.digest for finalist in found}
    assert f"Nearest approved network: {digests[one][:12]}" in text
    assert "approved by Bob: “plain enough”" in text
    assert re.search(r"differs in \d+ ?: .*edge \d→\d: \w+ → \w+", text) or "the same architecture" in text


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "é – 漢"]
)
def test_what_people_typed_is_shown_as_text(text: str, visitor: Visitor, home: Path) -> None:
    """In the history, in the queue of others, in the sentence above the page and in the search field."""
    one, two = events_of(home, standing="admitted")[:2]
    form = visitor.form(one, "overrule", author=text, reason=text)
    to = visitor.ask("/decide", form=form).headers["location"]
    for path in (to, f"/item/{one}", f"/item/{two}", "/?stage=all"):
        page = visitor.ask(path).text
        assert text not in page or "<" not in text
    assert plain(visitor.ask(f"/item/{one}").text).count(text) >= 2


def test_filters_and_orders_are_what_they_say(visitor: Visitor, home: Path) -> None:
    """By stage, standing, task and text; by event, down and up; what an address says wrongly is left out."""

    def listed(query: str) -> list[int]:
        return [int(found) for found in re.findall(r'data-href="/item/(\d+)\?', visitor.ask(f"/?{query}").text)]

    every = listed("stage=all")
    assert every == sorted(every)
    assert listed("stage=all&down=1") == every[::-1]
    assert listed("") == sorted([*events_of(home, standing="admitted"), *events_of(home, standing="refused")])
    assert sorted(listed("stage=awaiting") + listed("stage=decided")) == every
    assert set(listed("stage=all&standing=refused")) == {
        *events_of(home, standing="refused"),
        *events_of(home, standing="refused", waiting=False),
    }
    assert listed("stage=none&sort=none&standing=x") == listed("")
    with reading(home) as ledger:
        first = next(finalists(replay(ledger)))[2]
    assert first.event in listed(f"stage=all&text={first.digest[:10]}")
    assert listed("stage=all&text=nowhere-to-be-found") == []


def test_what_needs_a_look_can_be_filtered_and_comes_first(home: Path) -> None:
    """Each concern lists those that the records say it of, and no others; trouble sorts by what is worst."""
    usual = {**View(home).made("rows", rows)[0], "untested": [], "rivals": [], "elsewhere": [], "put_aside": False}
    people = {"decision": "approve", "wanted": 2, "by": ["Ann"], "met": False, "revoked": False, "sentence": "1 of 2"}
    changes: dict[str, dict[str, object]] = {
        "": {},
        "open vote": {"people": people, "awaiting": True},
        "untested": {"untested": [{"audit": "swap", "why": "nothing is named"}]},
        "behind": {"rivals": [{"verdict": "loss"}]},
        "otherwise": {"elsewhere": [{"standing": "admitted" if usual["standing"] == "refused" else "refused"}]},
        "forbidden": {"put_aside": True},
    }
    every = [{**usual, "event": place, **change} for place, change in enumerate(changes.values())]
    assert set(changes) == {"", *CONCERNS}
    for place, name in enumerate(changes):
        listed = [row["event"] for row in Choice.of({"stage": "all", "concern": name}).of_rows(every)]
        assert listed == ([place] if name else list(range(len(every))))
    first = [row["event"] for row in Choice.of({"stage": "all", "sort": "trouble"}).of_rows(every)]
    assert [list(changes)[place] for place in first[:3]] == ["otherwise", "untested", "behind"]
    assert Choice.of({"concern": "nothing such"}).concern == ""


def test_an_address_keeps_what_was_chosen() -> None:
    """And nothing that is usual."""
    assert Choice().query() == ""
    choice = Choice(stage="all", task="a b", sort="test", down=True)
    assert Choice.of({"stage": "all", "task": "a b", "sort": "test", "down": "1"}) == choice
    assert choice.query(sort="gain", down=False) == "stage=all&task=a+b&sort=gain"


def test_what_is_not_there_is_said(visitor: Visitor) -> None:
    """A number that is no finalist's; MLflow where it was not started."""
    answer = visitor.ask("/item/0")
    assert answer.status == 404
    assert "event 0 decided about no finalist of this life" in answer.text
    assert "started without MLflow" in visitor.ask("/mlflow").text
