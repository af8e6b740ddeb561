"""Decisions signed by the key of who took them: what was edited, moved, repeated or signed by another is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from agent.api.reviewing import Wish, decide
from agent.api.verifying import verified
from agent.desk.inbox import Inbox
from agent.ledger.events import UNSET, Reviewed
from agent.ledger.home import hold
from agent.ledger.review_signature import signature_fault, signed
from agent.ledger.signature import new_key, private_key
from agent.ledger.store import reading
from selfnas.errors import InputError
from tests.agent.conftest import inside
from tests.agent.desk.conftest import decisions, events_of
from tests.stress.forgeries import rewrite


@pytest.fixture
def home(copied_life: Path, tmp_path: Path) -> Path:
    """A life that may be decided about, with the keys of Ann and Bob beside it."""
    for name in ("ann", "bob"):
        new_key(tmp_path / name)
    return copied_life


def test_a_signed_decision_verifies_and_is_asked_for_by_key(home: Path) -> None:
    """On the command line: with the key of who signed it holds, with another or none it is named."""
    (event, *_) = events_of(home, standing="admitted")
    keep = ("--home", home, "--no-mirror", "--author", "Ann")
    done = inside(home.parent, "review", "approve", "--event", str(event), "--sign", home.parent / "ann", *keep)
    assert done.returncode == 0, done.stderr
    assert inside(home.parent, "verify", "--home", home).returncode == 0
    problems = verified(home, reviewers=[home.parent / "ann.pub"]).problems
    assert len(problems) == len(decisions(home)) - 1
    assert all(problem.endswith("is not signed") for problem in problems)
    done = inside(home.parent, "verify", "--home", home, "--reviewer", home.parent / "bob.pub")
    assert done.returncode == 1
    assert "the decision of Ann is signed by a key that was not named" in done.stdout
    with pytest.raises(InputError, match="not a private key"):
        private_key(home.parent / "ann.pub")


@pytest.mark.parametrize(
    "change",
    [{"reason": "other"}, {"author": "Bob"}, {"decision": "overrule"}, {"digest": "f" * 64}, {"task": "other"}],
)
def test_an_edited_decision_does_not_keep_its_signature(change: dict[str, str], home: Path) -> None:
    """Whatever of it is edited."""
    (event, *_) = events_of(home, standing="admitted")
    (made,) = decide(home, [Wish(decision="approve", event=event, author="Ann")], key=private_key(home.parent / "ann"))
    assert signature_fault(made.facts) == ""
    assert "was not made with key" in signature_fault(structs.replace(made.facts, **change))
    assert signature_fault(structs.replace(made.facts, signed=UNSET)) == ""


def test_a_ledger_made_anew_round_a_signature_does_not_verify(home: Path, tmp_path: Path) -> None:
    """A reason that was edited, a signature that was moved to a later moment, a key that is none: each a sentence."""
    (event, *_) = events_of(home, standing="admitted")
    key = private_key(home.parent / "ann")
    for reason in ("border", "after all"):
        decide(home, [Wish(decision="overrule", event=event, author="Ann", reason=reason)], key=key)

    def edited(events: list[tuple[str, dict[str, Any]]]) -> None:
        events[-1][1]["reason"] = "something else"

    def repeated(events: list[tuple[str, dict[str, Any]]]) -> None:
        for name in ("reason", "signed", "standing"):
            events[-1][1][name] = events[-2][1][name]

    def torn(events: list[tuple[str, dict[str, Any]]]) -> None:
        events[-1][1]["signed"]["key"] = "no key"

    for change, told in (
        (edited, "was not made with key"),
        (repeated, "signed about another state of the finalist"),
        (torn, "was not made with key"),
    ):
        forged = rewrite(home, tmp_path / change.__name__, change)
        problems = verified(forged.root).problems
        assert any(told in problem for problem in problems), change.__name__
    assert not verified(home).problems


def test_one_decision_is_never_signed_by_anothers_desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for Ann's key is taken in by Ann's desk alone, and signed there."""
    monkeypatch.setattr("agent.desk.inbox._PATIENCE", 0.0)
    (event, *_) = events_of(home, standing="admitted")
    ann, bob = (Inbox(home, key=private_key(home.parent / name)) for name in ("ann", "bob"))
    with hold(home):
        ann.decide([Wish(decision="approve", event=event, author="Ann")])
    assert bob.take_in() == []
    assert Inbox(home).take_in() == []
    assert "waits for the key" in inside(home.parent, "review", "take-in", "--home", home, "--no-mirror").stdout
    (made,) = ann.take_in()
    assert made.facts.signed is not UNSET
    assert made.facts.signed.key == ann.signer
    assert not verified(home).problems


def test_a_signature_is_over_the_moment_too(home: Path) -> None:
    """The same words signed after another event are another signature."""
    with reading(home) as ledger:
        review = next(event.facts for event in ledger.events() if isinstance(event.facts, Reviewed))
    key = private_key(home.parent / "ann")
    one, other = (signed(review, key, after=after * 64) for after in "ab")
    assert one.signed != other.signed
    assert other.signed is not UNSET
    moved = structs.replace(other.signed, after="a" * 64)
    assert "was not made" in signature_fault(structs.replace(one, signed=moved))
