"""What is kept of each test example, and what follows from two of these."""

from __future__ import annotations

import numpy as np
import pytest

from selfnas.baselines.paired import MOST_COMPARED, compared_rows, hits_from_text, hits_in_text, paired


@pytest.mark.parametrize("count", [1, 7, 8, 9, 359, MOST_COMPARED + 5])
def test_hits_are_read_as_they_were_written(count: int) -> None:
    """A quarter of a character for each, of as many as are kept."""
    hits = np.random.default_rng(count).random(count) < 0.8
    text = hits_in_text(hits)
    assert len(text) == 2 * -(-min(count, MOST_COMPARED) // 8)
    assert np.array_equal(hits_from_text(text, count), hits[compared_rows(count)])


@pytest.mark.parametrize(("text", "count"), [("b0", 3), ("b0", 9), ("b8", 4), ("", 1), ("zz", 8)])
def test_text_of_another_number_of_examples_is_refused(text: str, count: int) -> None:
    """Too short, too long, or with bits beyond the last example."""
    with pytest.raises(ValueError, match=r"."):
        hits_from_text(text, count)


def test_the_difference_is_that_of_the_shares() -> None:
    """And its interval turns with the order."""
    rng = np.random.default_rng(0)
    first, second = rng.random(300) < 0.9, rng.random(300) < 0.8
    one, other = paired(first, second), paired(second, first)
    assert one.difference == pytest.approx(first.mean() - second.mean())
    assert one.interval == pytest.approx([-limit for limit in reversed(other.interval)])
    assert one.interval[0] < one.difference < one.interval[1]
    with pytest.raises(ValueError, match="300 and 299"):
        paired(first, second[1:])
