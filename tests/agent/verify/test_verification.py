"""Rewritten lives whose chain is whole: what was never certified, doubled, over budget or of unknown kind is named."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agent.verify.verification import verify
from constraints import Certificate, decide_policy, load_set, verify_certificate
from selfnas.digests import canonical_json
from tests.agent.tabular_lives import ledger_of, live
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of three tabular tasks."""
    place = tmp_path_factory.mktemp("order") / "home"
    live(place)
    return place


def drop_last_certificate(events: Events) -> None:
    """Of the first task: one architecture was looked up all the same."""
    del events[max(place for place, (kind, _) in enumerate(events) if kind == "certified")]


def spend_less(events: Events) -> None:
    """A budget that was lower all along."""
    for kind, payload in events:
        if kind == "run.started":
            payload["stream"]["budget"]["evaluations"] = 15
            text = canonical_json(payload["stream"]).encode()
            payload["stream_digest"] = hashlib.sha256(text).hexdigest()


def change(kind: str, **values: Any) -> Edit:
    """The same values in every event of a kind."""

    def edit(events: Events) -> None:
        for found, payload in events:
            if found == kind:
                payload.update(values)

    return edit


def add(kind: str, **values: Any) -> Edit:
    """One more event at the end."""
    return lambda events: events.append((kind, values))


MOTIF: dict[str, Any] = {"admitted_seq": 3, "task": "one", "architecture": "x", "digest": "d", "certificate": "{}"}
EDITS: dict[str, tuple[Edit, str]] = {
    "uncertified": (drop_last_certificate, "computed on without a certificate"),
    "over budget": (spend_less, "evaluation number 16, beyond the budget"),
    "edited stream": (change("run.started", stream_digest="0" * 64), "the recorded stream does not have"),
    "another shape": (
        change("task.started", shape={"channels": 1, "size": [4, 4], "classes": 2}),
        "its guard is not that of the run's constraint set for the task's shape",
    ),
    "another digest": (change("evaluated", digest="0" * 64), "its digest is not the certified architecture's"),
    "certified as another": (change("certified", digest="0" * 64), "its digest is not the certificate's"),
    "unknown kind": (add("library.granted", digest="d"), "no event of such a kind is known"),
    "restored from nowhere": (add("motif.restored", **MOTIF), "about a motif that was never let in"),
    "not an object": (
        add("reviewed", run=[], task={}, digest=None),
        "(reviewed) is no event of ours: digest: Expected",
    ),
    "not a certificate": (change("certified", certificate="{"), "(certified) cannot be checked"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_with_a_chain_made_again_is_named(name: str, home: Path, tmp_path: Path) -> None:
    """Each contradicts something that is recorded elsewhere, or claims what cannot be checked."""
    edit, message = EDITS[name]
    forged = rewrite(home, tmp_path / "forged", edit)
    with ledger_of(forged.root) as ledger:
        problems = verify(ledger, forged).problems
    assert any(message in problem for problem in problems), problems


def test_the_life_itself_verifies(home: Path, tmp_path: Path) -> None:
    """Nothing is named where nothing was edited."""
    copy = rewrite(home, tmp_path / "copy", lambda events: None)
    with ledger_of(copy.root) as ledger:
        assert verify(ledger, copy).problems == []


def test_a_policy_certificate_that_leaves_out_what_its_rules_need_does_not_hold() -> None:
    """'Does not apply' is no answer of a policy rule, and one engine alone admits nothing."""
    envelope = load_set("policy")
    fields = {"finalists_per_task": 2, "population": 20, "sample": 10, "batch": 4, "oversample": 2, "recall": 3}
    record = json.loads(decide_policy(envelope, fields, fields).certificate.to_json())
    subject = '{"new":{},"old":{}}'
    record |= {"subject": subject, "digest": hashlib.sha256(subject.encode()).hexdigest(), "reason": ""}
    record |= {"rules": "n" * len(record["rules"]), "verdict": "admit"}
    problems = verify_certificate(Certificate.from_json(json.dumps(record)), envelope)
    assert any("which its subject lacks" in problem for problem in problems)
    record["engines"] = {"referee": "1"}
    problems = verify_certificate(Certificate.from_json(json.dumps(record)), envelope)
    assert any("it admits by referee, not by two" in problem for problem in problems)
