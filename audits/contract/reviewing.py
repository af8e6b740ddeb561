"""What a suite wants of people: how many must approve or overrule, and who counts.

The terms are read here from the text of a suite alone, without its audits, so that a decision needs nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from selfnas.documents import Place, StrictModel, parse_document

__all__ = ["MOST_PEOPLE", "USUAL_TERMS", "ReviewSpec", "ReviewTerms", "Reviewer", "review_problems", "terms_of"]

MOST_PEOPLE = 32  # a suite names and asks for no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A person whose decisions count.

    Attributes:
        name: as decisions give their author.
        key: Ed25519 public key, 64 hexadecimal digits, as signed decisions hold it.
    """

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTerms:
    """What people must decide before a network is reused, or let in against the audits.

    Attributes:
        approvals: how many persons must approve what stands admitted.
        overrules: how many must overrule a refusal by the audits; one revokes an admission.
        runner: whether decisions of the person who runs the life count.
        reviewers: the only persons whose decisions count, each signed with the person's key; empty for anybody, whose
            names nobody checks.
    """

    approvals: int = 1
    overrules: int = 1
    runner: Literal["allowed", "excluded"] = "allowed"
    reviewers: tuple[Reviewer, ...] = ()

    def reviewer(self, key: str) -> Reviewer | None:
        """The reviewer with that public key; None where none is named so."""
        return next((one for one in self.reviewers if one.key == key), None)

    def meaning(self) -> dict[str, object]:
        """What enters the suite's digest: order of the reviewers does not."""
        return {
            "approvals": self.approvals,
            "overrules": self.overrules,
            "runner": self.runner,
            "reviewers": {one.key: one.name for one in self.reviewers},
        }

    def __str__(self) -> str:
        """As a person reads it.

        Example:
            >>> print(ReviewTerms(approvals=2, runner="excluded"))
            2 persons must approve before reuse; 1 must overrule a refusal; who runs the life does not count
        """
        said = [
            f"{self.approvals} {'person' if self.approvals == 1 else 'persons'} must approve before reuse",
            f"{self.overrules} must overrule a refusal",
        ]
        if self.reviewers:
            named = ", ".join(f"{one.name} (key {one.key[:12]})" for one in self.reviewers)
            said.append(f"only signed decisions count, of {named}")
        if self.runner == "excluded":
            said.append("who runs the life does not count")
        return "; ".join(said)


USUAL_TERMS = ReviewTerms()  # of a suite that says nothing: any one person


class _ReviewerSpec(StrictModel):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ReviewSpec(StrictModel):
    """Section `review` of a suite's file."""

    approvals: Annotated[int, Field(ge=1, le=MOST_PEOPLE)] = 1
    overrules: Annotated[int, Field(ge=1, le=MOST_PEOPLE)] = 1
    runner: Literal["allowed", "excluded"] = "allowed"
    reviewers: Annotated[list[_ReviewerSpec], Field(min_length=1, max_length=MOST_PEOPLE)] | None = None

    def terms(self) -> ReviewTerms:
        """As the gate reads them."""
        named = tuple(Reviewer(name=one.name, key=one.key) for one in self.reviewers or ())
        return ReviewTerms(
            approvals=self.approvals, overrules=self.overrules, runner=self.runner, reviewers=named
        )  # fmt: skip


def review_problems(spec: ReviewSpec, approval: str) -> Iterator[tuple[Place, str]]:
    """What is wrong with a section beyond its form, each with its place in the file."""
    if approval != "before-reuse":
        yield ("review",), "without `approval: before-reuse` nobody is waited for: add it, or leave `review` out"
    if spec.reviewers is None:
        return
    for wanted in ("approvals", "overrules"):
        if getattr(spec, wanted) > len(spec.reviewers):
            told = f"{getattr(spec, wanted)} of {len(spec.reviewers)} reviewers can never be reached"
            yield ("review", wanted), told
    for index, one in enumerate(spec.reviewers):
        place = ("review", "reviewers", index)
        earlier = spec.reviewers[:index]
        if " ".join(one.name.split()) != one.name or not one.name.isprintable():
            yield (*place, "name"), "a name is one line without spaces at its ends or several in a row"
        if any(one.name.casefold() == other.name.casefold() for other in earlier):
            yield (*place, "name"), f"reviewer {one.name!r} appears twice"
        if any(one.key == other.key for other in earlier):
            yield (*place, "key"), f"key {one.key[:12]} appears twice: one person would count as two"


class _Asked(StrictModel):
    """As much of a suite's file as is needed here; the rest was checked before its run began."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    review: ReviewSpec = Field(default_factory=ReviewSpec)


@lru_cache(maxsize=64)
def terms_of(text: str) -> ReviewTerms:
    """The terms in the recorded text of a suite.

    Raises:
        InputError: the text is no YAML, or its section is not one.
    """
    return parse_document(text, _Asked, name="recorded.yaml").value.review.terms()
