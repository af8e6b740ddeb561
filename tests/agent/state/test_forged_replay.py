"""Lives forged with a chain made again: commands that show them name the event that cannot be, and never break."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.ledger.events import (
    Audited,
    Event,
    Facts,
    Filtered,
    LedgerError,
    MotifQuarantined,
    MotifRestored,
    PolicyKept,
    Reviewed,
    RunFinished,
    SubcellsMined,
    TaskFinished,
    TaskStarted,
    Trained,
    Unreadable,
    WatchEnded,
    read_facts,
    readable,
)
from agent.ledger.store import Ledger
from tests.agent.conftest import inside
from tests.agent.made_up import blank, payload_of
from tests.agent.tabular_lives import live
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of three tabular tasks."""
    place = tmp_path_factory.mktemp("forged") / "home"
    live(place)
    return place


def put(place: int, facts: Facts) -> Edit:
    """One more event at a place."""
    return lambda events: events.insert(place if place >= 0 else len(events), (facts.kind, payload_of(facts)))


def without(kind: str, fact: str) -> Edit:
    """Every event of a kind lacks one fact."""

    def edit(events: Events) -> None:
        for found, payload in events:
            if found == kind:
                del payload[fact]

    return edit


def with_(kind: str, **facts: Any) -> Edit:
    """Every event of a kind says something else."""

    def edit(events: Events) -> None:
        for found, payload in events:
            if found == kind:
                payload.update(facts)

    return edit


NONE = blank(Filtered)
NETWORK = {"architecture": "x", "digest": "d" * 64, "task": "one"}
REVIEW = {**NETWORK, "decision": "admit", "weights_sha256": "w", "standing": "refused", "author": "a", "reason": "r"}
EDITS: dict[str, tuple[Edit, str]] = {
    "before any run": (put(0, NONE), "event 0 (filtered) cannot have happened here"),
    "before any task": (put(1, NONE), "no task has begun"),
    "audited, never trained": (
        put(-1, blank(Audited, **NETWORK, decision="admit")),
        "no network dddddddddddd was trained on task three",
    ),
    "decided in no run": (put(-1, blank(Reviewed, **REVIEW, run=0)), "there is no run 0"),
    "decided about nothing": (put(-1, blank(Reviewed, **REVIEW, run=1)), "(reviewed) cannot have happened here"),
    "quarantined, never let in": (
        put(-1, blank(MotifQuarantined, **NETWORK, admitted_seq=3)),
        "(motif.quarantined) cannot have happened here: 3",
    ),
    "no score": (
        without("evaluated", "score"),
        "(evaluated) is no event of ours: Object missing required field `score`",
    ),
    "a text for a score": (with_("evaluated", score="high"), "score: Expected `int | float | null`, got `str`"),
    "no stream": (
        with_("run.started", stream={}),
        "event 0 (run.started) is no event of ours: stream: Object missing required field `stream`",
    ),
    "no task's name": (
        with_("task.started", recalled=[{}]),
        "recalled[0]: Object missing required field `architecture`",
    ),
    "no architecture": (with_("evaluated", architecture="nb201/x"), "evaluation 1 of task one"),
    "watched from nowhere": (
        put(-1, blank(WatchEnded, task="one", run=1, evaluations=1, evaluations_to_best=1)),
        "task one is not watched",
    ),
}
COMMANDS = (("status",), ("motifs", "list"), ("review", "list"), ("report",))


@pytest.mark.parametrize("name", EDITS)
def test_a_life_that_cannot_have_been_is_named_by_whoever_shows_it(name: str, home: Path, tmp_path: Path) -> None:
    """In one line with the event, exit code 1; only a command that does not come upon the event may go through."""
    edit, message = EDITS[name]
    forged = rewrite(home, tmp_path / "forged", edit)
    told = []
    for command in COMMANDS:
        place = ["--home", str(forged.root)] if command != ("report",) else [str(forged.root)]
        done = inside(tmp_path, *command, *place)
        assert done.returncode in (0, 1), done.stderr
        told.append(done.stderr)
        assert (message in done.stderr) == (done.returncode == 1), (command, done.stderr)
    assert any(told)
    assert told[-1]


@pytest.mark.parametrize("count", [10**400, 2**63], ids=["huge", "too many bits"])
def test_numbers_beyond_measure_are_no_facts(count: int) -> None:
    """JSON can spell them; nothing that counts with them later would end well."""
    text = json.dumps({**payload_of(blank(MotifRestored)), "admitted_seq": count})
    event = Event(7, "motif.restored", read_facts("motif.restored", text), "", "")
    with pytest.raises(LedgerError, match=r"event 7 \(motif.restored\) .* admitted_seq"):
        readable(event)


VALUES = [None, True, 0, 1.5, 2**70, float("nan"), "x", [], [1], ["x"], {}, {"a": 1}, {"a": "x"}]
# A fact of every form, and which of the values it may have.
FORMS: dict[str, tuple[type[Facts], str, list[Any]]] = {
    "whole number": (RunFinished, "tasks", [0]),
    "yes or no": (Filtered, "exhausted", [True]),
    "text": (Filtered, "task", ["x"]),
    "number": (Trained, "validation", [0, 1.5]),
    "text or nothing": (TaskFinished, "winner", [None, "x"]),
    "whole numbers": (TaskStarted, "shape.size", [[], [1]]),
    "texts": (Audited, "reasons", [[], ["x"]]),
    "any object": (PolicyKept, "base", [{}, {"a": 1}, {"a": "x"}]),
    "object of whole numbers": (Filtered, "rules", [{}, {"a": 1}]),
    "object with given keys": (TaskStarted, "admitted_count", []),
    "list of objects": (SubcellsMined, "subcells", [[]]),
}


@pytest.mark.parametrize("value", VALUES)
def test_what_does_not_fit_is_always_said_why(value: Any, tmp_path: Path) -> None:
    """Facts of every form: what they may be is read as it was written, what they may not is neither read nor written.

    The refusal names the fact, unless the text is no JSON.
    """
    with Ledger(tmp_path / "ledger.db", clock=lambda: 0.0) as ledger:
        for kind, place, fitting in FORMS.values():
            fits = any(type(value) is type(one) and value == one for one in fitting)
            outer, _, inner = place.partition(".")
            whole = payload_of(blank(kind))
            (whole[outer] if inner else whole)[inner or outer] = value
            read = read_facts(kind.kind, json.dumps(whole))
            assert isinstance(read, Unreadable) != fits, (kind, place)
            facts = blank(kind, **{outer: {**whole[outer]} if inner else value})
            if fits:
                assert not isinstance(read, Unreadable)
                assert ledger.append([facts])[0].facts == read
                assert payload_of(read) == whole
                continue
            assert isinstance(read, Unreadable)
            wrong = "JSON is malformed" if value != value else place
            assert read.fault.startswith(wrong), read.fault
            with pytest.raises(ValueError, match=rf"\({kind.kind}\) is no event of ours: {wrong}|not JSON"):
                ledger.append([facts])
