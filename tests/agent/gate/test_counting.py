"""How many persons decided so that it counts, whose decisions do not count, and that forged counts are found."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from agent.gate.counting import approved, counted, joined, person, terms_in_force
from agent.gate.review import stage
from agent.ledger.events import Recalled, Reviewed, Standing, TaskStarted
from agent.ledger.review_signature import key_text, signed
from audits.contract.reviewing import ReviewTerms, terms_of
from selfnas.errors import InputError
from tests.agent.gate.story import ARCHITECTURES, BAD, GOOD, STARTED, Story

ANN, BOB, EVE = (Ed25519PrivateKey.from_private_bytes(bytes([place]) * 32) for place in (1, 2, 3))
TWO = "suite: s\napproval: before-reuse\nreview: {approvals: 2, overrules: 2}\n"
NAMED = TWO.replace(
    "overrules: 2",
    "overrules: 2, reviewers: ["
    + ", ".join(f'{{name: {name}, key: "{key_text(key.public_key())}"}}' for name, key in (("Ann", ANN), ("Bob", BOB)))
    + "]",
)
EXCLUDED = TWO.replace("overrules: 2", "overrules: 2, runner: excluded")
RECALLED = Recalled(architecture=str(ARCHITECTURES[0]), digest=GOOD, from_task="t", from_run=1)


def told(story: Story, digest: str = GOOD) -> tuple[str, str]:
    """The count of a finalist in words, and how far people are with it."""
    run, terms = story.state.runs[0], terms_in_force(story.state)
    finalist = run.tasks[0].finalist(digest)
    return str(counted(terms, run, finalist)), stage(terms, run, finalist)


def usable(story: Story) -> list[str]:
    """Digests of what memory may give."""
    terms = terms_in_force(story.state)
    return [motif.digest for motif in story.state.library if approved(story.state, terms, motif)]


def test_two_persons_must_approve_and_one_counts_once() -> None:
    """The same name, however it is written, is one person; the finalist awaits people until there are two."""
    story = Story(TWO)
    assert told(story) == ("0 of 2 approved", "awaiting")
    story.decide(GOOD, "approve", author="Ann")
    story.decide(GOOD, "approve", author="ann")
    assert told(story) == ("1 of 2 approved, by Ann", "awaiting")
    assert usable(story) == []
    story.decide(GOOD, "approve", author="Bob")
    assert told(story) == ("2 of 2 approved, by Ann, Bob", "decided")
    assert usable(story) == [GOOD]
    story.tell(TaskStarted, task="u", **STARTED, recalled=[RECALLED])
    assert not story.problems()


def test_reuse_with_too_few_approvals_is_found() -> None:
    """A recall after one of two approvals, and one after two of the same person."""
    for authors in (("Ann",), ("Ann", "ANN")):
        story = Story(TWO)
        for author in authors:
            story.decide(GOOD, "approve", author=author)
        story.tell(TaskStarted, task="u", **STARTED, recalled=[RECALLED])
        assert story.problems() == [f"recalled {GOOD[:12]} with 1 of 2 approvals that the suite asks for"]


def test_a_refusal_stands_until_the_second_person_overrules() -> None:
    """The first vote changes nothing but the count; those who let it in have approved it."""
    story = Story(TWO)
    story.decide(BAD, "overrule", author="Ann")
    assert told(story, BAD) == ("1 of 2 overruled, by Ann", "awaiting")
    assert story.standing() == {GOOD: ""}
    story.decide(BAD, "overrule", author="Ann")
    assert told(story, BAD) == ("1 of 2 overruled, by Ann", "awaiting")
    story.decide(BAD, "overrule", author="Bob")
    assert told(story, BAD) == ("2 of 2 approved, by Ann, Bob", "decided")
    assert story.standing() == {GOOD: "", BAD: "overruled"}
    assert not story.problems()


def test_one_overrule_of_an_admission_ends_it() -> None:
    """Earlier approvals lapse; to let it in again takes as many as to overrule a refusal."""
    story = Story(TWO)
    story.decide(GOOD, "approve", author="Ann")
    story.decide(GOOD, "overrule", author="Bob")
    assert told(story) == ("0 of 2 overruled", "decided")
    story.decide(GOOD, "overrule", author="Ann")
    assert told(story) == ("1 of 2 overruled, by Ann", "awaiting")
    assert story.standing() == {}
    story.decide(GOOD, "overrule", author="Cy")
    assert told(story) == ("2 of 2 approved, by Ann, Cy", "decided")
    assert not story.problems()


def test_to_send_back_begins_the_count_anew() -> None:
    """Who approved before must do so again."""
    story = Story(TWO)
    story.decide(GOOD, "approve", author="Ann")
    story.decide(GOOD, "send back", author="Bob")
    assert told(story) == ("0 of 2 approved", "sent back")
    story.decide(GOOD, "approve", author="Bob")
    assert told(story) == ("1 of 2 approved, by Bob", "awaiting")
    assert not story.problems()


@pytest.mark.parametrize(
    ("author", "key", "message"),
    [
        ("Ann", None, "counts only decisions that Ann, Bob signed, and this one is not signed"),
        ("Eve", EVE, "is of none of them"),
        ("Bob", ANN, r"says that key 8a88e3dd7409 is of Ann, and the author is Bob"),
    ],
)
@pytest.mark.parametrize("decision", ["approve", "overrule", "send back"])
def test_nobody_but_the_named_reviewers_can_decide(author: str, key: Any, message: str, decision: str) -> None:
    """An unsigned decision, a stranger's and one under another name are refused, and found where they are forged."""
    story = Story(NAMED)
    with pytest.raises(InputError, match=message):
        story.decide(GOOD, decision, author=author, key=key)
    honest = Story()
    honest.decide(GOOD, decision, author=author)
    said = honest.events[-1].facts
    assert isinstance(said, Reviewed)
    story.add(said if key is None else signed(said, key, after="0" * 64))
    assert any("the suite in force does not count it" in problem for problem in story.problems())
    assert told(story)[0] in ("0 of 2 approved", "0 of 2 overruled")


