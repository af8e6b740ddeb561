"""The admitted part where its diagram does not fit: draws, counts and neighbours, and when it gives up."""

from __future__ import annotations

import numpy as np
import pytest

import constraints.judging.admitted as module
from constraints import Guard, load_set
from constraints.judging.admitted import CountInterval
from selfnas.errors import SelfnasError
from selfnas.spaces.architecture import Macro, TaskShape
from selfnas.spaces.named import space_named


@pytest.fixture(scope="module")
def sampled() -> Guard:
    """A guard whose diagram holds next to nothing, so that the space is drawn from and rules reject."""
    return Guard(
        load_set("baseline"),
        space=space_named("nb201"),
        macro=Macro(channels=8, depth=1, resolution=16),
        shape=TaskShape(channels=1, size=(8, 8), classes=10),
        max_nodes=10,
    )


@pytest.mark.parametrize(
    ("hits", "draws", "low", "high"),
    [
        # Computed with 50 digits from Wilson's formula at z = 3.29.
        (0, 100, 0.0, 0.09767),
        (50, 100, 0.34374, 0.65626),
        (100, 100, 0.90233, 1.0),
        (100_000, 200_000, 0.49632, 0.50368),
    ],
)
def test_the_interval_of_a_share_is_wilson_s(hits: int, draws: int, low: float, high: float) -> None:
    """To five digits, and within 0 and 1 at its ends."""
    found = module._wilson(hits, draws)
    assert found == pytest.approx((low, high), abs=1e-5)
    assert 0 <= found[0] < found[1] <= 1


def test_an_estimated_count_holds_the_true_one(sampled: Guard) -> None:
    """Its bounds are whole and an estimate is not called exact; the same estimate every time."""
    truth = int(sampled.admits(sampled.space.enumerate()).sum())
    count = sampled.count()
    assert not count.exact
    assert count.low <= truth <= count.high
    assert count.low < count.value < count.high
    assert abs(count.value - truth) / truth < 0.02
    assert CountInterval.known(7) == CountInterval(value=7, low=7, high=7, exact=True)


def test_draws_are_admitted_and_as_many_as_asked_for(sampled: Guard) -> None:
    """Also none, and the same seed gives the same."""
    drawn = sampled.draw(np.random.default_rng(0), 300)
    assert drawn.shape == (300, 6)
    assert sampled.admits(drawn).all()
    assert np.array_equal(drawn, sampled.draw(np.random.default_rng(0), 300))
    assert sampled.draw(np.random.default_rng(0), 0).shape == (0, 6)


def test_a_draw_gives_up_after_so_many_batches_without_one(sampled: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as it says, not one more; a batch with a member begins the count anew."""
    monkeypatch.setattr(module, "_MAX_TRIES", 3)
    monkeypatch.setattr(module, "_BATCH", 16)
    answers: list[bool] = []

    def evaluated(circuit: object, roots: object, vectors: np.ndarray) -> np.ndarray:
        found = np.zeros((len(vectors), 1), dtype=bool)
        found[0] = len(answers) == 2
        answers.append(bool(found[0]))
        return found

    monkeypatch.setattr(module, "evaluate", evaluated)
    with pytest.raises(SelfnasError, match="no admitted architecture among 48 draws"):
        sampled.draw(np.random.default_rng(0), 5)
    assert answers == [False, False, True, False, False, False]


def test_the_nearest_member_is_found_without_a_diagram(sampled: Guard) -> None:
    """Nothing admitted is nearer, all that is told is that near, and no more than asked for."""
    everything = sampled.space.enumerate()
    good = everything[sampled.admits(everything)]
    refused = everything[~sampled.admits(everything)]
    for vector in refused[np.random.default_rng(3).permutation(len(refused))[:12]]:
        nearest = int((good != vector).sum(axis=1).min())
        distance, rows = sampled.nearest(vector, limit=2)
        if nearest <= 3:
            assert distance == nearest
            assert 1 <= len(rows) <= 2
            assert sampled.admits(rows).all()
            assert ((rows != vector).sum(axis=1) == distance).all()
        else:
            assert (distance, len(rows)) == (-1, 0)
