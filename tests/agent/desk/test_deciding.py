"""Decisions in the browser: in the ledger before the answer, once, about what was looked at, or told why not."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.api.reviewing import Wish, decide
from agent.desk.inbox import Inbox
from agent.gate.review import finalists
from agent.ledger.home import hold
from agent.ledger.store import reading
from agent.state.state import replay
from tests.agent.conftest import inside
from tests.agent.desk.conftest import Visitor, decisions, events_of


def test_a_decision_is_an_event_before_the_answer_comes(visitor: Visitor, home: Path) -> None:
    """Author and reason as typed; the next page says which event, of which task and run, and is the next finalist's."""
    first = events_of(home, standing="admitted")[0]
    second = min(set(events_of(home, standing="admitted") + events_of(home, standing="refused")) - {first})
    before = len(decisions(home))
    answer = visitor.ask("/decide", form=visitor.form(first, "approve", author="Ann  B.", reason="read\ncard"))
    (seq, said) = decisions(home)[-1]
    assert len(decisions(home)) == before + 1
    assert (said.decision, said.author, said.reason) == ("approve", "Ann B.", "read card")
    assert (answer.status, answer.headers["location"]) == (303, f"/item/{second}?done={seq}"), "the first that waits"
    page = visitor.ask(answer.headers["location"]).text
    assert f"event {seq}: {said.digest[:12]} (task {said.task}, run {said.run}) now stands admitted, by Ann B." in page
    assert inside(home.parent, "verify", "--home", home).returncode == 0


def test_each_decision_of_the_command_line_can_be_taken(visitor: Visitor, home: Path) -> None:
    """A refused one let in or sent back, an admitted one revoked; without a reason neither, and approval of neither."""
    one = events_of(home, standing="admitted")[0]
    for decision in ("overrule", "send back"):
        answer = visitor.ask("/decide", form=visitor.form(one, decision))
        assert answer.status == 409
        assert "needs a --reason" in answer.text
    assert visitor.ask("/decide", form=visitor.form(one, "send back", reason="focus")).status == 303
    assert visitor.ask("/decide", form=visitor.form(one, "overrule", reason="border")).status == 303
    answer = visitor.ask("/decide", form=visitor.form(one, "approve"))
    assert answer.status == 409
    assert "stands refused" in answer.text
    assert [(said.decision, said.standing) for _, said in decisions(home)[-2:]] == [
        ("send back", "admitted"),
        ("overrule", "refused"),
    ]


def test_a_form_sent_twice_decides_once(visitor: Visitor, home: Path) -> None:
    """The second is refused by a sentence that names the event of the first."""
    one = events_of(home, standing="admitted")[0]
    form = visitor.form(one, "overrule", reason="border")
    assert visitor.ask("/decide", form=form).status == 303
    seq, _ = decisions(home)[-1]
    again = visitor.ask("/decide", form=form)
    assert again.status == 409
    assert f"nothing was recorded, for ann decided (overrule; it stands refused) in event {seq}" in again.text
    assert "border" in again.text, "what was typed is still there"
    assert decisions(home)[-1][0] == seq


def test_ten_forms_at_once_decide_once(visitor: Visitor, home: Path) -> None:
    """However many hands press the button, the ledger holds one decision."""
    one = events_of(home, standing="admitted")[0]
    form, before, statuses = visitor.form(one, "overrule", reason="border"), len(decisions(home)), list[int]()
    threads = [
        threading.Thread(target=lambda: statuses.append(visitor.ask("/decide", form=form).status)) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, *[409] * 9]
    assert len(decisions(home)) == before + 1


def test_a_page_older_than_another_persons_decision_decides_nothing(visitor: Visitor, home: Path) -> None:
    """Whoever else decided meanwhile, by whatever means, is named; after a new look it can be decided."""
    one = events_of(home, standing="admitted")[0]
    form = visitor.form(one, "overrule", reason="border")
    (bob,) = decide(home, [Wish(decision="approve", event=one, author="Bob")])
    refused = visitor.ask("/decide", form=form)
    assert refused.status == 409
    assert f"Bob decided (approve; it stands admitted) in event {bob.seq}, which you had not seen" in refused.text
    assert visitor.ask("/decide", form=visitor.form(one, "overrule", reason="border")).status == 303


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("item", "{event}:{event}:{other}", 409),
        ("item", "9999:9999:{digest}", 400),
        ("item", "{event}", 400),
        ("item", "{event}:{event}:{digest} ", 400),
        ("decision", "admit", 400),
        ("author", " ", 400),
        ("token", "0", 400),
    ],
)
def test_a_form_about_something_else_decides_nothing(
    field: str, value: str, status: int, visitor: Visitor, home: Path
) -> None:
    """Number and digest must be of one finalist, and every field as the page wrote it."""
    one = events_of(home, standing="admitted")[0]
    form, before = dict(visitor.form(one, "approve")), decisions(home)
    digest = form["item"].rpartition(":")[2]
    form[field] = value.format(event=one, digest=digest, other="f" * 64)
    answer = visitor.ask("/decide", form=list(form.items()))
    assert answer.status == status
    assert decisions(home) == before