def test_signed_decisions_of_named_reviewers_count() -> None:
    """Ann and Bob with their keys are two; the case of a name does not matter."""
    story = Story(NAMED)
    story.decide(GOOD, "approve", author="ann", key=ANN)
    assert told(story) == ("1 of 2 approved, by Ann", "awaiting")
    story.decide(GOOD, "approve", author="Bob", key=BOB)
    assert told(story) == ("2 of 2 approved, by Ann, Bob", "decided")
    assert not story.problems()


def test_a_spoilt_signature_counts_for_nobody() -> None:
    """The words were changed after Ann signed them."""
    story = Story(NAMED)
    story.decide(GOOD, "approve", author="Ann", key=ANN)
    said = story.events[-1].facts
    assert isinstance(said, Reviewed)
    story.add(structs.replace(said, reason="other words"))
    story.decide(GOOD, "approve", author="Bob", key=BOB)
    assert told(story)[0] == "2 of 2 approved, by Ann, Bob"
    alone = Story(NAMED)
    alone.add(structs.replace(said, reason="other words"))
    assert told(alone)[0] == "0 of 2 approved"


def test_whoever_runs_the_life_can_be_left_out() -> None:
    """By name, whatever its case; and nobody counts where nobody recorded who runs it."""
    story = Story(EXCLUDED, run_by="Ann")
    with pytest.raises(InputError, match="ann ran run 1, and the suite in force does not count who did"):
        story.decide(GOOD, "approve", author="ann")
    story.decide(GOOD, "approve", author="Bob")
    assert told(story)[0] == "1 of 2 approved, by Bob"
    assert not story.problems()
    silent = Story(EXCLUDED)
    with pytest.raises(InputError, match="nobody recorded who did"):
        silent.decide(GOOD, "approve", author="Bob")
    assert silent.problems() == [
        "its suite leaves whoever runs the life out of review, and the run does not say who does"
    ]


@pytest.mark.parametrize(
    ("authors", "standing", "message"),
    [
        (("Ann",), Standing.ADMITTED, "1 of 2 persons that the suite wants overruled, and it stands admitted"),
        (("Ann", "ann"), Standing.ADMITTED, "1 of 2 persons that the suite wants overruled, and it stands admitted"),
        (("Ann", "Bob"), Standing.REFUSED, "2 of 2 persons that the suite wants overruled, and it stands refused"),
    ],
)
def test_a_forged_count_is_found(authors: tuple[str, ...], standing: Standing, message: str) -> None:
    """Let in by too few, or kept out against enough."""
    story = Story(TWO)
    for author in authors[:-1]:
        story.decide(BAD, "overrule", author=author)
    story.decide(BAD, "overrule", author=authors[-1])
    last = story.events.pop().facts
    assert isinstance(last, Reviewed)
    story.add(structs.replace(last, standing=standing))
    assert message in story.problems()


def test_a_later_suite_that_wants_more_counts_again() -> None:
    """What one person approved under the first suite awaits people under the second, and is not reused."""
    story = Story()
    story.decide(GOOD, "approve", author="Ann")
    assert usable(story) == [GOOD]
    story.begin(TWO)
    assert (told(story), usable(story)) == (("1 of 2 approved, by Ann", "awaiting"), [])
    story.decide(GOOD, "approve", author="Bob")
    assert usable(story) == [GOOD]
    story.begin(NAMED)
    assert (told(story)[0], usable(story)) == ("0 of 2 approved", [])
    assert not story.problems()


def test_persons_share_no_name_and_no_key() -> None:
    """Two names with one key are one person, and so are two keys with one name."""
    terms = ReviewTerms(approvals=2)
    ann = person(terms, author="Ann", key="k")
    by = joined((), ann)
    for name, key in (("Bob", "k"), ("ANN", "other"), ("Ann", "")):
        assert joined(by, person(terms, author=name, key=key)) == by
    assert len(joined(by, person(terms, author="Bob", key="l"))) == 2


def test_terms_are_read_without_the_audits_and_fail_closed() -> None:
    """Of a text without a section the usual terms; a section that is none is refused, not passed over."""
    assert terms_of("suite: s\naudits: [{audit: of another release}]\n") == ReviewTerms()
    assert replace(terms_of(NAMED), reviewers=()) == ReviewTerms(approvals=2, overrules=2)
    for text in ("", "review: {approval: 2}\n", "review: 2\n", "review: {approvals: 0}\n", "review: [\n"):
        with pytest.raises(InputError):
            terms_of(text)
