"""What people may decide about finalists, what follows from it, and that forged decisions are found."""

from typing import Any

import pytest
from msgspec import structs

from agent.gate.review import answered, only, review, stage
from agent.ledger.events import (
    Admitted,
    Certified,
    MotifQuarantined,
    Recalled,
    Reviewed,
    RunStarted,
    Standing,
    TaskStarted,
    Trained,
)
from audits.contract.reviewing import USUAL_TERMS
from selfnas.errors import InputError
from tests.agent.gate.story import ARCHITECTURES, BAD, GOOD, LOST, STARTED, Story
from tests.agent.made_up import as_event


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
        (BAD, "approve", "ann", "x", f"^{BAD[:12]} stands refused"),
        (LOST, "overrule", "ann", "x", f"^{LOST[:12]} was not trained to the end"),
        ("zz", "overrule", "ann", "x", "constraint rejections are final"),
        ("", "overrule", "ann", "x", "no finalist"),
        (GOOD, "overrule", "ann", "x\x1b[2J", "printable"),
        (GOOD, "overrule", "ann", "x" * 2001, "2000"),
        (GOOD, "send back", "ann", " ", "to send back needs a --reason"),
    ],
)
def test_decisions_nobody_can_take(digest: str, decision: Any, author: str, reason: str, message: str) -> None:
    """Each is refused with its reason, before anything is written."""
    with pytest.raises(InputError, match=message):
        review(Story().state, digest, decision, author=author, reason=reason)


def test_what_a_digest_begins_with_names_one_thing_or_is_refused() -> None:
    """None is nothing; of several each is named, in order, as far as tells them apart at a glance."""
    assert only({}, "sub-cells", "a") is None
    assert only({"a1": 7}, "sub-cells", "a") == 7
    with pytest.raises(InputError, match=r"^several sub-cells begin with 'a': a1, a{16}$"):
        only({"a1": 7, "a" * 20: 8}, "sub-cells", "a")


def test_a_revocation_names_who_answers_for_it_and_why() -> None:
    """Both, each on one line."""
    assert answered(" ann  b ", "because\nso") == {"author": "ann b", "reason": "because so"}
    for author, reason in (("", "because"), ("ann", " ")):
        with pytest.raises(InputError, match="needs an --author and a --reason"):
            answered(author, reason)


def test_a_network_of_several_tasks_and_runs_is_asked_for_by_name_and_each_can_be_decided() -> None:
    """One digest three times: the sentence says where and by what to choose; what was chosen alone is decided."""
    story = Story()
    good = str(ARCHITECTURES[0])
    common: dict[str, Any] = {"architecture": good, "digest": GOOD}
    facts: dict[str, Any] = {"validation": 0.9, "params": 10, "weights_sha256": "w" + GOOD[:8]}
    for run, task in ((1, "u"), (2, "t")):
        if run == 2:
            story.tell(RunStarted, constraint_set_digest="c" * 64)
        story.tell(TaskStarted, task=task, **STARTED)
        story.tell(Certified, **common, certificate="{}")
        story.tell(Trained, **common, **facts, reason="", test_correct=9, test_count=10)
        story.tell(Admitted, **common, **facts, test=0.9, certificate="{}")
    places = {(1, "t"): "", (1, "u"): "", (2, "t"): ""}
    short = GOOD[:16]
    told = rf"{short} \(task t, run 1\), {short} \(task u, run 1\), {short} \(task t, run 2\); say which by "
    for where, ways in (({}, "--task or --run"), ({"task": "t"}, "--run"), ({"run": 1}, "--task")):
        with pytest.raises(InputError, match=(told if not where else "say which by ") + ways + "$"):
            story.decide(GOOD, "approve", **where)
    with pytest.raises(InputError, match="no finalist, task u, run 2 has a digest that begins"):
        story.decide(GOOD, "approve", task="u", run=2)
    for run, task in places:
        story.decide(GOOD, "approve", task=task, run=run)
        places[run, task] = "approved"
        assert {(motif.run, motif.task): motif.review for motif in story.state.library} == places
    assert not story.problems()


def test_a_constraint_rejection_cannot_be_overruled() -> None:
    """Neither without a certificate, nor when another constraint set came into force, nor out of quarantine."""
    story = Story()
    del story.state.runs[0].tasks[0].certificates[str(ARCHITECTURES[1])]
    with pytest.raises(InputError, match="never the constraint set"):
        story.decide(BAD, "overrule")
    story = Story()
    story.tell(RunStarted, constraint_set_digest="e" * 64)
    with pytest.raises(InputError, match="another constraint set"):
        story.decide(BAD, "overrule")
    admitted = next(event.seq for event in story.events if event.kind == "admitted")
    story.tell(MotifQuarantined, admitted_seq=admitted, failed=["rule"])
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
def test_forged_decisions_are_found(change: dict[str, str], message: str) -> None:
    """An edited decision does not verify, even where the chain of hashes was made anew."""
    story = Story()
    story.decide(BAD, "overrule")
    last = story.events[-1]
    story.events[-1] = as_event(seq=last.seq, facts=structs.replace(last.facts, **change))
    assert any(message in problem for problem in story.problems())


