"""Lives forged with a chain made again: commands that show them name the event that cannot be, and never break."""

from pathlib import Path
from typing import Any

import pytest

from agent.ledger.events import Shape, _fault, _fits, told
from agent.ledger.store import Event, LedgerError
from tests.agent.conftest import inside
from tests.agent.tabular_lives import live
from tests.stress.forgeries import rewrite
from tests.stress.forgery_edits import Edit, Events


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life of three tabular tasks."""
    place = tmp_path_factory.mktemp("forged") / "home"
    live(place)
    return place


def put(place: int, kind: str, **payload: Any) -> Edit:
    """One more event at a place."""
    return lambda events: events.insert(place if place >= 0 else len(events), (kind, payload))


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


DECIDED = {"architecture": "x", "digest": "d" * 64, "task": "one", "decision": "admit"}
REVIEW = {**DECIDED, "weights_sha256": "w", "standing": "refused", "author": "a", "reason": "r"}
EDITS: dict[str, tuple[Edit, str]] = {
    "before any run": (put(0, "filtered", rules={}, exhausted=False), "event 0 (filtered) cannot have happened here"),
    "before any task": (put(1, "filtered", rules={}, exhausted=False), "no task has begun"),
    "audited, never trained": (
        put(-1, "audited", **DECIDED, findings=[], failed=[], reasons=[]),
        "no network dddddddddddd was trained on task three",
    ),
    "decided in no run": (put(-1, "reviewed", **REVIEW, run=0), "there is no run 0"),
    "decided about nothing": (put(-1, "reviewed", **REVIEW, run=1), "(reviewed) cannot have happened here"),
    "quarantined, never let in": (
        put(-1, "motif.quarantined", **DECIDED, admitted_seq=3, certificate=None, failed=[], messages=[]),
        "(motif.quarantined) cannot have happened here: 3",
    ),
    "no score": (without("evaluated", "score"), "score is missing"),
    "a text for a score": (with_("evaluated", score="high"), "score must be int or float or null, not 'high'"),
    "no stream": (with_("run.started", stream={}), "event 0 (run.started) is no event of ours: stream.stream is"),
    "no task's name": (with_("task.started", recalled=[{}]), "recalled[0].architecture is missing"),
    "no architecture": (with_("evaluated", architecture="nb201/x"), "evaluation 1 of task one"),
    "watched from nowhere": (
        put(-1, "watch.ended", task="one", run=1, successor=None, evaluations=1, evaluations_to_best=1),
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
def test_numbers_beyond_measure_are_no_facts(count: float) -> None:
    """JSON can spell them; nothing that counts with them later would end well."""
    [event] = [Event(7, "motif.restored", {**DECIDED, "certificate": None, "admitted_seq": count}, "", "")]
    with pytest.raises(LedgerError, match=r"event 7 \(motif.restored\) .* admitted_seq"):
        list(told([event]))


@pytest.mark.parametrize(
    "value", [None, True, 0, 1.5, 2**70, float("nan"), "x", [], [1], ["x"], {}, {"a": 1}, {"a": "x"}]
)
def test_what_does_not_fit_is_always_said_why(value: object) -> None:
    """The quick answer and the one in words are the same, for every form of shape."""
    shapes: list[Shape] = [
        int,
        bool,
        str,
        (int, float),
        (str, type(None)),
        [int],
        [str],
        {},
        {"a": int},
        {"a": str},
        list,
    ]
    for shape in shapes:
        assert _fits(value, shape) == (not _fault(value, shape, "place"))  # type: ignore[arg-type]
