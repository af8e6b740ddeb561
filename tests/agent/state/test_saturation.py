"""A search ends when nothing is left for scores to tell, and not before."""

from __future__ import annotations

import pytest

from agent.ledger import events
from agent.state.saturation import saturated, saturation_sentence
from tests.agent.made_up import made_up


def scored(*scores: float | None, digests: str = "") -> list[events.Evaluated]:
    """Evaluations of architectures of their own, or of those named by a letter each."""
    names = digests or "abcdefgh"[: len(scores)]
    return [made_up(events.Evaluated, score=score, digest=name) for score, name in zip(scores, names, strict=True)]


@pytest.mark.parametrize(
    ("evaluations", "ends"),
    [
        (scored(1.0, 1.0, 1.0, 1.0), True),
        (scored(1.0, 0.5, 1.0, None, 1.0, 1.0), True),
        (scored(1.0, 1.0, 1.0), False),
        (scored(1.0, 1.0, 1.0, 0.999), False),
        (scored(1.0, 1.0, 1.0, 1.0, digests="abca"), False),
        (scored(0.0, -0.1, None), False),
    ],
)
def test_twice_as_many_faultless_candidates_as_finalists_end_a_search(
    evaluations: list[events.Evaluated], ends: bool
) -> None:
    """Each counts once, however often it was scored."""
    assert saturated(evaluations, 2) is ends


def test_the_sentence_says_how_many() -> None:
    """Evaluations, budget and candidates."""
    assert saturation_sentence(scored(1.0, 0.5, 1.0), 16).startswith("the search ended after 3 of 16 evaluations: 2 ")
