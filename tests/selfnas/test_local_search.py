"""Local search reads off the history which climbs there were."""

import numpy as np

from selfnas.architecture import Macro
from selfnas.history import Trial
from selfnas.space import SPACES
from selfnas.strategies.local_search import _tops

SPACE = SPACES["nb201"]


def tops(*rows: tuple[str, float]) -> list[int]:
    """Tops of trials given as digits and score."""
    vectors = np.array([list(map(int, digits)) for digits, _ in rows], dtype=np.int8)
    scores = [score for _, score in rows]
    trials = [
        Trial(architecture=SPACE.decode(vector, macro=Macro()), score=score)
        for vector, score in zip(vectors, scores, strict=True)
    ]
    return _tops(trials, vectors, SPACE)


def test_a_climb_goes_on_where_it_improved() -> None:
    """A better neighbour of a better neighbour is the top; worse neighbours are not."""
    assert tops(("000000", 1), ("100000", 2), ("110000", 3), ("111000", 0)) == [2]


def test_climbs_that_touch_at_no_step_stay_apart() -> None:
    """The last trial is next to one that was no step of the first climb, and begins one of its own."""
    assert tops(("000000", 5), ("000001", 1), ("000011", 2)) == [0, 2]


def test_a_trial_of_the_batch_before_belongs_to_its_climb() -> None:
    """Two neighbours of the first were asked for at once; the second is no neighbour of the first that was better."""
    assert tops(("000000", 1), ("100000", 2), ("020000", 3)) == [2]


def test_failed_starts_are_no_tops() -> None:
    """What could not be scored is not climbed from, and what is better than it continues its climb."""
    failed = float("nan")
    assert tops(("000000", failed)) == []
    assert tops(("000000", failed), ("100000", 1), ("444444", 2)) == [2, 1]


def test_edges_of_a_node_of_fixed_degree_are_one_edit() -> None:
    """In DARTS cells an edge may move to another source of its node."""
    darts = SPACES["darts"]
    first = darts.draw(np.random.default_rng(0), 1)
    for vector in darts.neighbours(first[0])[::40]:
        vectors = np.stack([first[0], vector])
        trials = [Trial(architecture=darts.decode(v, macro=Macro()), score=k) for k, v in enumerate(vectors)]
        assert _tops(trials, vectors, darts) == [1]
