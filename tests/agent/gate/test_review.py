"""What people may decide about finalists, what follows from it, and that forged decisions are found."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.gate.review import review_entry
from agent.ledger.store import Event, Json
from agent.state.state import LifeState
from agent.verify.reviews import ReviewChecker
from selfnas.errors import InputError
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES

ARCHITECTURES = [
    SPACES["nb201"].decode(np.array([3, 3, index, 2, 3, 3], dtype=np.int8), macro=Macro(8, 1, 16)) for index in range(3)
]
GOOD, BAD, LOST = (architecture.digest for architecture in ARCHITECTURES)
SHAPE: Json = {"channels": 1, "size": [8, 8], "classes": 10}


class Story:
    """A life written by hand: `GOOD` was admitted, `BAD` refused by audits, `LOST` could not be trained."""

    def __init__(self) -> None:
        self.state, self.events = LifeState(), list[Event]()
        self.tell("run.started", constraint_set_digest="c" * 64)
        self.tell("task.started", task="t", task_digest="d", description={}, shape=SHAPE, recalled=[])
        for architecture, outcome in zip(ARCHITECTURES, ("admitted", "refused", "refused"), strict=True):
            lost = architecture.digest == LOST
            common: dict[str, Any] = {"architecture": str(architecture), "digest": architecture.digest}
            facts: dict[str, Any] = {
                "validation": 0.9, "params": 10, "weights_sha256": "" if lost else "w" + architecture.digest[:8],
            }  # fmt: skip
            self.tell("certified", **common, certificate="{}")
            more = {"reason": "not finite" if lost else "", "test_correct": 9, "test_count": 10, "curve": []}
            self.tell("trained", **common, **facts, **more)
            self.tell(outcome, **common, **facts, test=0.9, certificate="{}")

    def tell(self, kind: str, /, **payload: Any) -> None:
        """One more event."""
        event = Event(len(self.events), kind, payload, "", "")
        self.events.append(event)
        self.state.apply(event)

    def decide(self, digest: str, decision: Any, *, author: str = "ann", reason: str = "because") -> None:
        """A person decides."""
        kind, payload = review_entry(self.state, digest, decision, author=author, reason=reason)
        self.tell(kind, **payload)

    def problems(self) -> list[str]:
        """What the verifier says of the decisions."""
        checker, found, certified = ReviewChecker(), list[str](), dict[str, str]()
        for event in self.events:
            payload = event.payload
            if event.kind == "run.started":
                checker.run_begins(payload, approval="before-reuse")
            elif event.kind == "task.started":
                found += checker.task_begins(payload)
            elif event.kind == "certified":
                certified[str(payload["architecture"])] = str(payload["certificate"])
            elif event.kind == "trained":
                checker.trained(payload, certificate=certified.get(str(payload["architecture"]), ""))
            elif event.kind == "reviewed":
                found += checker.reviewed(payload)
            else:
                checker.decided(payload, event.kind)
        return found

    def standing(self) -> dict[str, str]:
        """The library: digest and what people said."""
        return {motif.digest: motif.review for motif in self.state.library}


def test_decisions_change_the_library_and_verify() -> None:
    """Approval marks, an overrule of a refusal admits visibly, an overrule of an admission revokes, again restores."""
    story = Story()
    assert story.standing() == {GOOD: ""}
    story.decide(GOOD, "approve", reason="")
    assert story.standing() == {GOOD: "approved"}
    story.decide(BAD, "overrule")
    assert story.standing() == {GOOD: "approved", BAD: "overruled"}
    assert [f.digest for f in story.state.runs[0].tasks[0].admitted()] == [GOOD]  # audits did not admit the other
    story.decide(GOOD, "overrule")
    assert story.standing() == {BAD: "overruled"}
    assert not story.state.runs[0].tasks[0].admitted()
    story.decide(GOOD, "overrule")
    assert story.standing() == {GOOD: "approved", BAD: "overruled"}
    assert not story.problems()


@pytest.mark.parametrize(
    ("digest", "decision", "author", "reason", "message"),
    [
        (GOOD, "overrule", "ann", " ", "needs a --reason"),
        (GOOD, "approve", " ", "x", "needs an --author"),
        (BAD, "approve", "ann", "x", "stands refused"),
        (LOST, "overrule", "ann", "x", "not trained to the end"),
        ("zz", "overrule", "ann", "x", "constraint rejections are final"),
        ("", "overrule", "ann", "x", "no finalist"),
        (GOOD, "overrule", "ann", "x\x1b[2J", "printable"),
        (GOOD, "overrule", "ann", "x" * 2001, "2000"),
    ],
)
def test_decisions_nobody_can_take(digest: str, decision: Any, author: str, reason: str, message: str) -> None:
    """Each is refused with its reason, before anything is written."""
    with pytest.raises(InputError, match=message):
        review_entry(Story().state, digest, decision, author=author, reason=reason)


def test_a_constraint_rejection_cannot_be_overruled() -> None:
    """Neither without a certificate, nor when another constraint set came into force, nor out of quarantine."""
    story = Story()
    del story.state.runs[0].tasks[0].certificates[str(ARCHITECTURES[1])]
    with pytest.raises(InputError, match="never the constraint set"):
        story.decide(BAD, "overrule")
    story = Story()
    story.tell("run.started", constraint_set_digest="e" * 64)
    with pytest.raises(InputError, match="another constraint set"):
        story.decide(BAD, "overrule")
    admitted = next(event.seq for event in story.events if event.kind == "admitted")
    story.tell("motif.quarantined", admitted_seq=admitted, failed=["rule"])
    with pytest.raises(InputError, match="quarantined"):
        story.decide(GOOD, "approve")
    story.decide(GOOD, "overrule")
    assert not story.state.quarantined


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"standing": "refused"}, "cannot give refused"),
        ({"decision": "approve"}, "cannot give admitted"),
        ({"author": ""}, "without an author"),
        ({"reason": " "}, "without a reason"),
        ({"weights_sha256": "other"}, "not what was trained"),
        ({"digest": "other"}, "does not have"),
    ],
)
def test_forged_decisions_are_found(change: dict[str, Json], message: str) -> None:
    """An edited decision does not verify, even where the chain of hashes was made anew."""
    story = Story()
    story.decide(BAD, "overrule")
    last = story.events[-1]
    story.events[-1] = replace(last, payload={**last.payload, **change})
    assert any(message in problem for problem in story.problems())


def test_a_decision_without_certificate_is_found() -> None:
    """Letting in what the gate never certified does not verify."""
    story = Story()
    story.decide(BAD, "overrule")
    story.events = [
        event
        for event in story.events
        if not (event.kind == "certified" and event.payload["architecture"] == str(ARCHITECTURES[1]))
    ]
    assert any("without a certificate" in problem for problem in story.problems())


@pytest.mark.parametrize(
    ("decision", "message"), [(None, "without the approval"), ("approve", ""), ("overrule", "not stand admitted")]
)
def test_reuse_without_approval_is_found(decision: Any, message: str) -> None:
    """Under a suite that asks for it, a task may recall what was approved and nothing else."""
    story = Story()
    if decision:
        story.decide(GOOD, decision)
    recalled = {"architecture": str(ARCHITECTURES[0]), "digest": GOOD, "from_task": "t", "from_run": 1}
    story.tell("task.started", task="u", task_digest="d", description={}, shape=SHAPE, recalled=[recalled])
    problems = story.problems()
    assert any(message in problem for problem in problems) if message else not problems