def test_equal_weights_are_decided_together_or_not_at_all(visitor: Visitor, home: Path) -> None:
    """Two items of one form are two events in a row; where one of them is stale neither is written."""
    one, two = events_of(home, standing="admitted")[:2]
    before = decisions(home)
    items = [
        pair for event in (one, two) for pair in visitor.form(event, "overrule", reason="same") if pair[0] == "item"
    ]
    rest = [pair for pair in visitor.form(one, "overrule", reason="same") if pair[0] != "item"]
    decide(home, [Wish(decision="approve", event=two, author="Bob")])
    assert visitor.ask("/decide", form=[*items, *rest]).status == 409
    assert len(decisions(home)) == len(before) + 1
    items[1] = next(pair for pair in visitor.form(two, "overrule") if pair[0] == "item")
    answer = visitor.ask("/decide", form=[*items, *rest])
    (first, said), (second, other) = decisions(home)[-2:]
    assert answer.headers["location"].endswith(f"done={first}%2C{second}") or f"{first},{second}" in str(answer.headers)
    assert (said.reason, other.reason, second) == ("same", "same", first + 1)
    assert visitor.ask("/decide", form=[items[0], items[0], *rest]).status == 409


def test_while_a_life_is_lived_a_decision_waits_and_is_taken_in_once(
    visitor: Visitor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept in the home, shown in the queue, and an event as soon as the home is free; not twice."""
    monkeypatch.setattr("agent.desk.inbox._PATIENCE", 0.1)
    one, two = events_of(home, standing="admitted")[:2]
    before, inbox = decisions(home), Inbox(home)
    with hold(home):
        answer = visitor.ask("/decide", form=visitor.form(one, "approve"))
        assert "waits=" in answer.headers["location"]
        assert "recorded as soon as the life lets go" in visitor.ask(answer.headers["location"]).text
        assert "waits until the life that is being lived lets go" in visitor.ask("/").text
        visitor.ask("/decide", form=visitor.form(two, "overrule", reason="border"))
        assert inbox.take_in() == []
        assert len(list(inbox.letters())) == 2
    assert decisions(home) == before
    (bob,) = decide(home, [Wish(decision="approve", event=two, author="Bob")])
    (kept,) = sorted(home.glob("inbox/*.json"))[:1]
    shutil.copy(kept, home.parent / "kept.json")
    assert [event.facts.author for event in inbox.take_in()] == ["ann"]
    (refused,) = inbox.letters()
    assert f"Bob decided (approve; it stands admitted) in event {bob.seq}" in refused.refused
    shutil.copy(home.parent / "kept.json", kept)  # as if the desk had been killed before it removed the file
    assert inbox.take_in() == []
    assert [letter.name for letter in inbox.letters()] == [refused.name]
    assert len(decisions(home)) == len(before) + 2
    assert "refused: " in visitor.ask("/").text
    token = visitor.access.token
    visitor.ask("/dismiss", form=[("token", token), ("letter", refused.name)])
    assert not list(inbox.letters())


def test_the_command_line_takes_in_what_waits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many wait, records them once the home is free, and tells what was refused."""
    monkeypatch.setattr("agent.desk.inbox._PATIENCE", 0.0)
    one, two = events_of(home, standing="admitted")[:2]
    inbox = Inbox(home)
    with reading(home) as ledger:
        digests = {finalist.event: finalist.digest for *_, finalist in finalists(replay(ledger))}
    with hold(home):
        for event in (one, two):
            inbox.decide([Wish(decision="approve", event=event, seen=event, digest=digests[event], author="ann")])
        done = inside(home.parent, "review", "take-in", "--home", home, "--no-mirror")
        assert done.stdout.count("still waits: another agent holds the home") == 2
    assert "2 decision(s) of the desk" in inside(home.parent, "review", "list", "--home", home).stdout
    decide(home, [Wish(decision="overrule", event=two, author="Bob", reason="border")])
    done = inside(home.parent, "review", "take-in", "--home", home, "--no-mirror")
    assert f"{digests[one][:12]} (task " in done.stdout
    assert f"approve {digests[two][:12]} by ann: refused: " in done.stdout
    assert inside(home.parent, "verify", "--home", home).returncode == 0


def test_the_life_is_seen_as_it_is_now(visitor: Visitor, home: Path) -> None:
    """What another process appends is on the next page, without a new start."""
    one = events_of(home, standing="admitted")[0]
    assert f'href="/item/{one}?' in visitor.ask("/").text
    decide(home, [Wish(decision="approve", event=one, author="Bob")])
    assert f'href="/item/{one}?' not in visitor.ask("/").text
    assert f'href="/item/{one}?' in visitor.ask("/?stage=decided").text
    assert "by Bob" in visitor.ask(f"/item/{one}").text


def test_mlflow_is_told_after_decisions_alone(visit: Callable[..., Visitor], home: Path) -> None:
    """Once for a decision that was recorded; not for one that was refused."""
    told = list[int]()
    visitor = visit(decided=lambda: told.append(1))
    one = events_of(home, standing="admitted")[0]
    form = visitor.form(one, "approve")
    visitor.ask("/decide", form=form)
    visitor.ask("/decide", form=form)
    assert told == [1]
    with reading(home) as ledger:
        assert not list(ledger.broken_links())