def test_a_decision_without_certificate_is_found() -> None:
    """Letting in what the gate never certified does not verify."""
    story = Story()
    story.decide(BAD, "overrule")
    story.events = [
        event
        for event in story.events
        if not (isinstance(event.facts, Certified) and event.facts.architecture == str(ARCHITECTURES[1]))
    ]
    assert any("without a certificate" in problem for problem in story.problems())


@pytest.mark.parametrize(
    ("decision", "message"), [(None, "with 0 of 1 approvals"), ("approve", ""), ("overrule", "not stand admitted")]
)
def test_reuse_without_approval_is_found(decision: Any, message: str) -> None:
    """Under a suite that asks for it, a task may recall what was approved and nothing else."""
    story = Story()
    if decision:
        story.decide(GOOD, decision)
    recalled = Recalled(architecture=str(ARCHITECTURES[0]), digest=GOOD, from_task="t", from_run=1)
    story.tell(TaskStarted, task="u", **STARTED, recalled=[recalled])
    problems = story.problems()
    assert any(message in problem for problem in problems) if message else not problems


def test_sending_back_leaves_what_stands_and_can_be_followed_by_a_decision() -> None:
    """Admitted or refused, library and standing stay; afterwards a person decides, and nobody can send back again."""
    story = Story()
    for digest, stands in ((GOOD, "admitted"), (BAD, "refused")):
        story.decide(digest, "send back")
        finalist = story.state.runs[0].tasks[0].finalist(digest)
        assert (finalist.standing, stage(USUAL_TERMS, story.state.runs[0], finalist)) == (stands, "sent back")
    assert story.standing() == {GOOD: ""}
    story.decide(GOOD, "send back", reason="again")
    story.decide(GOOD, "approve")
    story.decide(BAD, "overrule")
    assert story.standing() == {GOOD: "approved", BAD: "overruled"}
    for digest in (GOOD, BAD):
        with pytest.raises(InputError, match="decided about already: it can be overruled, not sent back"):
            story.decide(digest, "send back")
    assert not story.problems()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"standing": "admitted"}, "send back of what stood refused cannot give admitted"),
        ({"reason": ""}, "sends back without an author or a reason"),
        ({"author": " "}, "sends back without an author or a reason"),
        ({"weights_sha256": "other"}, "what was sent back is not what was trained"),
    ],
)
def test_a_forged_sending_back_is_found(change: dict[str, str], message: str) -> None:
    """One that changes what stands, or that nobody answers for, does not verify; nor one after a decision."""
    story = Story()
    story.decide(BAD, "send back")
    last = story.events[-1]
    story.events[-1] = as_event(seq=last.seq, facts=structs.replace(last.facts, **change))
    assert message in story.problems()
    late = Story()
    late.decide(BAD, "overrule")
    late.add(structs.replace(last.facts, standing=Standing.ADMITTED))
    assert "sends back what a person had decided about" in late.problems()


def test_a_decision_is_asked_for_by_the_number_of_an_event() -> None:
    """The one by which gate and audits decided, or any decision of a person since; another number is refused."""
    story = Story()
    number = next(event.seq for event in story.events if isinstance(event.facts, Admitted))
    story.decide("", "approve", event=number)
    last = story.events[-1]
    assert isinstance(last.facts, Reviewed)
    assert last.facts.digest == GOOD
    story.decide(GOOD[:6], "overrule", event=last.seq)
    assert story.standing() == {}
    for digest, event in (("", 0), (BAD, number), ("", 999)):
        with pytest.raises(InputError, match=f"event {event} decided about no finalist"):
            story.decide(digest, "overrule", event=event)


def test_a_decision_that_does_not_know_the_latest_one_is_refused() -> None:
    """Who looked before somebody else decided is told what was decided, and must look again."""
    story = Story()
    number = next(event.seq for event in story.events if isinstance(event.facts, Admitted))
    story.decide(GOOD, "approve", author="bob", seen=number)
    latest = story.events[-1].seq
    told = rf"nothing was recorded, for bob decided \(approve; it stands admitted\) in event {latest}"
    for decision in ("approve", "overrule", "send back"):
        with pytest.raises(InputError, match=told):
            story.decide(GOOD, decision, seen=number)
    story.decide(GOOD, "overrule", seen=latest)
    assert story.standing() == {}
